"""The `run` script: its usage, and that a setup that has nothing to do is done at once.

What it makes on a bare machine is seen in tests/bare.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RUN = ROOT / "run"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(RUN), *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("arguments", [(), ("tets",), ("setup", "everything"), ("unpack", "one")])
def test_wrong_usage_shows_examples_and_is_2(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "./run demo --seconds 60 --json" in done.stderr


def test_help_is_0_and_on_stdout() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "examples:" in done.stdout
    assert done.stderr == ""


def test_second_setup_does_nothing_and_says_nothing() -> None:
    if not list((ROOT / ".venv").glob("*.stamp")):
        pytest.skip("this environment was not made by ./run setup")
    started = time.monotonic()
    done = run("setup")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - started < 2


def test_a_cache_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file where the folder should be", encoding="utf-8")
    done = run("setup", OUTRIDER_CACHE=str(taken))
    assert done.returncode == 1
    assert done.stderr.startswith("run: the cache folder ")
    assert "OUTRIDER_CACHE" in done.stderr
    assert done.stderr.count("\n") == 1


def test_scripts_are_executable_and_whole() -> None:
    for script in (RUN, ROOT / ".ci/run", ROOT / "requirements/compile"):
        assert os.access(script, os.X_OK), script
        subprocess.run(["/bin/bash", "-n", str(script)], check=True)
