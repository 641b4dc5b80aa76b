"""N9: a terminal that was off the air for a shift, with an entry for each second of it.

The shift is written into its store beforehand by the agent's own statements, which takes seconds
instead of hours; from the terminal's next start everything is real.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from agent import logbook_file
from agent.logbook_file import Change
from agent.logbook_schema import OPTIONS, SCHEMA
from hil.tcp_proxy import TcpProxy
from protocol import track
from protocol.entry import Entry, Track
from protocol.track import TrackPoint
from protocol.words import TimeTrust
from runtime.store import Store
from tests.authority.fleet import real_now_ms
from tests.chaos.network_faults import is_down, is_up
from tests.chaos.scene import Scene
from tests.rim.daemon import until

SHIFT_S = 8 * 3600
LINE_BYTES_PER_S = 125_000.0  # 1 Mbit/s
DRAINED_S = 300.0
_AT_ONCE = 2_000


def long_silence(scene: Scene, unit: str) -> None:
    """The live position comes first, an order is not starved, the backlog drains."""
    line, terminal, player, desk = (
        scene.line(unit), scene.terminal(unit), scene.players[unit], scene.desk,
    )  # fmt: skip
    line.do(_gone)
    is_down(scene, unit)
    terminal.agent.stop()
    write_shift(terminal.store, real_now_ms() - SHIFT_S * 1000)
    terminal.start()
    player.wait(lambda s: s["link"] == "down" and s["waiting_entries"] >= SHIFT_S, "the backlog")
    healed_s = time.monotonic()
    line.do(_back)
    back_s = scene.is_back(unit, healed_s)
    is_up(scene, unit)
    waiting = player.state["waiting_entries"]
    scene.measured("N9", f"live position, {waiting} entries behind it", back_s, 7.0)
    asked_s = time.monotonic()
    incident = scene.caller.call(terminal.place, 2)
    order = desk.done("assign", incident=incident, unit=unit, reason="test").order
    assert order is not None
    until(lambda: player.card(order), "the order's card")
    behind = player.state["waiting_entries"]
    scene.measured("N9", f"order, {behind} entries behind it", time.monotonic() - asked_s, 10.0)
    assert behind > 0, "the backlog was gone before the order came"
    player.wait(lambda s: s["waiting_entries"] < 60, "the backlog drained", DRAINED_S)
    scene.measured("N9", f"{SHIFT_S} entries drained", time.monotonic() - healed_s, DRAINED_S)
    line.do(TcpProxy.heal)


def _gone(proxy: TcpProxy) -> None:
    proxy.refuse()
    proxy.cut()


def _back(proxy: TcpProxy) -> None:
    proxy.heal()
    proxy.rate_limit(LINE_BYTES_PER_S)


def write_shift(store: Path, begun_ms: int, seconds: int = SHIFT_S) -> None:
    """One boot more, in which each second wrote one entry."""
    with Store(store, SCHEMA, OPTIONS) as file:
        boot = int(str(file.commit_now(logbook_file.read_meta)["boot"])) + 1
        file.commit_now(lambda c: logbook_file.put_meta(c, {"boot": boot}))
        made = _entries(boot, begun_ms, seconds)
        while part := tuple(islice(made, _AT_ONCE)):
            file.commit_now(lambda c, part=part: logbook_file.apply(c, lambda _n: Change(part)))  # type: ignore[misc]


def _entries(boot: int, begun_ms: int, seconds: int) -> Iterator[Entry]:
    for second in range(seconds):
        at_ms = begun_ms + second * 1000
        fix = TrackPoint(at_ms, 24_513_000, 117_647_000 + second % 100, 0, None, 2, 0)
        body = Track(1, 1, track.pack([fix]))
        yield Entry(at_ms, TimeTrust.GNSS, boot, 10_000 + second * 1000, None, body)
