"""Messages that must not be acted on, each with the reason for which it is refused.

A `Forger` makes one from what a stranger has: an enrolled terminal's keys, and whole messages that
it overheard. Used by test_forged.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cbor2

from manager.build import build
from manager.seals import Seals
from protocol import envelope, request
from protocol import position as positions
from protocol.envelope import Kind
from protocol.keys import SealKey
from tests.authority.fleet import FLEET, real_now_ms
from tests.rim.stranger import Stranger
from tests.rim.terminal import PLACE
from tests.rim.world import DESK, World

CLERK = "d03-clerk"
EVIL = "evil"
AT = (PLACE[0] - 0.001, PLACE[1])
ROOT = "outrider/v1"
DEEP = b"\x81" * 200 + b"\x00"


@dataclass
class Loot:
    """What the stranger has: its own keys, and whole messages that it overheard."""

    world: World
    stranger: Stranger
    own: SealKey

    def terminal(self, unit: str, lane: str) -> str:
        return f"{ROOT}/terminal/{FLEET}/t-{unit}/{lane}"

    def request(self, verb: str, manager: str = DESK) -> str:
        return f"{ROOT}/fleet/{FLEET}/request/{manager}/{verb}"

    def overheard(self, unit: str, lane: str) -> bytes:
        return self.stranger.first(self.terminal(unit, lane))

    def enrolment(self, unit: str) -> bytes:
        return self.world.enrolments[f"t-{unit}"]

    def position(self, lat_e7: int = 0) -> bytes:
        """The payload of a position at 0, 0 that is newer than all others."""
        true = positions.decode(cbor2.loads(self.overheard("611", "position"))[2])
        return positions.encode(replace(true, boot=1 << 20, lat_e7=lat_e7, lon_e7=0, fix_kind=2))

    def sealed(self, kind: Kind, unit: str, lane: str, payload: bytes) -> bytes:
        """By the stranger's own key, for that terminal's topic."""
        topic = self.terminal(unit, lane)
        return envelope.seal(kind, topic, self.enrolment(unit), payload, self.own)

    def asked(
        self, manager: str, verb: str = "report", late_ms: int = 0, life_s: int = 30
    ) -> bytes:
        """A request sealed by its manager's own key, moved in time by `late_ms`."""
        fields = {"kind": "theft", "priority": 1, "place": {"lat": AT[0], "lon": AT[1]}}
        made = build(verb, fields, "forged-000001", real_now_ms() - late_ms, life_s)
        return Seals.load(self.world.keys(manager), FLEET, manager).seal(made)[1]


Message = tuple[str, bytes]
Forger = Callable[[Loot], Message]


def unsealed_position(loot: Loot) -> Message:
    return loot.terminal("611", "position"), loot.position()


def forged_position(loot: Loot) -> Message:
    sealed = loot.sealed(Kind.POSITION, "611", "position", loot.position())
    return loot.terminal("611", "position"), sealed


def moved_position(loot: Loot) -> Message:
    return loot.terminal("612", "position"), loot.overheard("611", "position")


def replayed_position(loot: Loot) -> Message:
    return loot.terminal("611", "position"), loot.overheard("611", "position")


def impossible_position(loot: Loot) -> Message:
    payload = loot.position(lat_e7=910_000_000)
    return loot.terminal(EVIL, "position"), loot.sealed(Kind.POSITION, EVIL, "position", payload)


def long_position(loot: Loot) -> Message:
    return loot.terminal("611", "position"), loot.overheard("611", "position") + bytes(300)


def cut_position(loot: Loot) -> Message:
    return loot.terminal("611", "position"), loot.overheard("611", "position")[:-30]


def position_of_nobody(loot: Loot) -> Message:
    return loot.terminal("nobody", "position"), loot.overheard("611", "position")


def flipped_birth(loot: Loot) -> Message:
    birth = bytearray(loot.overheard("611", "link"))
    birth[-70] ^= 1
    return loot.terminal("611", "link"), bytes(birth)


def birth_on_another_lane(loot: Loot) -> Message:
    return loot.terminal("611", "position"), loot.overheard("611", "link")


def forged_birth(loot: Loot) -> Message:
    return loot.terminal("611", "link"), loot.sealed(Kind.BIRTH, "611", "link", b"\x80")


def deep_birth(loot: Loot) -> Message:
    """Sealed by an enrolled terminal with its own key: only what is inside is bad."""
    return loot.terminal(EVIL, "link"), loot.sealed(Kind.BIRTH, EVIL, "link", DEEP)


def long_birth(loot: Loot) -> Message:
    return loot.terminal(EVIL, "link"), loot.sealed(Kind.BIRTH, EVIL, "link", bytes(5000))


def deep_batch(loot: Loot) -> Message:
    return loot.terminal("611", "logbook"), DEEP


def long_batch(loot: Loot) -> Message:
    return loot.terminal("611", "logbook"), cbor2.dumps([b"", [bytes(70_000)]])


def cut_batch(loot: Loot) -> Message:
    return loot.terminal("611", "logbook"), loot.overheard("611", "logbook")[:-5]


def moved_batch(loot: Loot) -> Message:
    return loot.terminal("612", "logbook"), loot.overheard("611", "logbook")


def altered_batch(loot: Loot) -> Message:
    """The sealed head as it was, one bit of an entry beside it changed."""
    sealed_head, entries = cbor2.loads(loot.overheard("611", "logbook"))
    entries[0] = entries[0][:-1] + bytes([entries[0][-1] ^ 1])
    return loot.terminal("611", "logbook"), cbor2.dumps([sealed_head, entries])


def unsealed_request(loot: Loot) -> Message:
    made = build("report", {"kind": "theft", "priority": 1, "place": {"lat": 1.0, "lon": 1.0}},
                 "forged-000002", real_now_ms(), 30)  # fmt: skip
    return loot.request("report"), request.encode(made)


def request_by_another_key(loot: Loot) -> Message:
    return loot.request("report"), loot.asked(CLERK)


def request_on_another_verb(loot: Loot) -> Message:
    return loot.request("cancel"), loot.asked(DESK)


def expired_request(loot: Loot) -> Message:
    return loot.request("report"), loot.asked(DESK, late_ms=31_000)


def early_request(loot: Loot) -> Message:
    return loot.request("report"), loot.asked(DESK, late_ms=-40_000)


def request_of_nobody(loot: Loot) -> Message:
    return loot.request("report", "d99-nobody"), loot.asked(DESK)


CASES: tuple[tuple[Forger, str], ...] = (
    (unsealed_position, "malformed"),
    (forged_position, "bad_seal"),
    (moved_position, "bad_seal"),
    (replayed_position, "replayed"),
    (impossible_position, "out_of_range"),
    (long_position, "too_large"),
    (cut_position, "malformed"),
    (position_of_nobody, "unknown_sender"),
    (flipped_birth, "bad_seal"),
    (birth_on_another_lane, "wrong_kind"),
    (forged_birth, "unknown_key"),
    (deep_birth, "too_deep"),
    (long_birth, "too_large"),
    (deep_batch, "too_deep"),
    (long_batch, "too_large"),
    (cut_batch, "malformed"),
    (moved_batch, "unknown_key"),
    (altered_batch, "chain_broken"),
    (unsealed_request, "malformed"),
    (request_by_another_key, "unknown_key"),
    (request_on_another_verb, "bad_seal"),
    (expired_request, "expired"),
    (early_request, "not_yet_valid"),
    (request_of_nobody, "unknown_sender"),
)
