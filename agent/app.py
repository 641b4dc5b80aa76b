"""`outrider agent run --config FILE`: opens what the terminal needs, wires it into one TaskGroup.

Start-up in this order, each fault one line and its exit code: settings (78), keys (78), store (1;
the boot number is committed before anything else), socket (78), then ready. Nobody waits for the
broker, the receiver or the time.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from agent import configuration, housekeeping, state_view
from agent.core import state_rows
from agent.core.fix import Fix
from agent.damage import run_on_store
from agent.devices import Devices
from agent.gnss_task import GnssTask
from agent.identity import (
    SEAL_KEYS,
    BrokerCertificate,
    Identity,
    check_seal_key,
    link_settings,
    load_identity,
)
from agent.logbook import Loaded, Logbook
from agent.logbook_file import Change
from agent.logbook_schema import OPTIONS, SCHEMA
from agent.logbook_sender import LogbookSender
from agent.recorders import Recorders
from agent.refusals import Refusals
from agent.scratch import scratch_entries
from agent.screen_switch import ScreenSwitch
from agent.seals import Seals
from agent.settings import AgentSettings, policy_of
from agent.store_figures import StoreFigures
from agent.system_trust import system_trust
from agent.terminal import Terminal
from agent.timekeeper import Timekeeper
from agent.upkeep import Upkeep
from agent.uplink import TRUST_KEY, Uplink
from agent.version import BUILT_MS
from agent.whereabouts import NewestFix, Whereabouts
from protocol import device
from protocol.entry import Alarm, Body, Entry, Start
from protocol.refusal import Reason, Refused
from runtime import settings as settings_file
from runtime.faults import ConfigFault, OutriderFault, StoreFault
from runtime.local_socket import LocalServer
from runtime.log import get_log, set_level
from runtime.mqtt_link import MqttLink
from runtime.service import Service, run_daemon
from runtime.store import Store

log = get_log("agent")

PROGRESS_S = 15.0
MB = 1_000_000
_BEAT_S = 4.0


def main(config: Path) -> int:
    """Run until told to stop; returns the exit code."""
    level = "info"
    with suppress(OutriderFault):  # told once, by the daemon's own start
        level = settings_file.load(config, AgentSettings).log_level

    async def serve(service: Service) -> None:
        settings = settings_file.load(config, AgentSettings)
        options = replace(OPTIONS, size_bytes_max=settings.store.size_max_mb * MB)
        await run_on_store(
            settings.store.file, SCHEMA, options, service.clock,
            lambda store: Agent(settings, service, store),
        )  # fmt: skip

    return run_daemon(serve, log_level=level)


class Agent:
    """The parts of one terminal; `run` until cancelled."""

    def __init__(self, settings: AgentSettings, service: Service, store: Store) -> None:
        self._settings, self._service, self._store = settings, service, store
        identity = load_identity(settings)
        self._logbook = Logbook(store, identity.enrolment, identity.seal_key.public)
        loaded = self._logbook.load_now()
        begun = configuration.begin(store, loaded.meta, settings)
        self._settings = settings = begun.settings
        floor_ms = max(BUILT_MS, loaded.floor_ms, identity.floor_ms)
        self._timekeeper = Timekeeper(
            service.clock, floor_ms, lambda: system_trust(self._settings.clock.system)
        )
        self._store_figures = StoreFigures(store, self._timekeeper.uptime_ms)
        self._seals = self._open_seals(identity, loaded)
        self._refusals = Refusals(log)
        self._newest = NewestFix()
        folder = settings.keys.folder
        self._terminal = self._begin(
            loaded, check_seal_key(identity, folder, loaded.meta.get(SEAL_KEYS))
        )
        self._broker = BrokerCertificate(self._timekeeper.now, lambda: self._timekeeper.floor_ms)
        self._link = self._make_link()
        self._make_uplink()
        self._upkeep = Upkeep(
            begun, self._terminal, self._seals, self._link, self._uplink, loaded.meta, self._apply
        )
        self._devices = Devices(
            self._terminal, self._view, self._whereabouts.ignition, self._upkeep.codes.check,
            Recorders(
                self._terminal, self._whereabouts.ignition, settings.recording, loaded.meta,
                self._upkeep.codes,
            ),
        )  # fmt: skip
        self._server = self._make_server()
        self._screen = ScreenSwitch(
            settings.screen, self._terminal, self._devices, self._sender, self._upkeep.codes,
            loaded.meta,
        )  # fmt: skip
        self._gnss = GnssTask(settings.gnss, self._timekeeper, self._on_fix)

    async def run(self, told_first: Alarm | None = None) -> None:
        if told_first is not None:
            await self._terminal.note(told_first)
        await self._sender.reload()
        self._server.listen()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._link.run(), name="link")
                tasks.create_task(self._uplink.run(), name="uplink")
                tasks.create_task(self._sender.run(), name="logbook")
                tasks.create_task(self._whereabouts.run(), name="whereabouts")
                tasks.create_task(self._gnss.run(), name="gnss")
                tasks.create_task(self._server.run(), name="devices")
                tasks.create_task(self._screen.run(), name="screen")
                tasks.create_task(self._devices.recorders.run(), name="recorders")
                tasks.create_task(housekeeping.keep_orders_current(self._terminal), name="orders")
                tasks.create_task(housekeeping.prune_and_save(self._terminal), name="prune")
                tasks.create_task(self._report_health(), name="health")
                watched = housekeeping.watch_dates(self._terminal, self._seals, self._broker)
                tasks.create_task(watched, name="dates")
                tasks.create_task(self._upkeep.run(), name="upkeep")
                tasks.create_task(self._beat(), name="beat")
                self._service.ready(f"boot {self._logbook.boot}")
        finally:
            await self._stop()

    async def _stop(self) -> None:
        """Keep the fixes that are not in an entry yet, and say that this end was meant."""
        with suppress(StoreFault):
            await self._whereabouts.stop()
            await self._logbook.close(self._timekeeper.floor_ms)

    async def _beat(self) -> None:
        """The watchdog's sign of life: the loop turns and the store answers."""
        mark = self._service.watch("store", PROGRESS_S)
        while True:
            await self._store.read(lambda c: c.execute("SELECT 1").fetchone())
            mark.made()
            await asyncio.sleep(_BEAT_S)

    async def _report_health(self) -> None:
        await housekeeping.report_health(
            self._terminal, self._figures, lambda: self._settings.health.interval_s
        )

    def _begin(self, loaded: Loaded, meta: Mapping[str, object]) -> Terminal:
        """The terminal of this boot: its number and first entry are committed here."""
        state = state_rows.state_of(loaded.meta, loaded.cards, loaded.cancels)
        now = self._timekeeper.now()

        def make_start(boot: int, start: Start) -> Change:
            bodies: tuple[Body, ...] = (start, *scratch_entries(loaded.scratch))
            entries = tuple(
                Entry(now.utc_ms, now.trust, boot, now.uptime_ms, state.crew.logon, body)
                for body in bodies
            )
            return Change(entries, meta=meta, drop_scratch=True)

        self._logbook.begin_now(make_start)
        log.info("boot", boot=self._logbook.boot, unclean=loaded.unclean)
        return Terminal(self._logbook, self._timekeeper, state, self._newest.here)

    def _open_seals(self, identity: Identity, loaded: Loaded) -> Seals:
        seals = Seals(
            self._settings.fleet, self._settings.device, identity.enrolment, identity.seal_key,
            identity.root,
        )  # fmt: skip
        kept = loaded.meta.get(TRUST_KEY)
        for place, document in (("trust.cbor", identity.trust_document), ("store", kept)):
            if isinstance(document, bytes) and document:
                self._believe(seals, place, document)
        if seals.trust_version == 0:
            log.warning("no_trust_document", remedy="the centre's comes with the first welcome")
        return seals

    def _believe(self, seals: Seals, place: str, document: bytes) -> None:
        try:
            trust = seals.open_trust(document)
        except Refused as refused:
            if refused.reason is not Reason.STALE_VERSION:
                remedy = "restore the document, or enrol again"
                raise ConfigFault(
                    place, "holds no trust document of this root", refused.detail, remedy
                ) from refused
            return
        seals.believe(trust, document)
        self._timekeeper.raise_floor(trust.issued_ms)

    def _make_link(self) -> MqttLink:
        return MqttLink(
            link_settings(self._settings),
            subscriptions=[(self._seals.order_topic, 1)],
            rng=random.Random(),
            log=get_log("link"),
            make_will=lambda number: self._uplink.will(connection=number),
            check_peer=self._broker.check,
        )

    def _apply(self, settings: AgentSettings) -> None:
        """A configuration from the centre, or the last good one again."""
        before, self._settings = self._settings, settings
        set_level(settings.log_level)
        self._whereabouts.use(policy_of(settings.report), settings.track)
        self._devices.recorders.use(settings.recording)
        if settings.broker != before.broker:
            self._link.reconnect(link_settings(settings))

    def _make_uplink(self) -> None:
        settings = self._settings
        self._uplink = Uplink(self._link, self._terminal, self._seals, self._refusals)
        self._sender = LogbookSender(
            self._logbook, self._terminal, self._seals, self._uplink.send_batch,
            lambda: self._link.throughput_bytes_per_s,
        )  # fmt: skip
        self._whereabouts = Whereabouts(
            self._terminal, self._timekeeper, self._newest,
            policy_of(settings.report),
            settings.track, self._uplink.send_position, round(settings.gnss.silent_s * 1000),
        )  # fmt: skip
        self._uplink.attach(self._sender, self._whereabouts)

    def _make_server(self) -> LocalServer:
        devices = self._settings.devices
        return LocalServer(
            devices.socket,
            self._devices.handle,
            {0, os.getuid(), *devices.allowed_uids},
            on_close=self._devices.closed,
            on_refused=self._devices.refused_line,
            clock=self._service.clock,
        )

    def _on_fix(self, fix: Fix) -> None:
        self._whereabouts.fix(fix, self._gnss.disagreement_m)
        self._devices.show_soon()
        self._screen.fix(fix)

    def _view(self) -> device.State:
        newest = self._newest
        fix = None
        if newest.fix is not None:
            age_ms = self._timekeeper.uptime_ms() - newest.uptime_ms
            fix = state_view.fix_view(newest.fix, age_ms, newest.trust.name.lower())
        return state_view.view(
            self._terminal.state,
            terminal=f"{self._settings.fleet}/{self._settings.device}",
            is_up=self._uplink.is_up,
            welcomed=self._uplink.welcomed,
            waiting_entries=self._sender.waiting_entries,
            fix=fix,
            refused=dict(self._refusals.counts),
            store=self._store_figures.day(),
            book=self._upkeep.codes.book,
        )

    def _figures(self) -> Mapping[str, int]:
        """Figures by name, for the health entry."""
        counters = self._link.counters
        figures: Counter[str] = Counter(
            connects=counters.connects,
            connects_failed=sum(counters.connects_failed.values()),
            bytes_out=counters.bytes_out,
            bytes_in=counters.bytes_in,
            waiting_entries=self._sender.waiting_entries,
            dropped_fixes=self._whereabouts.dropped_fixes,
            certificate_days_left=self._upkeep.renewal.days_left,
        )
        figures.update({f"refused_{reason}": n for reason, n in self._refusals.counts.items()})
        figures.update({f"gnss_{reason}": n for reason, n in self._gnss.counts.items()})
        figures.update({**self._broker.figures(), **self._whereabouts.figures})
        figures.update(self._store_figures.figures())
        figures.update(self._screen.figures())
        return figures
