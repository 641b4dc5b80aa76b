"""The terminal: its state, changed only by decisions that are committed first.

One decision at a time passes `decide -> commit -> state -> watchers`, so what is on disk, on the
screen and on its way agree after a kill at any instant. A full disk changes nothing: the caller
hears `StoreFull`, and it is told in one line when that begins and ends. Callers: uplink (messages),
devices (crew, device events), gnss task (fixes), all in the one loop.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from agent.core import state_rows, terminal
from agent.core.arrival import Claim
from agent.core.now import Now
from agent.core.positions import here_of
from agent.core.terminal import Decision, State
from agent.logbook import Logbook
from agent.logbook_chain import Row
from agent.logbook_file import Change, EventSeen
from agent.room import Room
from agent.timekeeper import Timekeeper
from protocol import device
from protocol.dispatch import Numbered
from protocol.entry import Alarm, Body, Entry, Here
from protocol.order import AnswerMeans
from protocol.window import Take
from runtime.faults import StoreBusy, StoreFull
from runtime.log import get_log

log = get_log("terminal")

STORE_FULL: Final = "store_full"
ROOM_AGAIN_MS: Final = 10_000  # after a try that made none
ROOM_STEPS_MAX: Final = 4
Watcher = Callable[[], None]
StatusWatcher = Callable[[device.SetStatus], None]
Complete = Callable[[device.Event], tuple[device.Event, Mapping[str, object]]]
HereNow = Callable[[Now], Here | None]


class Terminal:
    """`state` is what is committed; read it freely, change it through the methods only."""

    def __init__(
        self, logbook: Logbook, timekeeper: Timekeeper, state: State, here: HereNow
    ) -> None:
        self.logbook, self.timekeeper, self.state = logbook, timekeeper, state
        self._here = here
        self._turn = asyncio.Lock()
        self._watchers: list[Watcher] = []
        self._idle_watchers: list[Watcher] = []
        self._status_watchers: list[StatusWatcher] = []
        self.complete: Complete | None = None  # what a device's event is kept with
        self._is_full = False
        self._no_room_ms = -ROOM_AGAIN_MS
        self._room = Room(logbook, lambda body: Change((self.entry(body),)))

    def on_change(self, watcher: Watcher) -> None:
        """Call `watcher` after each change of orders, status, link or position's presence."""
        self._watchers.append(watcher)

    def on_status(self, watcher: StatusWatcher) -> None:
        """Call `watcher` with each status that the crew has set, the same again too."""
        self._status_watchers.append(watcher)

    def on_stir(self, watcher: Watcher) -> None:
        """Call `watcher` after changes that may come in floods and can wait: figures."""
        self._idle_watchers.append(watcher)

    def changed(self) -> None:
        for watcher in self._watchers:
            watcher()

    def stirred(self) -> None:
        for watcher in self._idle_watchers:
            watcher()

    @property
    def is_store_full(self) -> bool:
        return self._is_full

    async def take(self, numbered: Numbered) -> None:
        """Keep a dispatch message with its `delivered` entry; back once both are synced.

        Raises Refused (not taken), StoreFull (nothing happened: it must come again).
        """
        async with self._turn:
            now = self.timekeeper.now()
            is_new = self.state.window.judge(numbered.term, numbered.counter) is Take.NEW
            decided = [terminal.take_dispatch(self.state, numbered, now)]
            if not is_new:
                return

            def make(first_n: int) -> Change:
                decided[:] = [terminal.take_dispatch(self.state, numbered, now, first_n)]
                return self._change(decided[0], now)

            await self.commit(make)
            self._settle(decided[0])

    async def raise_term(self, term: int) -> None:
        """A welcome named a higher term. Raises StoreFull."""
        async with self._turn:
            window = self.state.window.raised(term)
            if window != self.state.window:
                after = State(self.state.crew, self.state.desk, window)
                await self._commit_decision(Decision(after), self.timekeeper.now())

    async def time_trusted(self) -> None:
        """Show what waited for trusted time, close what has run out. Raises StoreFull."""
        async with self._turn:
            now = self.timekeeper.now()
            decision = terminal.release(self.state, now)
            after = terminal.tick(decision.state, now)
            if decision.bodies or after is not self.state:
                await self._commit_decision(Decision(after, decision.bodies), now)

    async def event(self, event: device.Event) -> None:
        """Keep a device's event; back once it is synced, or at once for one that was kept before.

        Raises Refused (no entry can hold it), StoreFull.
        """
        meta: Mapping[str, object] = {}
        if self.complete is not None:
            event, meta = self.complete(event)
        now = self.timekeeper.now()
        body = terminal.event_body(self.state, event, self._here(now))
        seen = (event.device, event.boot, event.event)
        change = Change((self._entry(body, now),), meta, seen=seen)
        try:
            await self.commit(lambda _n: change)
        except EventSeen:
            log.debug("event_repeated", device=event.device, number=event.event)

    async def log_on(self, command: device.Logon) -> int:
        """Returns the log-on number. Raises Refused, StoreFull."""
        async with self._turn:
            now = self.timekeeper.now()
            decided: list[Decision] = []

            def make(first_n: int) -> Change:
                decided[:] = [terminal.log_on(self.state, command, first_n)]
                return self._change(decided[0], now)

            rows = await self.commit(make)
            self._settle(decided[0])
            return rows[-1].n if rows else self.state.crew.logon or 0

    async def crew(
        self, command: device.Logoff | device.SetStatus | device.Answer | device.Reply
    ) -> int:
        """The number of the command's entry. Raises CrewRefused, Refused, StoreFull."""
        async with self._turn:
            now = self.timekeeper.now()
            match command:
                case device.Logoff():
                    decision = terminal.log_off(self.state, command)
                case device.SetStatus():
                    decision = terminal.set_status(self.state, command)
                case device.Answer():
                    decision = terminal.answer(self.state, command, self._here(now))
                case device.Reply():
                    decision = terminal.reply(self.state, command)
            rows = await self._commit_decision(decision, now)
        if isinstance(command, device.SetStatus):
            for watcher in self._status_watchers:
                watcher(command)
        return rows[-1].n

    async def claimed(self, claim: Claim) -> None:
        """What the fixes say of an order; it happened when the entry's `here` was taken.

        Raises CrewRefused where the order has moved on, StoreFull.
        """
        async with self._turn:
            now = self.timekeeper.now()
            command = device.Answer.model_validate(
                {"order": claim.order, "answer": claim.answer.word}
            )
            here = here_of(claim.fix, claim.since_ms, now)
            decision = terminal.answer(self.state, command, here, AnswerMeans.AUTOMATIC)
            await self._commit_decision(decision, now)

    async def chimed(self, order: str, revision: int) -> None:
        """The screen has sounded for it: after a restart it does not again. Raises StoreFull."""
        async with self._turn:
            after = terminal.chimed(self.state, order, revision)
            if after is not self.state:
                await self._commit_decision(Decision(after), self.timekeeper.now())

    async def note(self, *bodies: Body) -> bool:
        """Entries that hang on no decision (track, alarm, health); False where there is no room."""
        now = self.timekeeper.now()
        entries = tuple(self._entry(body, now) for body in bodies)
        try:
            await self.commit(lambda _n: Change(entries))
        except (StoreFull, StoreBusy):
            return False
        return True

    async def note_track(self, *bodies: Body) -> bool:
        """As `note`, and the scratch record that held the same fixes goes with it."""
        now = self.timekeeper.now()
        entries = tuple(self._entry(body, now) for body in bodies)
        try:
            await self.commit(lambda _n: Change(entries, drop_scratch=True))
        except (StoreFull, StoreBusy):
            return False
        return True

    async def commit(self, make: Callable[[int], Change]) -> tuple[Row, ...]:
        """One transaction of the logbook; tells once that the disk is full, and once that not."""
        try:
            rows = await self._commit_with_room(make)
        except (StoreFull, StoreBusy) as fault:
            if not self._is_full:
                self._is_full = True
                log.error("store_full", reason=str(fault))
            raise
        if self._is_full:
            self._is_full = False
            log.info("store_has_room")
            self.logbook.hold_reserve()
            await self.note(Alarm(STORE_FULL, "no entry could be kept for a while; kept again now"))
        return rows

    async def _commit_with_room(self, make: Callable[[int], Change]) -> tuple[Row, ...]:
        """On a full disk what is at the centre gives way, however young; then old track."""
        steps = ROOM_STEPS_MAX
        while True:
            try:
                return await self.logbook.commit(make)
            except StoreFull:
                now_ms = self.timekeeper.uptime_ms()
                if now_ms - self._no_room_ms < ROOM_AGAIN_MS:
                    raise
                steps -= 1
                if steps < 0 or not await self._room.made():
                    self._no_room_ms = now_ms
                    raise

    def entry(self, body: Body) -> Entry:
        """An entry of now, for a change made elsewhere."""
        return self._entry(body, self.timekeeper.now())

    def _entry(self, body: Body, now: Now) -> Entry:
        logon = terminal.logon_of(body, self.state.crew.logon)
        return Entry(now.utc_ms, now.trust, self.logbook.boot, now.uptime_ms, logon, body)

    def _change(self, decision: Decision, now: Now) -> Change:
        rows = state_rows.rows_between(self.state, decision.state)
        entries = tuple(self._entry(body, now) for body in decision.bodies)
        return Change(entries, rows.meta, rows.cards, rows.cancels)

    async def _commit_decision(self, decision: Decision, now: Now) -> tuple[Row, ...]:
        change = self._change(decision, now)
        rows = await self.commit(lambda _n: change)
        self._settle(decision)
        return rows

    def _settle(self, decision: Decision) -> None:
        before, self.state = self.state, decision.state
        if before is not decision.state:
            self.changed()
