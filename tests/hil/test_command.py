"""The command line: help with examples, exit codes, one clear line for bad input."""

import ast
import sys
from pathlib import Path

import pytest

from hil.command import DEVICES, main
from tests.hil.helpers import REPOSITORY, Emulator


@pytest.mark.parametrize("device", DEVICES)
def test_help_has_an_example(device: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([device, "--help"]) == 0
    assert f"outrider hil {device}" in capsys.readouterr().out.split("example")[1]


def test_help_lists_the_devices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(device in out for device in DEVICES)
    assert "example" in out


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["submarine"],
        ["gnss", "--what"],
        ["gnss", "--fault", "gap"],
        ["gnss", "--at", "x"],
        ["gnss", "--hz", "99"],
        ["gnss", "--sentences", "XYZ"],
        ["gnss", "--rate", "-1"],
        ["proxy"],
        ["proxy", "--target", "nowhere"],
    ],
)
def test_wrong_usage_is_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["gnss", "no-such.nmea"], "no-such.nmea"),
        (["gnss", "--port", "/dev/no-such"], "/dev/no-such"),
        (["gnss", "--link", "/no/such/folder/x"], "--link"),
        (["gnss", "--route", "no-such.json"], "no-such.json"),
        (["gnss", "--fault", "flood@1+1"], "give one of"),
        (["board", "--script", "no-such"], "--script"),
        (["recorder", "--state", "/no/such/folder/state"], "--state"),
    ],
)
def test_bad_input_is_1_and_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_the_parents_end_ends_the_emulator(tmp_path: Path) -> None:
    link = tmp_path / "board"
    with Emulator("board", "--link", str(link), "--end-at-eof") as emulator:
        emulator.event("ready")
        emulator.close_stdin()
        assert emulator.wait() == 0
    assert not link.is_symlink()


def test_the_emulators_import_nothing_of_the_product() -> None:
    allowed = sys.stdlib_module_names | {"hil", "serial"}
    for path in (REPOSITORY / "hil").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert {name.partition(".")[0] for name in names} <= allowed, path
