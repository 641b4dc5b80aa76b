"""Keeps the broker honest: right lists on its disk, proof that it uses them, revoked sessions cut.

After each change, and every WATCH_S, two canaries: the revoked one must be refused *as revoked*,
and a message that only this access list allows must come back over the long-lived session while one
that none allows must not. Until both hold the broker is told to read again. Then each revoked name
is taken over at the broker, which ends its open session; it cannot come back, for the list holds.
What is not proven in time is an alert. Wired by `matcher.app`; decision 0016 has the measurements.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from matcher.broker.cut import FOLDER, Cutter
from matcher.broker.lists import BrokerLists
from matcher.broker.probe import Prober
from matcher.broker.proof import CANARY, Proof, Prover
from matcher.core.commands import RaiseAlert
from matcher.engine import Engine
from matcher.link import CentreLink
from matcher.settings import MatcherSettings
from protocol.identities import Identities
from runtime.clock import Clock
from runtime.faults import ConfigFault, StoreFull
from runtime.key_files import load_certificate
from runtime.log import Log

LOOK_S: Final = 0.5
RETRY_S: Final = 0.1
WATCH_S: Final = 5.0
SURE_MS: Final = 3_000  # a canary that says so, this long: an alert
UNSURE_MS: Final = 10_000  # no answer may be a machine under load
ASK_AGAIN_MS: Final = 1_500  # then twice as long each time
ASK_AGAIN_MS_MAX: Final = 12_000
LIST_ENDS_MS: Final = 72 * 3_600_000
DAY_MS: Final = 86_400_000
BROKER_ENDS_MS: Final = 7 * DAY_MS


def make_guard(
    settings: MatcherSettings,
    engine: Engine,
    link: CentreLink,
    on_healed: Callable[[], None],
    clock: Clock,
    log: Log,
) -> BrokerGuard | None:
    """None where the matcher writes no lists (`files.broker`). Raises ConfigFault."""
    files, fleet = settings.files, settings.fleet
    if files.broker is None:
        return None
    root = files.keys / "root.pem"
    prober = Prober(settings.broker.host, settings.broker.port, root)
    return BrokerGuard(
        BrokerLists(files.broker, files.identities, load_certificate(root)),
        Prover(prober, files.keys / CANARY, fleet, link.prove_list, lambda: link.is_connected),
        Cutter(prober, files.identities / FOLDER, fleet, log),
        engine, on_healed, clock, log, lambda: link.broker_ends_ms,
    )  # fmt: skip


class BrokerGuard:
    """`take` each new identities document after its commit; `run` is a task of the matcher."""

    def __init__(
        self,
        lists: BrokerLists,
        prover: Prover,
        cutter: Cutter,
        engine: Engine,
        on_healed: Callable[[], None],
        clock: Clock,
        log: Log,
        broker_ends_ms: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._on_healed, self._broker_ends_ms = on_healed, broker_ends_ms
        self._lists, self._prover, self._cutter = lists, prover, cutter
        self._engine, self._clock, self._log = engine, clock, log
        self._news = asyncio.Event()
        self._since_ms: int | None = clock.monotonic_ms()  # unproven since; None: proven
        self._proven_ms = 0
        self._ask_ms, self._ask_wait_ms = 0, ASK_AGAIN_MS
        self._is_told = self._is_broken = False
        self._ends_told, self._broker_told_ms = -1, -1

    def take(self, document: Identities) -> None:
        """From now on its lists are wanted; writing, proof and cuts follow in `run`."""
        self._lists.take(document)
        self._cutter.take(document, self._clock.monotonic_ms())
        self._changed()
        self._news.set()

    def write_first(self) -> None:
        """At start: the broker may be waiting for its lists. Raises StoreFull, StoreBroken."""
        try:
            self._lists.fetch(self._clock.utc_ms())
        except ConfigFault as fault:
            self._log.error("revocation_list_refused", reason=str(fault))
        self._lists.write()

    async def run(self) -> None:
        """For ever."""
        while True:
            self._news.clear()
            try:
                await self._round()
            except StoreFull as full:
                self._log.limited("broker_lists_not_written", str(full))
            pause_s = LOOK_S if self._since_ms is None else RETRY_S
            try:
                async with asyncio.timeout(pause_s):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _round(self) -> None:
        await self._keep()
        now_ms = self._clock.monotonic_ms()
        if self._since_ms is not None or now_ms - self._proven_ms >= WATCH_S * 1000:
            name = self._lists.name
            proof = await self._prover.prove(self._lists)
            if name != self._lists.name:
                return  # a newer list came meanwhile
            if proof is not None:
                await self._judge(proof)
        if self._since_ms is None:
            for text in await self._cutter.cut(self._clock.monotonic_ms()):
                await self._alert("broker_cut_failed", text)

    async def _tell_broker_ends(self) -> None:
        """In the last week of the broker's certificate: afterwards no terminal connects."""
        now_ms, ends_ms = self._clock.utc_ms(), self._broker_ends_ms()
        if ends_ms is None or ends_ms == self._broker_told_ms or ends_ms - now_ms >= BROKER_ENDS_MS:
            return
        self._broker_told_ms = ends_ms
        days = max(0, (ends_ms - now_ms) // DAY_MS)
        text = f"the broker's certificate ends in {days} days: `authority rotate`, carry it over"
        await self._alert("broker_certificate_ends", text, str(ends_ms // 1000))

    async def _keep(self) -> None:
        """The right lists on the broker's disk."""
        await self._tell_broker_ends()
        try:
            self._lists.fetch(self._clock.utc_ms())
        except ConfigFault as fault:
            self._log.error("revocation_list_refused", reason=str(fault))
            await self._alert("broker_list_refused", f"{fault}; the last good list holds")
        if self._lists.differing():
            changed, undone = await asyncio.to_thread(self._lists.write)
            self._changed()
            if changed:
                self._log.info("broker_lists", files=",".join(changed))
            if undone:
                self._log.error("broker_lists_undone", files=",".join(undone))
                self._is_broken = True
                self._cutter.start_over(self._clock.monotonic_ms())
                text = f"{', '.join(undone)} at the broker was changed by somebody: written again"
                await self._alert("broker_list_changed", text)
        crl = self._lists.revoked
        if crl is None or crl.number == self._ends_told:
            return
        if crl.ends_ms - self._clock.utc_ms() < LIST_ENDS_MS:
            self._ends_told = crl.number
            text = f"revocation list {crl.number} ends within 72 hours: refresh it, carry it over"
            await self._alert("revocation_list_ends", text, str(crl.number))

    def _changed(self) -> None:
        now_ms = self._clock.monotonic_ms()
        self._since_ms = now_ms if self._since_ms is None else self._since_ms
        self._ask_ms, self._ask_wait_ms = now_ms, ASK_AGAIN_MS

    async def _judge(self, proof: Proof) -> None:
        now_ms = self._clock.monotonic_ms()
        if not proof.faults:
            self._proven(now_ms)
            return
        is_sudden, since_ms = self._since_ms is None, self._since_ms or now_ms
        if is_sudden:
            self._is_broken = True
            self._log.warning("broker_unproven", reason=proof.text)
            self._changed()
        if proof.let_in and (is_sudden or now_ms - since_ms > ASK_AGAIN_MS):
            self._cutter.start_over(now_ms)  # once the lists hold again
        if not self._is_told and now_ms - since_ms >= (SURE_MS if proof.is_sure else UNSURE_MS):
            self._is_told = True
            self._log.error("broker_unproven", reason=proof.text, for_ms=now_ms - since_ms)
            await self._alert("broker_unproven", proof.text)
        if now_ms - self._ask_ms >= self._ask_wait_ms:
            self._ask_ms = now_ms
            self._ask_wait_ms = min(2 * self._ask_wait_ms, ASK_AGAIN_MS_MAX)
            await asyncio.to_thread(self._lists.write, again=True)

    def _proven(self, now_ms: int) -> None:
        self._proven_ms = now_ms
        if self._since_ms is not None:
            crl = self._lists.revoked
            self._log.info(
                "broker_proven", list=self._lists.name, crl=crl.number if crl else None,
                after_ms=now_ms - self._since_ms,
            )  # fmt: skip
        if self._is_broken:
            self._on_healed()
        self._since_ms, self._is_told, self._is_broken = None, False, False

    async def _alert(self, kind: str, text: str, subject: str = "") -> None:
        """Once per `subject`; without one, each time. Kept in the journal, shown until taken."""
        now_ms = self._engine.now_ms()
        alert = f"{kind.replace('_', '-')}-{subject or now_ms}"
        try:
            await self._engine.run(RaiseAlert(now_ms, alert, kind, None, text))
        except StoreFull as full:
            self._log.limited("journal_full", str(full), remedy="free space")
