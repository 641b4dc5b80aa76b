"""`outrider codebook`: faults on stderr, summary or object on stdout, exit codes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from protocol.codebook_command import main
from protocol.codebook_shipped import shipped_text
from tests.protocol.codebooks import SMALL, edited


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.toml").write_text(SMALL, encoding="utf-8")
    return tmp_path


def test_right(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "old.toml"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("old.toml: right. Version 3, 测试代码表 (A small codebook): 1 sounds, ")
    assert "2 capabilities, 2 hazards, 3 kinds" in out  # retired ones are not counted
    assert err == ""


def test_the_built_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--built-in"]) == 0
    assert capsys.readouterr().out.startswith("the built-in codebook: right. Version 1")


def test_faults_one_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = edited(('"knife"]', '"knive"]'), ("answer_s = 20", "answer_s = 70"))
    (folder / "new.toml").write_text(wrong, encoding="utf-8")
    assert main(["check", "new.toml"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "outrider codebook: new.toml: priorities.2.answer_s: is longer than priority 3's, which is "
        "less urgent (70) – at most 60",
        "outrider codebook: new.toml: kinds.robbery.hazards: is no code of [hazards] (knive) – did "
        "you mean knife?",
    ]


def test_against_the_old_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = edited(("version = 3", "version = 4"), ("priority = 4", "priority = 3"))
    (folder / "new.toml").write_text(new, encoding="utf-8")
    assert main(["check", "new.toml", "--against", "old.toml"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["kinds.visit: priority 4 → 3"]
    assert main(["check", "old.toml", "--against", "new.toml"]) == 1
    assert "old.toml: version: does not rise (3) – at least 5" in capsys.readouterr().err


def test_an_old_one_that_is_wrong_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "old.toml", "--against", "none.toml"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "outrider codebook: none.toml: (file): No such file or directory – name another file\n"
    )


def test_as_an_object(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "old.toml", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["valid"], said["version"], said["agency"]) == (True, 3, "350600")
    assert said["counts"]["kinds"] == 3
    (folder / "new.toml").write_text(edited(("version = 3", "versoin = 3")), encoding="utf-8")
    assert main(["check", "new.toml", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["faults"][0] == {
        "file": "new.toml", "place": "versoin", "what": "is no known key", "value": None,
        "remedy": "did you mean version?",
    }  # fmt: skip
    assert (said["valid"], said["version"], said["counts"]) == (False, None, {})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff\xfe", "(file): is not UTF-8 (byte 0) – save it as UTF-8 text"),
        (b"#" * 60_001, "(file): larger than 60000 bytes – name another file"),
        (b"", "version: is missing – add version = …"),
        (b"\x00", "(top of the file): is not TOML (Invalid statement (at line 1, column 1)) – cor"),
    ],
    ids=["utf16", "large", "empty", "nul"],
)
def test_files_that_are_no_codebook(
    folder: Path, capsys: pytest.CaptureFixture[str], content: bytes, expected: str
) -> None:
    (folder / "x.toml").write_bytes(content)
    assert main(["check", "x.toml"]) == 1
    assert capsys.readouterr().err.startswith(f"outrider codebook: x.toml: {expected}")


def test_standard_input_and_a_byte_order_mark(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(b"\xef\xbb\xbf" + SMALL.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["check", "-"]) == 0
    assert capsys.readouterr().out.startswith("-: right.")


def test_show(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "robbery", "--file", "old.toml"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "robbery  抢劫  Robbery",
        "  group: Crime",
        "  priority: 1 Priority 1",
        "  times: delivered in 5 s, answered in 10 s",
        "  plan: 2 units, 4 officers, neighbours alerted",
        "  capabilities: Medic 2, Shield 1",
        "  hazards: Knife",
        "  told too: Ambulance",
        "  welfare check: 300 s",
        "  marks: weapon",
    ]
    assert main(["show", "robbery", "--file", "old.toml", "--lang", "zh", "--priority", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[2:5] == [
        "  等级: 2 等级2",
        "  时限: 送达 10 秒,应答 20 秒",
        "  预案: 1 个警组,2 名民警,200 米外集结",
    ]


def test_show_what_others_handle(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "power_fault", "--file", "old.toml"]) == 0
    out = capsys.readouterr().out
    assert "plan:" not in out
    assert "  told too: Power\n" in out
    assert "not dispatched, referred" in out


def test_show_as_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "fight", "--priority", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["zh"], said["priority"], said["answer_s"]) == ("打架斗殴", 1, 10)
    assert said["plan"] == {
        "units": 3, "officers": 6, "capabilities": {"shield": 1}, "alert": True, "staging_m": None,
    }  # fmt: skip


def test_show_what_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "fihgt"]) == 1
    assert capsys.readouterr().err == (
        "outrider codebook: kinds has no 'fihgt' – did you mean fight?\n"
    )
    (folder / "x.toml").write_text("x = 1")
    assert main(["show", "fight", "--file", "x.toml"]) == 1
    assert capsys.readouterr().err.startswith("outrider codebook: x.toml: x: is no known key – ")


def test_print_begins_ones_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["print"]) == 0
    printed = capsys.readouterr().out
    assert printed == shipped_text()
    (folder / "mine.toml").write_text(printed, encoding="utf-8")
    assert main(["check", "mine.toml"]) == 0


@pytest.mark.parametrize("arguments", [[], ["check"], ["check", "a", "--built-in"], ["sow", "x"]])
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: outrider codebook" in capsys.readouterr().err


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "outrider codebook check codebook.toml --against" in capsys.readouterr().out
