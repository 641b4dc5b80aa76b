"""A fleet at work beside a test: one incident after the other; and what was refused."""

from __future__ import annotations

import threading

from tests.rim.crew import Crew
from tests.rim.daemon import until
from tests.rim.terminal import PLACE
from tests.rim.world import World

AT_611 = (PLACE[0] - 0.001, PLACE[1])  # 611 is the nearest


class Work:
    """Reports, orders and answers one after the other, until told to stop."""

    def __init__(self, world: World) -> None:
        self._world, self.done, self.fault = world, 0, ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Work:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)
        assert not self.fault, self.fault

    def more(self, count: int = 1) -> None:
        """Wait until `count` more incidents were attended to the end."""
        wanted = self.done + count
        until(lambda: self.done >= wanted or self.fault, f"{wanted} attended", 60)
        assert not self.fault, self.fault

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self._attend(self._world.terminals["611"].crews[-1])
                self.done += 1
        except Exception as fault:  # noqa: BLE001  # told by the test's own thread
            self.fault = repr(fault)

    def _attend(self, crew: Crew) -> None:
        desk = self._world.desk
        incident = desk.report(AT_611)
        order = desk.order(incident, "611", "delivered")
        crew.answer(order, "accept")
        crew.order(order, "confirmed", "held")
        for word in ("en-route", "on-scene"):
            crew.answer(order, word)
        crew.answer(order, "clear", disposition="handled")
        desk.incident(incident, "cleared")
        desk.unit("611", lambda p: p["order"] is None and p["status"] == "available")


def nothing_refused(world: World) -> None:
    """At the centre, at the terminals and at the desk."""
    assert world.desk.statistics["refused"] == {}
    assert world.desk.refused_replies() == {}
    for terminal in world.terminals.values():
        assert terminal.crews[-1].status()["refused"] == {}, terminal.unit
