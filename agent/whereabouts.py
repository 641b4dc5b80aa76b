"""Where the terminal is: the newest fix, the positions that go out, the track that is kept.

A position goes at once where the policy says so; every fix with a place goes to the track,
whatever the policy says. Fixes not yet in an entry are synced every 10 s into the scratch record.
Called by the GNSS task with each fix; `run` wakes for what is due without one.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from typing import Final

from agent.arrivals import Arrivals
from agent.core.fix import Fix
from agent.core.ignition import Ignition
from agent.core.integrity import is_suspect
from agent.core.motion import Motion
from agent.core.now import Now
from agent.core.orders import holds_urgent
from agent.core.placing import Placing
from agent.core.positions import here_of, position_of
from agent.core.reporting import Policy, Reporter, Sample
from agent.core.track_builder import TrackBuilder, entries_of, flag_bits, point_of
from agent.scratch import encode_scratch
from agent.settings import TrackSettings
from agent.terminal import Terminal
from agent.timekeeper import Timekeeper
from agent.waiting import wait_at_most
from protocol.entry import Alarm, Here
from protocol.instant import iso
from protocol.position import Position
from protocol.predict import STEADY
from protocol.words import TimeTrust
from runtime.faults import StoreBusy, StoreFull
from runtime.log import get_log

log = get_log("whereabouts")

RETRY_MS: Final = 1000  # after a full disk
ALARM_AGAIN_MS: Final = 30_000  # a receiver that comes and goes fills no logbook
IDLE_MS: Final = 5000
LAST_WORD_MS: Final = 2000  # without a new fix: what the centre predicts may be wrong by now
SendPosition = Callable[[Position], bool]


class NewestFix:
    """The newest fix and when it came; the terminal stamps its entries from it."""

    def __init__(self) -> None:
        self.fix: Fix | None = None
        self.uptime_ms = 0
        self.trust = TimeTrust.NONE

    def here(self, now: Now) -> Here | None:
        return here_of(self.fix, self.uptime_ms, now)


class Whereabouts:
    """`send` takes a position and says whether the link took it."""

    def __init__(
        self,
        terminal: Terminal,
        timekeeper: Timekeeper,
        newest: NewestFix,
        policy: Policy,
        settings: TrackSettings,
        send: SendPosition,
        silent_ms: int,
    ) -> None:
        self._terminal, self._timekeeper, self._newest = terminal, timekeeper, newest
        self._reporter, self._send = Reporter(policy), send
        self._track = TrackBuilder(round(settings.entry_s * 1000), settings.fixes_max)
        self._scratch_ms, self._silent_ms = round(settings.scratch_s * 1000), silent_ms
        self._scratched_ms, self._retry_ms = timekeeper.uptime_ms(), 0
        newest.uptime_ms = self._placed_ms = timekeeper.uptime_ms()
        self._alarmed_ms = self._placed_ms - ALARM_AGAIN_MS
        self._motion, self._motion_code = Motion(), STEADY
        self.ignition = Ignition()
        self._placing = Placing(self.ignition)
        self._arrivals = Arrivals(terminal, self.ignition)
        self._sequence, self._told_fix_ms = 0, 0
        self._is_up = self._is_silent = False
        self._unscratched = 0
        self._wake = asyncio.Event()
        terminal.on_change(self._wake.set)

    @property
    def dropped_fixes(self) -> int:
        return self._track.dropped

    @property
    def figures(self) -> Mapping[str, int]:
        """Fixes by flag and by sign of deceit, for the health entry."""
        return self._placing.figures

    def use(self, policy: Policy, settings: TrackSettings) -> None:
        """Other settings from now on; the newest position goes by them at once."""
        self._reporter.policy = policy
        self._track.use(round(settings.entry_s * 1000), settings.fixes_max)
        self._scratch_ms = round(settings.scratch_s * 1000)
        self.asked()

    def connected(self) -> None:
        """A connection stands: the newest position goes at once."""
        self._is_up = True
        self._reporter.connected()
        self._report()

    def asked(self) -> None:
        """The centre may not have heard the last position: it was away."""
        if self._is_up:
            self._reporter.connected()
            self._report()

    def disconnected(self) -> None:
        self._is_up = False

    def fix(self, fix: Fix, apart_m: float | None = None) -> None:
        """A fix has just come from the receiver; `apart_m`: how far another one is off."""
        uptime_ms = self._timekeeper.uptime_ms()
        if not is_suspect(fix):
            self._timekeeper.saw_fix(fix.epoch_ms, uptime_ms)
        now = self._timekeeper.now()
        newest, placed = self._newest, self._placing.feed(fix, uptime_ms, apart_m)
        newest.fix, newest.uptime_ms = placed.reported, uptime_ms
        newest.trust = self._timekeeper.fix_trust(fix.epoch_ms, now)
        self._motion_code = self._motion.feed(placed.reported)
        point = point_of(placed.kept, now.utc_ms)
        if point is not None:
            self._track.add(point, uptime_ms)
            self._unscratched += 1
            self._placed_ms = uptime_ms
        moved_on = self._arrivals.fix(placed.reported, uptime_ms)
        if moved_on or self._is_silent or self._placing.has_alarms or self._track.due(uptime_ms):
            self._wake.set()
        self._report()

    async def run(self) -> None:
        """What is due without a fix: leases, track entries, the scratch record, silence."""
        while True:
            uptime_ms = self._timekeeper.uptime_ms()
            self._report()
            await self._tell_silence(uptime_ms)
            await self._arrivals.tell(uptime_ms)
            while (alarm := self._placing.take_alarm()) is not None:
                await self._terminal.note(alarm)
            if uptime_ms >= self._retry_ms:
                await self._keep_track(uptime_ms)
            await self._sleep()

    async def stop(self) -> None:
        """Keep what is not in an entry yet."""
        while self._track.waiting and await self._keep_entry():
            pass

    def _report(self) -> None:
        newest, uptime_ms = self._newest, self._timekeeper.uptime_ms()
        fix = newest.fix if not self._is_stale(uptime_ms) else None
        sample = None if fix is None else self._sample(fix, newest.uptime_ms)
        state, urgent = self._told(fix), holds_urgent(self._terminal.state.desk)
        if not self._is_up:
            return
        is_due = self._reporter.due(sample, state, uptime_ms, urgent=urgent)
        if not is_due and not (fix is not None and uptime_ms >= self._last_word_ms()):
            return
        next_s = self._reporter.next_s(urgent=urgent)
        if self._send(self._position(fix, next_s)):
            sent = Sample(uptime_ms, None, None) if sample is None else sample
            self._reporter.sent(replace(sent, uptime_ms=uptime_ms), state, next_s)
            self._told_fix_ms = newest.uptime_ms

    def _last_word_ms(self) -> float:
        """When a receiver that has fallen silent has its last place told, if it was not yet."""
        newest_ms = self._newest.uptime_ms
        return inf if self._told_fix_ms == newest_ms else newest_ms + LAST_WORD_MS

    def _told(self, fix: Fix | None) -> tuple[int, bool, int]:
        """What the centre must know at once when it changes."""
        trusted = fix is not None and self._newest.trust >= TimeTrust.NTP
        return self._terminal.state.crew.status, trusted, 0 if fix is None else flag_bits(fix)

    def _sample(self, fix: Fix, uptime_ms: int) -> Sample:
        return Sample(
            uptime_ms, fix.lat_deg, fix.lon_deg, fix.epoch_ms, fix.sog_mps, fix.cog_deg,
            self._motion_code,
        )  # fmt: skip

    def _position(self, fix: Fix | None, next_s: int) -> Position:
        now, newest, logbook = self._timekeeper.now(), self._newest, self._terminal.logbook
        if fix is not None and fix.epoch_ms is not None:
            time_ms, trust = fix.epoch_ms, newest.trust
        else:
            time_ms, trust = now.utc_ms, now.trust
        self._sequence += 1
        return position_of(
            fix, time_ms=time_ms, trust=trust, boot=logbook.boot, sequence=self._sequence,
            status=self._terminal.state.crew.status, motion=self._motion_code, next_s=next_s,
            entry_count=logbook.synced_n, entry_head=logbook.synced_head,
        )  # fmt: skip

    def _is_stale(self, uptime_ms: int) -> bool:
        return uptime_ms - self._newest.uptime_ms > self._silent_ms

    async def _tell_silence(self, uptime_ms: int) -> None:
        is_silent = uptime_ms - self._placed_ms > self._silent_ms
        if is_silent == self._is_silent:
            return
        self._is_silent = is_silent
        code = "gnss_silent" if is_silent else "gnss_back"
        text = "no position from the receiver" if is_silent else "the receiver has a position again"
        log.limited(code)
        self._terminal.changed()
        if not is_silent or uptime_ms - self._alarmed_ms >= ALARM_AGAIN_MS:
            self._alarmed_ms = uptime_ms
            await self._terminal.note(Alarm(code, text))

    async def _keep_track(self, uptime_ms: int) -> None:
        while self._track.due(uptime_ms):
            if not await self._keep_entry():
                self._retry_ms = self._timekeeper.uptime_ms() + RETRY_MS
                return
        if self._unscratched and uptime_ms - self._scratched_ms >= self._scratch_ms:
            await self._keep_scratch(uptime_ms)

    async def _keep_entry(self) -> bool:
        # out before the commit: one that is queued happens, even if we are cancelled meanwhile
        points = self._track.take()
        if not await self._terminal.note_track(*entries_of([point for _, point in points])):
            self._track.put_back(points)
            return False
        await self._tell_lost()
        self._unscratched = self._track.waiting
        # what waits on was in the scratch record that has just gone: keep it again at once
        self._scratched_ms = 0 if self._unscratched else self._timekeeper.uptime_ms()
        return True

    async def _tell_lost(self) -> None:
        """Fixes that waited for room until there was no place to wait either."""
        lost = self._track.take_lost()
        if lost is not None:
            span = f"{iso(lost.first_ms)} to {iso(lost.last_ms)}"
            text = f"no room for {lost.count} fixes of {span}: dropped"
            log.error("fixes_dropped", count=lost.count, times=span)
            await self._terminal.note(Alarm("fixes_dropped", text))

    async def _keep_scratch(self, uptime_ms: int) -> None:
        points = self._track.peek()
        try:
            await self._terminal.logbook.keep_scratch(encode_scratch(points))
        except (StoreFull, StoreBusy):
            self._retry_ms = uptime_ms + RETRY_MS
            return
        self._unscratched, self._scratched_ms = 0, uptime_ms

    async def _sleep(self) -> None:
        """Until the next thing is due, or somebody wakes us."""
        uptime_ms = self._timekeeper.uptime_ms()
        due = [uptime_ms + IDLE_MS, self._retry_ms]
        if self._is_up:
            due.append(self._reporter.lease_end_ms())
            if self._newest.fix is not None and self._last_word_ms() < inf:
                due.append(self._newest.uptime_ms + LAST_WORD_MS)
        if self._unscratched:
            due.append(self._scratched_ms + self._scratch_ms)
        if not self._is_silent:
            due.append(self._placed_ms + self._silent_ms + 1)
        wait_ms = min((at for at in due if at > uptime_ms), default=uptime_ms + IDLE_MS) - uptime_ms
        await wait_at_most(self._wake, max(wait_ms, 20) / 1000)
