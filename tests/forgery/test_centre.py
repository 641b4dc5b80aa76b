"""A hundred thousand messages crafted from real ones: the centre acts on none, each is counted.

The real ones were recorded at the broker of a real run; the centre that hears the crafted ones goes
on from that run's journal, by the same code as in service.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import cbor2
import pytest

from manager.build import build
from manager.seals import Seals
from protocol import envelope
from protocol import request as rq
from protocol.envelope import Kind
from protocol.identities import Role
from runtime.clock import ManualClock
from tests.authority.fleet import FLEET
from tests.forgery.crafted import flips, forms, is_batch, resealed, with_kid_of
from tests.forgery.material import Message, centre_refuses, real, to_terminals
from tests.forgery.recording import CLERK, EVIL, UNITS, Recording
from tests.rim.world import DESK

pytestmark = [pytest.mark.xdist_group("forgery"), pytest.mark.timeout(600)]

LANES = ("position", "logbook", "link")
CRAFTED_MIN = 100_000
COUNTS: Counter[str] = Counter()  # by reason, over the tests of this file


def refuses(
    recording: Recording, folder: Path, clock: ManualClock, crafted: Iterable[Message]
) -> Counter[str]:
    refused = centre_refuses(recording, folder, clock, crafted)
    COUNTS.update(refused)
    return refused


def test_fifty_real_messages_are_the_material(recording: Recording) -> None:
    assert len(real(recording)) + len(to_terminals(recording)) >= 50
    kinds = {envelope.peek(cbor2.loads(m)[0] if is_batch(m) else m)[0]
             for _, m in (*real(recording), *to_terminals(recording))}  # fmt: skip
    assert kinds >= {Kind.POSITION, Kind.BATCH, Kind.BIRTH, Kind.REQUEST, Kind.DISPATCH,
                     Kind.WELCOME, Kind.RECEIPT}  # fmt: skip


def test_every_flipped_bit_is_refused_by_the_centre(
    recording: Recording, clock: ManualClock, tmp_path: Path
) -> None:
    crafted = ((topic, one) for topic, message in real(recording) for one in flips(message))
    refused = refuses(recording, tmp_path / "centre", clock, crafted)
    assert refused.total() == sum(8 * len(message) for _, message in real(recording))
    assert {"bad_seal", "malformed", "unknown_key", "wrong_algorithm"} <= set(refused)


def test_every_other_form_is_refused_by_the_centre(
    recording: Recording, clock: ManualClock, tmp_path: Path
) -> None:
    """Cuts, wrong or no algorithm, two key ids, tags, malleable and small-order signatures."""
    crafted = ((topic, one) for topic, message in real(recording) for one in forms(message))
    refuses(recording, tmp_path / "centre", clock, crafted)


def wrong_places(recording: Recording) -> Iterator[Message]:
    """Each real message on every topic of the centre that is not its own."""
    places = [recording.terminal(unit, lane) for unit in (*UNITS, EVIL, "999") for lane in LANES]
    places += [recording.request(m, verb) for m in (DESK, CLERK, "d99-no") for verb in rq.VERBS]
    places += [recording.terminal("611", "order"), "outrider/v1/terminal/other/t-611/position"]
    places += ["outrider/v1/fleet/other/request/d01-desk/hold", "outrider/v1/x", "#", ""]
    for topic, message in real(recording):
        yield from ((place, message) for place in places if place != topic)


def test_on_no_other_topic_is_a_real_message_acted_on(
    recording: Recording, clock: ManualClock, tmp_path: Path
) -> None:
    """Cross-topic, cross-terminal, cross-fleet, cross-verb, cross-manager."""
    refuses(recording, tmp_path / "centre", clock, wrong_places(recording))


def wrong_keys(recording: Recording) -> Iterator[Message]:
    """Each payload sealed anew by every key but its own, as itself and claiming the real key."""
    owners = [*(f"t-{unit}" for unit in (*UNITS, EVIL)), DESK, CLERK]
    keys = {name: recording.seal_key(name) for name in owners}
    keys |= {role.value: recording.role_key(role.value) for role in (Role.DISPATCH, Role.RECEIPT)}
    for topic, message in real(recording):
        owner = topic.split("/")[4 if "/terminal/" in topic else 5]
        inner = cbor2.loads(message)[0] if is_batch(message) else message
        kind = envelope.peek(inner)[0]
        for name, key in keys.items():
            if name == owner:
                for wrong in set(Kind) - {kind, Kind.POSITION}:
                    yield topic, resealed(message, topic, recording.enrolment(owner), key, wrong)
                yield topic, resealed(message, topic, bytes(16), key, kind)
                yield topic, resealed(message, topic, recording.enrolment(f"t-{EVIL}"), key, kind)
                continue
            forged = resealed(message, topic, recording.enrolment(owner), key, kind)
            yield topic, forged
            yield topic, with_kid_of(forged, message)


def test_no_other_key_kind_or_enrolment_is_believed(
    recording: Recording, clock: ManualClock, tmp_path: Path
) -> None:
    """Cross-role and cross-enrolment; the centre's own role keys cannot speak for a terminal."""
    refuses(recording, tmp_path / "centre", clock, sorted(set(wrong_keys(recording))))


def forged_requests(recording: Recording) -> Iterator[Message]:
    """What the broker's administrator can say for every verb and manager, without their keys."""
    fields: dict[str, dict[str, object]] = {
        "report": {"kind": "theft", "priority": 1, "place": {"lat": 24.5, "lon": 117.6}},
        "cancel": {"incident": "i-2-1"},
        "assign": {"incident": "i-2-1", "unit": "611"},
        "release": {"incident": "i-2-1", "unit": "611"},
        "hold": {"unit": "611", "on": True},
        "status": {"unit": "611", "status": "off_duty"},
        "acknowledge": {"alert": "a-1"},
        "add": {"incident": "i-2-1"},
        "reassign": {"incident": "i-2-1", "unit": "611"},
        "close": {"incident": "i-2-1", "disposition": "handled"},
        "reopen": {"incident": "i-2-1"},
        "answer": {"order": "o-2-1", "answer": "accept"},
        "mode": {"priority": 1, "mode": "recommend"},
        "update": {"incident": "i-2-1", "priority": 4},
        "merge": {"incident": "i-2-2", "into": "i-2-1"},
        "unmerge": {"incident": "i-2-2"},
        "message": {"unit": "611", "text": "stand down"},
        "logon": {"unit": "611", "crew": ["9999"]},
        "logoff": {"unit": "611"},
        "note": {"remove": "p-1-1"},
        "sos-test": {"terminal": "t-611"},
        "exercise": {"unit": "611", "on": True},
        "visibility": {"unit": "611", "visibility": "covert", "group": "drugs"},
    }
    for verb in rq.VERBS:
        for manager in (DESK, CLERK):
            topic = recording.request(manager, verb)
            asked = build(verb, fields[verb], f"forged-{verb}-01", recording.now_ms, 30)
            payload, enrolment = rq.encode(asked), recording.enrolment(manager)
            yield topic, payload
            for name in (f"t-{EVIL}", "t-611", CLERK if manager == DESK else DESK):
                forged = envelope.seal(
                    Kind.REQUEST, topic, enrolment, payload, recording.seal_key(name)
                )
                yield topic, forged
                for sample in recording.of(recording.request(manager, "report"))[:1]:
                    yield topic, with_kid_of(forged, sample)
            for role in (Role.DISPATCH, Role.RECEIPT):
                key = recording.role_key(role.value)
                yield topic, envelope.seal(Kind.REQUEST, topic, enrolment, payload, key)


def test_the_brokers_administrator_can_use_no_verb(
    recording: Recording, clock: ManualClock, tmp_path: Path
) -> None:
    crafted = list(forged_requests(recording))
    assert len({topic.rsplit("/", 1)[1] for topic, _ in crafted}) == len(rq.VERBS)
    refuses(recording, tmp_path / "centre", clock, crafted)


def test_a_verb_needs_its_role_and_its_time(
    recording: Recording, clock: ManualClock, tmp_path: Path
) -> None:
    """Sealed rightly, by a person without the role; late, early, or valid for too long."""
    clerk = Seals.load(recording.world.keys(CLERK), FLEET, CLERK)
    desk = Seals.load(recording.world.keys(DESK), FLEET, DESK)
    hold: dict[str, object] = {"unit": "611", "on": True}
    now_ms = recording.now_ms
    crafted = [
        clerk.seal(build("hold", hold, "no-role-0001", now_ms, 30)),
        desk.seal(build("hold", hold, "too-late-0001", now_ms - 31_000, 30)),
        desk.seal(build("hold", hold, "too-early-001", now_ms + 31_000, 30)),
        desk.seal(build("hold", hold, "too-long-0001", now_ms, 30)
                  .model_copy(update={"expires_ms": now_ms + 61_000})),
    ]  # fmt: skip
    refused = refuses(recording, tmp_path / "centre", clock, crafted)
    assert refused == {"wrong_role": 1, "expired": 1, "not_yet_valid": 1, "out_of_range": 1}


def test_a_hundred_thousand_in_all() -> None:
    """Of this file's tests together; on its own it has nothing to count."""
    if not COUNTS:
        pytest.skip("counts what the tests before it crafted")
    print(dict(COUNTS))  # noqa: T201 - figures for docs/figures.md
    assert COUNTS.total() >= CRAFTED_MIN
