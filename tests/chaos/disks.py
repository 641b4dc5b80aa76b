"""Disks that are small, full or read-only: a tmpfs of the test's own, where mounting is allowed.

Each skips, saying so, where it is not.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def _run(*words: str) -> bool:
    program = shutil.which(words[0])
    if program is None or os.geteuid() != 0:
        return False
    done = subprocess.run([program, *words[1:]], check=False, capture_output=True)
    return done.returncode == 0


@contextlib.contextmanager
def small_disk(folder: Path, size: str = "2m") -> Iterator[Path]:
    """`folder`, made where it is not there, as a disk of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    if not _run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)):
        pytest.skip("a small disk needs root and the right to mount a tmpfs")
    try:
        yield folder
    finally:
        _run("umount", "-l", str(folder))


@contextlib.contextmanager
def full(folder: Path) -> Iterator[None]:
    """Every byte of that disk taken."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for piece in (4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(piece))
    assert shutil.disk_usage(folder).free == 0
    try:
        yield
    finally:
        ballast.unlink()


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """That disk cannot be written: first a bind mount of itself, then read-only."""
    if not _run("mount", "--bind", str(folder), str(folder)):
        pytest.skip("a read-only disk needs root and the right to mount")
    try:
        if not _run("mount", "-o", "remount,bind,ro", str(folder)):
            pytest.skip("a read-only disk needs the right to remount")
        yield
    finally:
        _run("umount", "-l", str(folder))
