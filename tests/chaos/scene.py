"""A small fleet under faults: real processes, lines that fail, crews that play, calls that come.

    with Scene("601", "602", seed=1, lined=("601",)) as scene:
        scene.start()
        scene.line("601").do(TcpProxy.cut)
        scene.settle()
        scene.check()

`check` copies the journal, each terminal's store (its daemon stands still for the instant of the
copy, so what is copied is what a power cut would leave), the journal once more, and asks
bench/checker.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.checker import Evidence, find_faults
from bench.invariants import Journal
from tests.authority.fleet import BrokerKeys, real_now_ms
from tests.broker import Broker
from tests.chaos.caller import Caller
from tests.chaos.lines import Line, Lines
from tests.chaos.player import Player
from tests.pki import Identity
from tests.rim.daemon import until
from tests.rim.desk import Desk, Json
from tests.rim.terminal import Setting, Terminal
from tests.rim.world import World, is_live

START_S = 60.0
BUSY_FACTOR = 2.0
SETTLE_S = 90.0
FIGURES = "OUTRIDER_CHAOS_FIGURES"  # a file to which measured times are appended
_GNSS_HZ = "1"
PATIENCE_MS = 90_000  # the longest fault takes a terminal away for half a minute


class Scene:
    """`lined`: units whose terminal reaches the broker over a line of its own."""

    def __init__(
        self, *units: str, seed: int, lined: tuple[str, ...] = (), keys_only: tuple[str, ...] = ()
    ) -> None:
        self.world = World(*units, keys_only=keys_only)
        self.seed, self.rng = seed, random.Random(seed)
        self.lines = Lines(self.world.broker.port, *lined)
        self.players: dict[str, Player] = {}
        self.open_max = max(1, len(units) - 1)
        self.may_be_unanswered = False  # calls whose requester gave up are no fault
        self._caller: Caller | None = None
        self._journal = Journal(self.world.journal)
        self._entered = contextlib.ExitStack()
        for terminal in self.world.terminals.values():
            argv = terminal.receiver.argv
            argv[argv.index("--hz") + 1] = _GNSS_HZ
            self.tune(terminal.unit, "broker", connect_timeout_s=3)
            self.tune(terminal.unit, "report", policy="interval")  # one a second, parked or not

    def __enter__(self) -> Self:
        self._entered.enter_context(self.world)
        self._entered.enter_context(self.lines)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._caller is not None and kind is None:
            self._caller.stop()
        for player in self.players.values():
            player.stop()
        self._entered.close()

    # --- setting up ------------------------------------------------------------------------------

    def tune(self, unit: str, table: str, **values: Setting) -> None:
        """Other settings of a terminal; they hold from its next start."""
        self.world.terminals[unit].settings[table] |= values

    def start(self, *, calls: bool = True) -> Self:
        """All of it, until every unit shows live at the desk; then calls come."""
        for unit, terminal in self.world.terminals.items():
            if unit in self.lines:
                self.tune(unit, "broker", port=self.lines[unit].port)
            self.players[unit] = Player(unit, terminal.socket, random.Random(self.rng.random()))
        self.world.start()
        places = [terminal.place for terminal in self.world.terminals.values()]
        rng = random.Random(self.rng.random())
        self._caller = Caller(self.desk, places, rng, self._may_call)
        for unit in self.players:
            self._wait_live(unit)
        if calls:
            self.caller.go_on()
        return self

    def _wait_live(self, unit: str) -> None:
        try:
            self.desk.unit(unit, is_live, START_S)
        except AssertionError as cause:
            raise AssertionError(f"{unit}: {self.terminal(unit).agent.tail()}") from cause

    # --- parts -----------------------------------------------------------------------------------

    @property
    def desk(self) -> Desk:
        return self.world.desk

    @property
    def caller(self) -> Caller:
        assert self._caller is not None, "start comes first"
        return self._caller

    def line(self, unit: str) -> Line:
        return self.lines[unit]

    def terminal(self, unit: str) -> Terminal:
        return self.world.terminals[unit]

    def journal(self) -> Journal:
        """As far as it is committed now."""
        self._journal.follow()
        return self._journal

    def _may_call(self) -> bool:
        return len(self.journal().open_incidents) < self.open_max

    def another_broker(self, *options: str, server: Identity | None = None) -> Broker:
        """The broker ends at once; another with further `options` takes its port."""
        old, world = self.world.broker, self.world
        old.kill()
        keys = BrokerKeys(world.fleet.authority / "broker")
        lists = (f"crlfile {world.folder / 'lists' / 'crl.pem'}", "max_packet_size 131072")
        world.broker = Broker(
            world.folder / "broker", keys, server=server, acl=old.acl_file.read_text(),
            options=(*lists, *options),
        )  # fmt: skip
        world.broker.port = old.port
        return world.broker.start()

    # --- waiting ---------------------------------------------------------------------------------

    def is_back(self, unit: str, since_s: float, timeout_s: float = 20.0) -> float:
        """Seconds from `since_s` (monotonic) until a position of later shows at the desk."""
        since_ms = real_now_ms() - round((time.monotonic() - since_s) * 1000)
        self.desk.unit(unit, lambda p: _ms(p.get("position_time")) > since_ms, timeout_s)
        return time.monotonic() - since_s

    def orders_done(self, count: int = 1, timeout_s: float = SETTLE_S) -> None:
        """So many further orders are worked off: the service goes on."""
        wanted = self.journal().states()["cleared"] + count
        until(lambda: self.journal().states()["cleared"] >= wanted, "orders cleared", timeout_s)

    def settle(self, timeout_s: float = SETTLE_S) -> None:
        """No call more; every incident closed, every entry receipted."""
        self.caller.pause()
        self._journal.follow()
        until(
            lambda: not self.journal().open_incidents,
            f"all incidents closed: {self.desk.summary()}", timeout_s,
        )  # fmt: skip
        for unit, player in self.players.items():
            if self.terminal(unit).agent.is_alive:
                player.wait(lambda s: s["waiting_entries"] == 0, "all receipted", timeout_s)

    # --- judging ---------------------------------------------------------------------------------

    def check(self, *expected: str, may_be_open: bool = False) -> None:
        """Every promise holds; `expected` are the reasons for which messages were refused."""
        with self.evidence(frozenset(expected), may_be_open) as evidence:
            faults = find_faults(evidence)
        said = self._alarming()
        if said and not {"handler_fault"} & set(expected):
            faults["daemons"] = said
        assert faults == {}, f"seed {self.seed}: {json.dumps(faults, indent=1)}"

    def _alarming(self) -> list[str]:
        """What no daemon may ever say, whatever is done to it from outside."""
        daemons = (self.world.matcher, *(t.agent for t in self.world.terminals.values()))
        return [
            f"{daemon.name}: {line}"
            for daemon in daemons
            for line in daemon.lines
            if "event=poison" in line or "Traceback" in line or "event=failed" in line
        ]

    @contextlib.contextmanager
    def evidence(
        self, expected: frozenset[str] = frozenset(), may_be_open: bool = False
    ) -> Iterator[Evidence]:
        """What there is to look at now, copied; gone afterwards."""
        folder = self.world.folder / "evidence"
        folder.mkdir()
        desk = list(self.desk.history)
        refused = dict(self.desk.statistics.get("refused", {}))
        earlier = _backed_up(self.world.journal, folder / "earlier.db")
        stores = {
            terminal.device: _copied(terminal, folder)
            for terminal in self.world.terminals.values()
            if terminal.store.exists()
        }
        journal = _backed_up(self.world.journal, folder / "journal.db")
        screens = {unit: player.screen for unit, player in self.players.items()}
        try:
            yield Evidence(
                journal, stores, screens, desk, dict(self.caller.asked), refused, expected,
                earlier, may_be_open, self.may_be_unanswered, PATIENCE_MS,
            )  # fmt: skip
        finally:
            shutil.rmtree(folder)

    def check_at_the_end(self) -> None:
        """The journal decides again what it decided, and its state is the one that was lived."""
        live = self.world.live_state()
        assert live in self.world.ask_journal("replay")
        assert "whole" in self.world.ask_journal("verify")

    def measured(self, fault: str, what: str, value: float, limit: float) -> None:
        """A recovery, told where figures are collected; `limit` in seconds, twice that if need be:

        the suite's worlds share two cores with each other, and a late second is no broken promise.
        """
        told = os.environ.get(FIGURES)
        if told:
            line = {"fault": fault, "what": what, "s": round(value, 2), "limit_s": limit}
            with Path(told).open("a") as file:
                file.write(json.dumps(line) + "\n")
        assert value <= BUSY_FACTOR * limit, f"{fault}: {what} after {value:.1f} s, not {limit:g}"

    def refused_by(self, unit: str, reason: str) -> int:
        """What a terminal's screen says that it refused."""
        return int(self.players[unit].state["refused"].get(reason, 0))


def _backed_up(journal: Path, copy: Path) -> Path:
    with (
        closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as live,
        closing(sqlite3.connect(copy)) as target,
    ):
        live.backup(target)
    return copy


def _copied(terminal: Terminal, folder: Path) -> Path:
    """The store's files as they are at one instant, the daemon's pages in the kernel included."""
    copy, source = folder / terminal.store.name, terminal.store
    is_alive = terminal.agent.is_alive
    if is_alive:
        terminal.agent.signal(signal.SIGSTOP)
        until(lambda: _state_of(terminal.agent.pid) == "T", "the agent stands still")
    try:
        shutil.copy(source, copy)
        wal = source.with_name(source.name + "-wal")
        if wal.exists():
            shutil.copy(wal, folder / wal.name)
    finally:
        if is_alive:
            terminal.agent.signal(signal.SIGCONT)
    return copy


def _state_of(pid: int) -> str:
    """A process's state letter."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _ms(iso: Any) -> int:
    return 0 if iso is None else round(datetime.fromisoformat(str(iso)).timestamp() * 1000)


__all__ = ["Json", "Scene"]
