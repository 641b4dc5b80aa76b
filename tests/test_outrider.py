"""The `outrider` command: who gets which arguments, the exit codes, and that it stays light."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

import outrider

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """Every part replaced by one that notes (module, what it was given) and returns 7."""
    calls: list[tuple[str, object]] = []

    def part(name: str) -> ModuleType:
        def note(given: object) -> int:
            calls.append((name, given))
            return 7

        module = ModuleType(name)
        main: Callable[[object], int] = note
        setattr(module, "main", main)  # noqa: B010 # a module made here has no known attributes
        return module

    monkeypatch.setattr(outrider, "import_module", part)
    return calls


@pytest.mark.parametrize("command", outrider.COMMANDS, ids=lambda c: " ".join(c.words))
def test_every_command_reaches_its_part(
    command: outrider.Command, seen: list[tuple[str, object]]
) -> None:
    rest = ["--config", "some.toml"]
    assert outrider.main([*command.words, *rest]) == 7
    given = (
        Path("some.toml") if command.daemon else [*command.words[command.words_consumed :], *rest]
    )
    assert seen == [(command.module, given)]


def test_options_of_a_part_pass_untouched(seen: list[tuple[str, object]]) -> None:
    assert outrider.main(["demo", "--help", "--", "-x", ""]) == 7
    assert seen == [("demo.command", ["--help", "--", "-x", ""])]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["--help"], 0),
        (["--version"], 0),
        (["agent", "--help"], 0),
        (["agent", "run", "--help"], 0),
        (["agent"], 2),
        (["agent", "run"], 2),
        (["agent", "run", "--config"], 2),
        (["agent", "run", "--config="], 2),
        (["agent", "run", "--config", "a", "b"], 2),
        (["agnt", "run"], 2),
        (["", ""], 2),
    ],
)
def test_exit_code_and_one_clear_text(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outrider.main(arguments) == code
    said = capsys.readouterr()
    assert bool(said.out) == (code == 0)
    assert bool(said.err) == (code == 2)


def test_help_has_an_example_and_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    outrider.main(["--help"])
    said = capsys.readouterr().out
    assert "example: outrider " in said
    for command in outrider.COMMANDS:
        assert f"  {' '.join(command.words)} " in said


def test_a_mistyped_word_is_answered_with_the_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert outrider.main(["matcher", "explian", "17"]) == 2
    assert "did you mean 'explain'?" in capsys.readouterr().err


def test_a_part_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(module: str) -> ModuleType:
        raise ModuleNotFoundError(f"No module named '{module}'")

    monkeypatch.setattr(outrider, "import_module", absent)
    assert outrider.main(["matcher", "board"]) == 1
    said = capsys.readouterr().err
    assert "requirements/centre.txt" in said
    assert said.count("\n") == 1


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_module: str) -> ModuleType:
        raise KeyboardInterrupt

    monkeypatch.setattr(outrider, "import_module", interrupted)
    assert outrider.main(["demo"]) == 130


def test_a_reader_that_left_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-P", "outrider.py", "--help"]
    run = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (run.returncode, run.stderr) == (1, b"")


def test_the_command_itself_imports_no_library() -> None:
    probe = (
        "import sys; before = set(sys.modules); import outrider; outrider.main(['--version']);"
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before}"
        " - set(sys.stdlib_module_names) - {'outrider'}))"
    )
    run = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, check=True)
    assert run.stdout.split(b"\n")[1] == b"[]"
