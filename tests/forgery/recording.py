"""One short run of a real fleet, heard whole by a stranger at the broker, and then stopped.

What stays is what a broker's administrator could keep: every message with its topic. Beside it the
journal, the terminals' stores and all keys, for the tests that play the centre on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from protocol.keys import SealKey
from runtime.key_files import load_private
from tests.authority.fleet import FLEET, real_now_ms
from tests.rim.stranger import Stranger
from tests.rim.terminal import PLACE
from tests.rim.world import DESK, World

CLERK, EVIL = "d03-clerk", "evil"
UNITS = ("611", "612")


@dataclass(frozen=True)
class Recording:
    """`heard`: (topic, payload) in order; `world` is stopped but its files are there."""

    world: World
    heard: tuple[tuple[str, bytes], ...]
    now_ms: int

    def of(self, topic: str, size_max: int = 4096) -> list[bytes]:
        """Different messages of one topic."""
        found = (payload for at, payload in self.heard if at == topic)
        return list(dict.fromkeys(p for p in found if 0 < len(p) <= size_max))

    def terminal(self, unit: str, lane: str) -> str:
        return f"outrider/v1/terminal/{FLEET}/t-{unit}/{lane}"

    def request(self, manager: str, verb: str) -> str:
        return f"outrider/v1/fleet/{FLEET}/request/{manager}/{verb}"

    def reply(self, manager: str) -> str:
        return f"outrider/v1/fleet/{FLEET}/reply/{manager}"

    def seal_key(self, name: str) -> SealKey:
        return SealKey(load_private(self.world.keys(name) / "seal.key"))

    def role_key(self, role: str) -> SealKey:
        return SealKey(load_private(self.world.fleet.centre / f"{role}.key"))

    def enrolment(self, name: str) -> bytes:
        return self.world.enrolments[name]

    def store(self, unit: str) -> Path:
        return self.world.terminals[unit].store


@contextmanager
def recorded() -> Iterator[Recording]:
    managers = {DESK: ("dispatcher", "supervisor"), CLERK: ("intake",)}
    with World(*UNITS, managers=managers, keys_only=(EVIL,)) as world:
        world.start_centre()
        world.grant(f"user {FLEET}.t-{EVIL}\ntopic readwrite #\n")
        stranger = Stranger(world.keys(f"t-{EVIL}"), f"{FLEET}.t-{EVIL}", world.broker.port)
        world.keep(stranger)
        stranger.listen("#")
        world.start_terminals()
        world.desk.connected()
        world.log_on()
        clerk = world.add_desk(CLERK).connected()
        _live(world)
        clerk.report((PLACE[0], PLACE[1]))
        _enough(world, stranger)
        for terminal in world.terminals.values():
            assert terminal.agent.stop() == 0
        assert world.matcher.stop() == 0
        heard = tuple((one.topic, one.payload) for one in stranger.heard)
        yield Recording(world, heard, real_now_ms())


def _live(world: World) -> None:
    """Every verb of the desk, and one order's whole life."""
    desk, crew = world.desk, world.crew("611")
    incident = desk.report((PLACE[0] - 0.001, PLACE[1]))
    order = desk.order(incident, "611", "delivered")
    crew.answer(order, "accept")
    crew.order(order, "confirmed", "held")
    for word in ("en-route", "on-scene", "clear"):
        crew.answer(order, word)
    desk.incident(incident, "cleared")
    for unit, on in (("611", True), ("612", True), ("611", False), ("612", False)):
        desk.done("hold", unit=unit, on=on)
    second = desk.report((PLACE[0], PLACE[1]), priority=2)
    desk.done("assign", incident=second, unit="612")
    desk.done("release", incident=second, unit="612")
    desk.done("cancel", incident=second)
    for status in ("out_of_service", "available", "busy", "available", "off_duty"):
        desk.done("status", unit="612", status=status)


def _enough(world: World, stranger: Stranger) -> None:
    """Until each terminal's positions and batches were heard often enough."""

    def heard(unit: str, lane: str) -> Callable[[], bool]:
        topic = f"outrider/v1/terminal/{FLEET}/t-{unit}/{lane}"
        return lambda: len({h.payload for h in list(stranger.heard) if h.topic == topic}) >= 6

    for unit in UNITS:
        for lane in ("position", "logbook"):
            world.desk.wait(heard(unit, lane), f"six of {unit}'s {lane}")
