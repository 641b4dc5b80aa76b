"""Signed configurations at work: kept, applied without a restart, proved or taken back.

One that cuts the terminal off is rolled back by itself (core/configuration.py), also across
restarts. Wired by `agent.upkeep`; `begin` by `agent.app` before anything is made by the settings.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from pydantic import ValidationError

from agent.core import configuration as rules
from agent.core.configuration import Held, Verdict
from agent.logbook_file import Change, put_meta
from agent.seals import Seals
from agent.settings import AgentSettings
from agent.terminal import Terminal
from agent.waiting import wait_at_most
from protocol import configuration
from protocol.entry import Alarm, Configured
from protocol.envelope import Kind
from protocol.refusal import Reason, Refused
from runtime.faults import ConfigFault, StoreFault
from runtime.log import get_log
from runtime.store import Store

log = get_log("configuration")

META: Final = "configuration"
TRIAL, REFUSED, ROLLED_BACK = "trial", "refused", "config_rolled_back"
LOOK_S: Final = 0.25
STAY_MS_MAX: Final = 10_000


class Line(Protocol):
    """What the trial must know of the uplink."""

    @property
    def welcomes(self) -> int:
        """Connections and births that were welcomed, counted."""
        ...

    @property
    def welcomed(self) -> bool: ...

    def ask_welcome(self) -> None:
        """A new birth on this connection, so that a welcome comes under the new settings."""
        ...


@dataclass(frozen=True, slots=True)
class Begun:
    """At a start. `given_up`: a version that the agent crashed under too often; 0: none."""

    own: AgentSettings
    settings: AgentSettings  # in force
    held: Held
    given_up: int


def begin(store: Store, meta: Mapping[str, object], own: AgentSettings) -> Begun:
    """The settings in force; a start under a trial is counted before anything is made by them.

    Blocks. A configuration that these settings cannot take (any more) is left aside, with one line.
    """
    kept = meta.get(META)
    try:
        before = rules.decode(kept) if isinstance(kept, bytes) else Held()
    except Refused as refused:
        log.error("configuration_unreadable", reason=str(refused), effect="own settings hold")
        before = Held()
    held = rules.started(before)
    if held != before:
        row = {META: rules.encode(held)}
        store.commit_now(lambda c: put_meta(c, row))
    given_up = 0
    if held.trial is None and before.trial is not None:
        given_up = before.trial.version
        log.error(ROLLED_BACK, version=given_up, reason="crashed under it")
    settings = own
    try:
        settings = effective(own, held.in_force.settings)
    except Refused as refused:
        log.error("configuration_left_aside", reason=str(refused), effect="own settings hold")
    return Begun(own, settings, held, given_up)


def effective(own: AgentSettings, settings: str) -> AgentSettings:
    """The terminal's own settings with the given ones laid over; raises Refused."""
    table = configuration.table_of(settings)
    if not table:
        return own
    try:
        return AgentSettings.model_validate(configuration.laid_over(own.model_dump(), table))
    except ValidationError as cause:
        first = cause.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        detail = f"configuration: {place}: {first['msg']:.120} ({first['input']!r:.40})"
        raise Refused(Reason.OUT_OF_RANGE, detail) from cause


class Configuring:
    """`apply` gives the running parts new settings."""

    def __init__(
        self,
        begun: Begun,
        terminal: Terminal,
        seals: Seals,
        line: Line,
        apply: Callable[[AgentSettings], None],
    ) -> None:
        self._own, self._held, self._given_up = begun.own, begun.held, begun.given_up
        self._terminal, self._seals, self._line, self._apply = terminal, seals, line, apply
        seals.configuration_version = self._held.seen
        self._trial_ms = round(self._own.configuration.trial_s * 1000)
        self._wake = asyncio.Event()
        self._begin_trial()

    async def take(self, payload: bytes) -> None:
        """A configuration whose seal holds. Raises Refused, StoreFull."""
        new = configuration.decode(payload)
        held = rules.take(self._held, new, self._own.device)
        try:
            settings = effective(self._own, new.settings)
        except Refused as refused:
            await self._refuse(held, refused)
            raise
        await self._keep(held, Configured(TRIAL, new.version))
        self._seals.configuration_version = held.seen  # also where it fails: not to be sent again
        log.info("configuration_on_trial", version=new.version)
        self._put_in_force(settings)
        self._begin_trial()

    async def _refuse(self, held: Held, refused: Refused) -> None:
        """Seen, never tried: what was in force goes on."""
        seen = replace(self._held, seen=held.seen)
        alarm = Alarm("config_refused", f"configuration {held.seen}: {refused.detail}"[:200])
        await self._keep(seen, Configured(REFUSED, held.seen), alarm)
        self._seals.configuration_version = held.seen

    async def run(self) -> None:
        if self._given_up:
            await self._tell_rolled_back(self._given_up, "the agent crashed under it")
        while True:
            if self._held.trial is not None:
                try:
                    await self._judge()
                except StoreFault as fault:
                    log.limited("trial_not_kept", str(fault))
            await wait_at_most(self._wake, LOOK_S if self._held.trial is not None else None)

    def _begin_trial(self) -> None:
        self._applied_ms = self._terminal.timekeeper.uptime_ms()
        self._welcomes, self._welcomed_ms = self._line.welcomes, 0
        self._wake.set()

    async def _judge(self) -> None:
        now_ms = self._terminal.timekeeper.uptime_ms()
        if self._line.welcomes != self._welcomes:  # a first one, or another connection
            self._welcomes, self._welcomed_ms = self._line.welcomes, now_ms
        is_welcomed = self._line.welcomed and self._welcomed_ms > 0
        if not is_welcomed and self._line.welcomed:
            self._line.ask_welcome()
        verdict = rules.judge(
            now_ms - self._applied_ms,
            now_ms - self._welcomed_ms if is_welcomed else None,
            trial_ms=self._trial_ms,
            stay_ms=min(STAY_MS_MAX, self._trial_ms // 4),
        )
        version = self._held.in_force.version
        if verdict is Verdict.GOOD:
            await self._keep(rules.proved(self._held), Configured(Kind.CONFIGURATION, version))
            log.info("configuration", version=version)
        elif verdict is Verdict.BAD:
            await self._roll_back(version)

    async def _roll_back(self, version: int) -> None:
        held = rules.rolled_back(self._held)
        log.error(ROLLED_BACK, version=version, reason="no welcome under it")
        try:
            await self._keep(held, *_taken_back(version, held, "no welcome came under it"))
        except StoreFault as fault:
            log.limited("trial_not_kept", str(fault))
            self._held = held  # a full disk must not keep the terminal cut off
        self._put_in_force(effective(self._own, held.good.settings))

    async def _tell_rolled_back(self, version: int, why: str) -> None:
        await self._terminal.note(*_taken_back(version, self._held, why))

    async def _keep(self, held: Held, *bodies: Configured | Alarm) -> None:
        entries = tuple(self._terminal.entry(body) for body in bodies)
        row = {META: rules.encode(held)}
        await self._terminal.commit(lambda _n: Change(entries, meta=row))
        self._held = held

    def _put_in_force(self, settings: AgentSettings) -> None:
        try:
            self._apply(settings)
        except ConfigFault as fault:  # files that cannot be read now: the trial will tell
            log.error("configuration_not_applied", reason=str(fault))


def _taken_back(version: int, held: Held, why: str) -> tuple[Configured, Alarm]:
    good = held.good.version
    text = f"configuration {version} is taken back, {good} holds again: {why}"
    return Configured(Kind.CONFIGURATION, good), Alarm(ROLLED_BACK, text)
