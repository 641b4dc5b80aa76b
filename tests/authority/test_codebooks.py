"""The fleet's codebook at the authority: only upward, sealed by its role, in a book of any form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from authority import book as books
from authority import command
from authority.office import Office
from matcher.centre_keys import role_keys
from protocol import cbor
from protocol.codebook import open_codebook
from protocol.codebook_fault import WrongCodebook
from protocol.codebook_shipped import shipped_text
from protocol.identities import Role
from tests.authority.fleet import FLEET, NOW_MS, Fleet, real_now_ms
from tests.protocol.codebooks import edited


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def text_of(version: int, *edits: tuple[str, str]) -> str:
    return edited(("version = 1\n", f"version = {version}\n"), *edits, text=shipped_text())


def adopt(fleet: Fleet, text: str) -> tuple[int, tuple[str, ...]]:
    with Office.open(fleet.authority) as office:
        found = office.adopt_codebook(text, NOW_MS)
        office.save(NOW_MS)
    return found


def published(fleet: Fleet) -> tuple[int, str]:
    """Version and text, opened as the matcher opens it."""
    message = (fleet.centre / "codebook.cbor").read_bytes()
    document, book = open_codebook(message, FLEET, role_keys(fleet.trust(), NOW_MS))
    return book.version, document.text


def test_it_is_published_as_it_was_written_and_sealed_again_by_new_keys(fleet: Fleet) -> None:
    assert not (fleet.centre / "codebook.cbor").exists()
    text = text_of(2, ('en = "Theft"', 'en = "Stealing"')) + "# 注释\n"
    assert adopt(fleet, text) == (2, ("kinds.theft: en Theft → Stealing",))
    assert published(fleet) == (2, text)
    before = (fleet.centre / "codebook.cbor").read_bytes()
    with Office.open(fleet.authority) as office:
        office.rotate(NOW_MS, roles=[Role.CONFIGURATION], overlap_hours=0)
        office.save(NOW_MS)
    assert (fleet.centre / "codebook.cbor").read_bytes() != before
    assert published(fleet) == (2, text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (text_of(1), "version: does not rise"),
        (text_of(3), "version: does not rise"),
        (text_of(4, ("[kinds.theft]\n", "[kinds.larceny]\n")), "kinds.theft: has vanished"),
        ("version = 4\n", "is missing"),
    ],
    ids=["older", "the same", "vanished", "no codebook"],
)
def test_what_may_not_follow_changes_nothing(fleet: Fleet, text: str, says: str) -> None:
    adopt(fleet, text_of(3))
    with pytest.raises(WrongCodebook, match=says):
        adopt(fleet, text)
    assert published(fleet)[0] == 3


def test_the_first_follows_the_shipped_one(fleet: Fleet) -> None:
    with pytest.raises(WrongCodebook, match="at least 2"):
        adopt(fleet, shipped_text())
    assert adopt(fleet, text_of(2)) == (2, ())


def test_a_book_of_an_earlier_form_is_read(fleet: Fleet) -> None:
    adopt(fleet, text_of(2))
    now = cbor.decode(books.encode(fleet.book), books.BOOK_BYTES_MAX)
    assert isinstance(now, list)
    assert books.decode(books.encode(fleet.book)) == fleet.book
    for form, parts in ((2, 11), (1, 8)):
        old = books.decode(cbor.encode([form, *now[1:parts]]))
        assert (old.codebook, old.trust) == (b"", fleet.book.trust)
        assert (old.audit_lines > 0) == (form == 2)


def test_the_command_says_version_changes_and_every_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = Fleet(tmp_path, real_now_ms())
    path = tmp_path / "book.toml"
    path.write_text(text_of(2, ("answer_s = 60", "answer_s = 55")), encoding="utf-8")
    where = ["--dir", str(fleet.authority)]
    assert command.main([*where, "codebook", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"codebook": 2, "changes": ["priorities.3: answer_s 60 → 55"]}
    path.write_text("version = 3\nzh = 5\n", encoding="utf-8")
    assert command.main([*where, "codebook", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) > 5
    assert all(line.startswith(f"outrider authority: {path}: ") for line in err.splitlines())
    path.write_bytes(b"\xff")
    assert command.main([*where, "codebook", str(path)]) == 1
    assert "is not UTF-8" in capsys.readouterr().err
