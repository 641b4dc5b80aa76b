"""A disk of 2 MiB for one terminal, filled to the last byte: needs the right to mount a tmpfs.

Where that is not allowed the story says so and goes on. Used by demo/story_world.py.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

SIZE: Final = "size=2m"
BALLAST: Final = "ballast"


class SmallDisk:
    """A mounted folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def take(cls, folder: Path) -> SmallDisk | None:
        """Mount it; None without root or where the machine forbids it."""
        mount = shutil.which("mount")
        if os.geteuid() != 0 or mount is None:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        argv = [mount, "-t", "tmpfs", "-o", SIZE, "none", str(folder)]
        done = subprocess.run(argv, check=False, capture_output=True)
        return cls(folder) if done.returncode == 0 else None

    def fill(self) -> None:
        """Every byte that is left."""
        with (self.folder / BALLAST).open("wb", buffering=0) as file:
            for piece in (4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(piece))

    def free(self) -> None:
        (self.folder / BALLAST).unlink(missing_ok=True)

    def give_back(self) -> None:
        """Unmount; what was on it lies in the folder as before."""
        with tempfile.TemporaryDirectory() as spare:
            shutil.copytree(self.folder, spare, dirs_exist_ok=True)
            argv = [shutil.which("umount") or "umount", "-l", str(self.folder)]
            subprocess.run(argv, check=False, capture_output=True)
            shutil.copytree(spare, self.folder, dirs_exist_ok=True)
