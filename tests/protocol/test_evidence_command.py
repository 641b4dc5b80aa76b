"""`outrider evidence verify` from a shell: exit codes, one line a mistake, media beside it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from protocol import evidence_command
from protocol import evidence_records as er
from protocol.evidence_check import examine
from protocol.evidence_verdict import Memo
from tests.protocol.export import FILE, NOW_MS, Fleet, certificate, key

WHOLE = Fleet().seal(Fleet().records())
ANCHOR, MEMO = Fleet().verify_key, Memo()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An export, the right root and a wrong one."""
    (tmp_path / "whole").write_bytes(WHOLE)
    for name in ("root", "other"):
        found = x509.load_der_x509_certificate(certificate(name))
        (tmp_path / f"{name}.pem").write_bytes(found.public_bytes(Encoding.PEM))
    return tmp_path


def verify(
    capsys: pytest.CaptureFixture[str], *words: str | Path
) -> tuple[int, dict[str, Any], str]:
    code = evidence_command.main([*map(str, words), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def test_whole_and_anchored(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, found, err = verify(capsys, folder / "whole", "--trust", folder / "root.pem")
    assert (code, found["whole"], found["anchored"], err) == (0, True, True, "")
    assert found.keys() >= {"whole", "anchored", "entries", "first_fault"}


def test_without_a_root_it_says_so(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_command, "INSTALLED", ())
    code, found, err = verify(capsys, folder / "whole")
    assert (code, found["whole"], found["anchored"]) == (0, True, False)
    assert "--trust" in err


def test_the_installed_root_counts(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_command, "INSTALLED", (folder / "none", folder / "root.pem"))
    assert verify(capsys, folder / "whole")[1]["anchored"] is True
    monkeypatch.setattr(evidence_command, "INSTALLED", (folder / "other.pem",))
    code, found, _ = verify(capsys, folder / "whole")
    assert (code, found["anchored"], found["first_fault"]["part"]) == (1, False, "certificate")


def test_altered_in_words(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    changed = bytearray(WHOLE)
    changed[-1] ^= 1
    (folder / "changed").write_bytes(changed)
    words = [str(folder / "changed"), "--trust", str(folder / "root.pem")]
    assert evidence_command.main(words) == 1
    out = capsys.readouterr().out
    assert out.startswith("ALTERED: seal: ")
    assert "case 17" in out


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "no"), (b"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----", "certificate"),
     (b"hello", "PEM")],
    ids=["empty", "broken", "other"],
)  # fmt: skip
def test_a_root_that_is_none(
    capsys: pytest.CaptureFixture[str], folder: Path, content: bytes, says: str
) -> None:
    (folder / "bad.pem").write_bytes(content)
    words = [str(folder / "whole"), "--trust", str(folder / "bad.pem")]
    assert evidence_command.main(words) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert says in err


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert evidence_command.main([str(folder / "none"), "--trust", str(folder / "root.pem")]) == 1
    assert "none" in capsys.readouterr().err


def test_media_beside_it(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """A video that somebody cut again is found; one that is not there is nobody's fault."""
    video = b"\x00video" * 1000
    detail = (("file", "a.mp4"), ("sha256", hashlib.sha256(video).hexdigest()))
    fleet = Fleet()
    one = fleet.a
    one.add(replace(FILE, detail=detail))
    n = len(one.entries)
    media = er.Media(one.book, n, "rec-1", "a.mp4", hashlib.sha256(video).digest())
    records = [
        fleet.about(), *fleet.papers(), er.Logbook(one.book, one.enrolment, one.device, n, n, ()),
        er.SealedHead(one.book, NOW_MS, one.heads[-1]), one.logged(n), media,
    ]  # fmt: skip
    # the key that sealed this head was named by an entry that is not in this file
    second = key("car-7 second")
    listed = replace(one, first_key=second.public)
    fleet.a = listed
    records[1:4] = fleet.papers()
    (folder / "order").write_bytes(fleet.seal(records))
    words = (folder / "order", "--trust", folder / "root.pem", "--media", folder)
    assert verify(capsys, *words)[1]["first_fault"] is None
    (folder / "a.mp4").write_bytes(video)
    assert verify(capsys, *words)[0] == 0
    (folder / "a.mp4").write_bytes(video + b"!")
    code, found, _ = verify(capsys, *words)
    assert (code, found["first_fault"]["part"], found["first_fault"]["entry"]) == (1, "media", n)


@given(
    st.lists(
        st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(max_size=6), st.integers(0, 9)),
        min_size=1, max_size=6,
    )
)  # fmt: skip
def test_whatever_is_done_to_it_it_answers(edits: list[tuple[int, bytes, int]]) -> None:
    data = WHOLE
    for at, put, taken in edits:
        data = data[:at] + put + data[at + taken :]
    found = examine(data, ANCHOR, MEMO)
    assert found.whole == (data == WHOLE)
    assert (found.fault is None) == found.whole


@given(st.binary(max_size=400))
def test_any_bytes_are_answered(data: bytes) -> None:
    assert not examine(data).whole
