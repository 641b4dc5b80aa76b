"""The commands: a whole enrolment from two shells, exit codes, and one clear line each."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from authority import command, enrol_command
from runtime.key_files import enrolment_of, load_certificate

Captured = pytest.CaptureFixture[str]


class Shells:
    """The authority's shell and the device's, with what they printed."""

    def __init__(self, path: Path, capsys: Captured) -> None:
        self.path, self._capsys = path, capsys
        self.out = self.err = ""

    def authority(self, *arguments: str) -> int:
        where = [] if arguments[0] == "init" else ["--dir", str(self.path / "authority")]
        return self._run(command.main([*arguments[:1], *where, *arguments[1:]]))

    def device(self, *arguments: str) -> int:
        return self._run(enrol_command.main([*arguments, "--out", str(self.path / "keys")]))

    def _run(self, code: int) -> int:
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        return code


@pytest.fixture
def shells(tmp_path: Path, capsys: Captured) -> Shells:
    shells = Shells(tmp_path, capsys)
    folder = str(tmp_path / "authority")
    hosts = ("--broker-host", "broker.example", "--broker-host", "10.0.0.7")
    assert shells.authority("init", "--fleet", "longwen", "--out", folder, *hosts) == 0
    return shells


def request(shells: Shells, *invite: str) -> str:
    """Invite and ask; the fingerprint that the device shows."""
    assert shells.authority("invite", "car-07", *invite) == 0
    code = shells.out.strip()
    ask = ("request", "--fleet", "longwen", "--device", "car-07", "--code", code)
    assert shells.device(*ask) == 0
    return shells.out.strip().removeprefix("fingerprint: ")


def test_an_enrolment_from_two_shells(shells: Shells) -> None:
    fingerprint = request(shells)
    message = str(shells.path / "keys" / "request.cbor")
    assert shells.authority("approve", message, "--fingerprint", fingerprint, "--json") == 0
    approved = json.loads(shells.out)
    assert shells.device("install", approved["approval"], "--root", approved["root"]) == 0
    assert approved["enrolment"] in shells.out
    certificate = load_certificate(shells.path / "keys" / "tls.pem")
    assert enrolment_of(certificate).hex() == approved["enrolment"]
    assert shells.authority("list", "--json") == 0
    listed = json.loads(shells.out)
    assert [(one["name"], one["state"]) for one in listed["names"]] == [
        ("matcher", "active"),
        ("car-07", "active"),
    ]
    assert listed["warnings"] == []
    assert shells.authority("list") == 0
    assert "car-07" in shells.out


@pytest.mark.parametrize(("answer", "code"), [("yes\n", 0), ("no\n", 1), ("", 1)])
def test_the_operator_is_asked(
    shells: Shells, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    fingerprint = request(shells)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert shells.authority("approve", str(shells.path / "keys" / "request.cbor")) == code
    assert fingerprint in shells.err
    assert (shells.path / "keys" / "approval.cbor").exists() == (code == 0)


def test_another_fingerprint_approves_nothing(shells: Shells) -> None:
    request(shells)
    message = str(shells.path / "keys" / "request.cbor")
    wrong = "11111 22222 33333 44444"
    assert shells.authority("approve", message, "--fingerprint", wrong, "--yes") == 1
    assert "another fingerprint" in shells.err
    assert '"action": "reject"' in (shells.path / "authority" / "audit.log").read_text()
    assert shells.authority("list", "--json") == 0
    assert "car-07" not in [one["name"] for one in json.loads(shells.out)["names"]]
    assert shells.authority("approve", message, "--yes") == 0  # the code was not used up


def test_a_manager_with_person_and_roles(shells: Shells) -> None:
    request(shells, "--kind", "manager", "--person", "Lin", "--roles", "dispatcher,intake")
    message = str(shells.path / "keys" / "request.cbor")
    assert shells.authority("approve", message, "--yes") == 0
    assert "manager car-07 of Lin" in shells.err
    shells.authority("list", "--json")
    listed = json.loads(shells.out)["names"][-1]
    assert (listed["person"], listed["roles"]) == ("Lin", ["dispatcher", "intake"])


def test_revoke_rotate_refresh(shells: Shells) -> None:
    request(shells)
    shells.authority("approve", str(shells.path / "keys" / "request.cbor"), "--yes")
    assert shells.authority("rotate", "--json") == 0
    assert json.loads(shells.out) == {"trust": 2, "identities": 3}
    assert shells.authority("revoke", "car-07", "--json") == 0
    assert json.loads(shells.out) == {"name": "car-07", "identities": 4}
    assert shells.authority("refresh") == 0
    assert shells.authority("revoke", "car-07") == 1
    assert "is not enrolled" in shells.err


def test_the_code_may_come_from_stdin(shells: Shells, monkeypatch: pytest.MonkeyPatch) -> None:
    shells.authority("invite", "car-07")
    monkeypatch.setattr("sys.stdin", io.StringIO(shells.out.lower()))
    ask = ("request", "--fleet", "longwen", "--device", "car-07", "--code", "-", "--json")
    assert shells.device(*ask) == 0
    message = str(shells.path / "keys" / "request.cbor")
    shown = json.loads(shells.out)["fingerprint"]
    assert shells.authority("approve", message, "--fingerprint", shown) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("approve", "nowhere.cbor"),
        ("invite", "Car 7"),
        ("invite", "matcher"),
        ("invite", "car-07", "--minutes", "0"),
        ("invite", "d07", "--kind", "manager"),
        ("invite", "d07", "--kind", "manager", "--roles", "intake", "--person", "\udcff"),
        ("rotate", "--role-days", "30"),
        ("revoke", "nobody"),
    ],
)
def test_bad_input_is_one_line_and_exit_1(shells: Shells, arguments: tuple[str, ...]) -> None:
    assert shells.authority(*arguments) == 1
    assert shells.err.startswith("outrider authority: ")
    assert shells.err.count("\n") == 1
    assert shells.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("--fleet", "Long Wen"),
        ("--fleet", "longwen", "--broker-host", "br\u00fccke"),
        ("--fleet", "longwen", "--broker-host", ""),
        ("--fleet", "longwen", "--role-days", "0"),
    ],
)
def test_a_bad_init_leaves_no_half_authority(shells: Shells, arguments: tuple[str, ...]) -> None:
    out = shells.path / "second"
    assert shells.authority("init", "--out", str(out), *arguments) == 1
    assert shells.err.count("\n") == 1
    assert not out.exists()


def test_a_code_that_is_no_text_is_refused(shells: Shells, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe\n"), "utf-8"))
    ask = ("request", "--fleet", "longwen", "--device", "car-07", "--code", "-")
    assert shells.device(*ask) == 1
    assert "no text" in shells.err


def test_files_that_are_none_are_refused(shells: Shells) -> None:
    junk = shells.path / "junk.cbor"
    junk.write_bytes(b"\x84junk")
    assert shells.authority("approve", str(junk), "--yes") == 1
    assert "malformed" in shells.err
    assert shells.device("install", str(junk)) == 1
    assert "waits for no approval" in shells.err
    request(shells)
    assert shells.device("install", str(junk)) == 1
    assert "malformed" in shells.err


@pytest.mark.parametrize("main", [command.main, enrol_command.main])
def test_help_shows_an_example_and_no_word_is_wrong_usage(capsys: Captured, main: object) -> None:
    assert callable(main)
    for arguments, code in ((["--help"], 0), ([], 2), (["conquer"], 2)):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == code
    assert "example" in capsys.readouterr().out
