"""Which names are to be cut off, and what is said where that cannot be proven."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from matcher.broker.cut import LATE_MS, Cutter
from matcher.broker.probe import Prober
from protocol.identities import Identities, Identity, IdentityKind, State
from runtime.clock import SystemClock
from runtime.log import get_log
from tests.authority.fleet import FLEET, Fleet
from tests.broker import free_port


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


@pytest.fixture
def cutter(fleet: Fleet) -> Cutter:
    prober = Prober("127.0.0.1", free_port(), fleet.centre / "root.pem")
    (fleet.centre / "takeover").mkdir()
    return Cutter(prober, fleet.centre / "takeover", FLEET, get_log("test", SystemClock()))


def document(version: int, **states: State) -> Identities:
    kind = IdentityKind.TERMINAL
    listed = tuple(
        Identity(name.rstrip("_"), kind, None, (), name.encode().ljust(16), state, (), (), 0)
        for name, state in states.items()
    )
    return Identities(FLEET, version, 0, listed)


def late(cutter: Cutter, now_ms: int) -> list[str]:
    return asyncio.run(cutter.cut(now_ms))


def test_a_name_without_a_take_over_is_told_of_once(cutter: Cutter) -> None:
    cutter.take(document(1, car=State.ACTIVE), 0)
    cutter.take(document(2, car=State.REVOKED), 1_000)
    assert late(cutter, 2_000) == []
    (text,) = late(cutter, 1_001 + LATE_MS)
    assert text.startswith("car is revoked; its session is not proven gone")
    assert "outrider authority refresh" in text
    assert late(cutter, 60_000) == []


def test_long_gone_names_are_left_alone_those_with_a_pair_are_not(
    cutter: Cutter, fleet: Fleet
) -> None:
    """A matcher that starts: the authority gives a pair as long as a session may be open."""
    for name in ("tls.pem", "tls.key"):
        copy = (fleet.centre / "takeover" / "lost").with_suffix(name[3:])
        copy.write_bytes((fleet.centre / name).read_bytes())
        copy.chmod(0o600)
    cutter.take(document(9, old=State.REVOKED, lost=State.REVOKED), 0)
    (text,) = late(cutter, LATE_MS + 1)
    assert text.startswith("lost is revoked")
    assert "no answer" in text


def test_a_pair_that_comes_later_is_used(cutter: Cutter, fleet: Fleet) -> None:
    """The folder was carried over in two steps, or the authority was asked again."""
    cutter.take(document(9, lost=State.REVOKED), 0)
    assert late(cutter, 60_000) == []
    (fleet.centre / "takeover" / "lost.pem").write_text("not yet whole")
    assert late(cutter, 60_000) == []
    assert len(late(cutter, 60_001 + LATE_MS)) == 1


def test_a_name_enrolled_again_is_not_cut(cutter: Cutter) -> None:
    cutter.take(document(1, car=State.ACTIVE), 0)
    cutter.take(document(2, car=State.REVOKED), 0)
    cutter.take(document(3, car=State.REVOKED, car_=State.ACTIVE), 0)
    assert late(cutter, 60_000) == []
    cutter.take(document(4, car=State.REVOKED, car_=State.REVOKED), 60_000)
    assert len(late(cutter, 120_000)) == 1


def test_a_closed_enrolment_is_not_cut(cutter: Cutter) -> None:
    """Its successor has the name, and takes the session by connecting."""
    cutter.take(document(1, car=State.ACTIVE), 0)
    cutter.take(document(2, car=State.CLOSED, car_=State.ACTIVE), 0)
    assert late(cutter, 60_000) == []
