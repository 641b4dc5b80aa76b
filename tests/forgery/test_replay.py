"""All that was recorded, said again: after a restart, retained, a day later, to a new enrolment."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from authority import ceremony
from authority.acts import Invitee
from protocol.identities import IdentityKind
from runtime.clock import ManualClock
from tests.authority.fleet import real_now_ms
from tests.forgery.in_hand import CentreInHand
from tests.forgery.material import centre_refuses
from tests.forgery.recording import CLERK, UNITS, Recording
from tests.rim.world import DESK

pytestmark = [pytest.mark.xdist_group("forgery"), pytest.mark.timeout(600)]


def replayed(
    recording: Recording, folder: Path, clock: ManualClock, **how: bool
) -> tuple[Counter[str], bool]:
    """All that was heard, again and in reverse; (counts, whether anything changed)."""

    async def feed() -> tuple[Counter[str], bool]:
        centre = await CentreInHand(recording.world.matcher_config, folder, clock).take_over()
        before = centre.marks()
        for topic, payload in (*recording.heard, *reversed(recording.heard)):
            if payload and ("/terminal/" in topic or "/request/" in topic):
                await centre.hear(topic, payload, **how)
        after = centre.marks()
        centre.close()
        return centre.refused, after != before

    refused, has_changed = asyncio.run(feed())
    return refused, has_changed


def test_all_of_it_again_after_a_restart_changes_nothing(
    recording: Recording, clock: ManualClock, tmp_path: Path
) -> None:
    """Positions are refused; batches, births and requests in time get their answer of then."""
    refused, has_changed = replayed(recording, tmp_path / "centre", clock)
    assert not has_changed
    heard = [topic for topic, payload in recording.heard if topic.endswith("/position")]
    assert refused["replayed"] == 2 * len(heard)
    assert refused["handler_fault"] == 0


def test_retained_none_of_it_counts(
    recording: Recording, clock: ManualClock, tmp_path: Path
) -> None:
    refused, has_changed = replayed(recording, tmp_path / "centre", clock, retained=True)
    assert not has_changed
    assert set(refused) == {"retained"}


def test_a_day_later_requests_have_expired(
    recording: Recording, clock: ManualClock, tmp_path: Path
) -> None:
    clock.advance(86_400_000)
    refused, has_changed = replayed(recording, tmp_path / "centre", clock)
    asked = [topic for topic, payload in recording.heard if "/request/" in topic and payload]
    assert not has_changed
    assert refused["expired"] == 2 * len(asked)


def test_what_was_recorded_before_a_new_enrolment_is_dead(
    recording: Recording, clock: ManualClock, tmp_path: Path
) -> None:
    """Last in this file: the name is the same, the enrolment and its keys are not."""
    names = [*(f"t-{unit}" for unit in UNITS), DESK, CLERK]
    roles = {DESK: ("dispatcher",), CLERK: ("intake",)}
    members = [
        ceremony.Member(
            Invitee(name, IdentityKind.MANAGER, f"person of {name}", roles[name])
            if name in roles
            else Invitee(name, IdentityKind.TERMINAL),
            tmp_path / name,
        )
        for name in names
    ]
    ceremony.enrol_all(recording.world.fleet.authority, members, real_now_ms())
    crafted = [(topic, payload) for topic, payload in recording.heard
               if payload and ("/terminal/" in topic or "/request/" in topic)]  # fmt: skip
    refused = centre_refuses(recording, tmp_path / "centre", clock, crafted)
    assert set(refused) <= {"bad_seal", "unknown_key", "unknown_topic"}
