"""The audit log is chained: what is changed, cut or slipped in afterwards shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from authority import audit_log
from authority.acts import Invitee
from authority.office import Office
from runtime.faults import ConfigFault
from tests.authority.fleet import NOW_MS, Fleet

Lines = list[bytes]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    fleet = Fleet(tmp_path)
    for name in ("car-07", "car-08"):
        fleet.enrol(name)
    return fleet


def verify(fleet: Fleet) -> int:
    book = fleet.book
    return audit_log.verify(fleet.authority / "audit.log", book.audit_lines, book.audit_chain)


def test_a_log_that_nobody_touched_is_whole(fleet: Fleet) -> None:
    assert verify(fleet) == 5  # init, two invitations, two approvals
    assert fleet.book.audit_lines == 5


def without(at: int) -> Callable[[Lines], Lines]:
    return lambda lines: lines[:at] + lines[at + 1 :]


def swapped(lines: Lines) -> Lines:
    return [lines[0], lines[2], lines[1], *lines[3:]]


def doubled(lines: Lines) -> Lines:
    return [*lines[:3], lines[2], *lines[3:]]


def unchained(lines: Lines) -> Lines:
    """As if the last act had been written by an older version."""
    return [*lines[:-1], lines[-1].partition(b', "chain"')[0] + b"}"]


@pytest.mark.parametrize(
    "change",
    [*(without(at) for at in range(5)), swapped, doubled, unchained, lambda lines: lines[:2]],
    ids=[*(f"without-{at}" for at in range(5)), "swapped", "doubled", "unchained", "cut"],
)
def test_what_was_done_to_it_shows(fleet: Fleet, change: Callable[[Lines], Lines]) -> None:
    path = fleet.authority / "audit.log"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"".join(line + b"\n" for line in change(lines)))
    with pytest.raises(ConfigFault, match="was changed afterwards"):
        verify(fleet)


def test_no_byte_can_be_changed(fleet: Fleet) -> None:
    path = fleet.authority / "audit.log"
    right = path.read_bytes()
    for at in range(0, len(right), 7):
        if right[at] != ord("\n"):
            path.write_bytes(right[:at] + bytes([right[at] ^ 1]) + right[at + 1 :])
            with pytest.raises(ConfigFault):
                verify(fleet)
    path.write_bytes(right)
    assert verify(fleet) == 5


def test_a_torn_line_gives_way_to_the_next_which_says_so(fleet: Fleet) -> None:
    path = fleet.authority / "audit.log"
    path.write_bytes(path.read_bytes() + b'{"time": "2026-')
    with Office.open(fleet.authority) as office:
        office.invite(Invitee("car-09"), NOW_MS)
        office.save(NOW_MS)
    assert verify(fleet) == 6
    assert b'"torn_bytes": 15' in path.read_bytes().splitlines()[-1]


def test_a_log_from_before_it_was_chained_is_gone_on_with(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    path = fleet.authority / "audit.log"
    path.write_bytes(b'{"time": "2026-01-01", "action": "init"}\n')
    fleet.enrol("car-07")
    assert verify(fleet) == 3
