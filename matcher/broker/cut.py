"""Ends the open session of each revoked name, by a connection with its take-over certificate.

One client id has one session: the broker closes the old one before it answers the new one
(MQTT 5, 3.1.4-3). Held for HOLD_S, to see that nobody takes it back. Only called once the lists
are proven, or the revoked client would come back at once. Called by `guard`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from matcher.broker.probe import Answer, Prober
from protocol.identities import Identities, State
from protocol.names import common_name
from runtime.faults import ConfigFault
from runtime.log import Log

FOLDER: Final = "takeover"
HOLD_S: Final = 0.3
LATE_MS: Final = 5_000
AT_ONCE: Final = 8


class Cutter:
    """`pairs` is the folder of take-over certificates, NAME.pem with NAME.key."""

    def __init__(self, prober: Prober, pairs: Path, fleet: str, log: Log) -> None:
        self._prober, self._pairs, self._fleet, self._log = prober, pairs, fleet, log
        self._known: set[str] | None = None  # names revoked before this process
        self._due: dict[str, int] = {}  # name -> revoked at, monotonic ms
        self._done: dict[str, int] = {}
        self._told: set[str] = set()
        self._stamp = 0  # of the folder

    def take(self, document: Identities, now_ms: int) -> None:
        """Names of this document without an active enrolment whose last one was revoked."""
        active = {one.name for one in document.identities if one.state is State.ACTIVE}
        revoked = {one.name for one in document.identities if one.state is State.REVOKED} - active
        if self._known is None:
            # of long-gone ones the authority gives no take-over any more
            self._known = {name for name in revoked if not self._is_there(f"{name}.pem")}
        for name in revoked - self._known - self._done.keys():
            self._due.setdefault(name, now_ms)
        for gone in (self._due.keys() | self._done.keys() | self._known) - revoked:
            self._due.pop(gone, None)
            self._done.pop(gone, None)
            self._known.discard(gone)
            self._told.discard(gone)

    def start_over(self, now_ms: int) -> None:
        """The list was not in force for a while: all that are revoked may have come back."""
        for name in self._done:
            self._due[name] = now_ms
        self._done.clear()

    async def cut(self, now_ms: int) -> list[str]:
        """Try what is due; texts about what is late, each once."""
        self._look_for_more(now_ms)
        late: list[str] = []
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(name: str, since_ms: int) -> None:
            async with slots:
                began_s = asyncio.get_running_loop().time()
                why = await self._cut(name)
                took_ms = round((asyncio.get_running_loop().time() - began_s) * 1000)
            if self._due.get(name) != since_ms:
                return  # enrolled again, or to be done anew
            after_ms = now_ms + took_ms - since_ms
            if why is None:
                del self._due[name]
                self._done[name] = since_ms
                self._told.discard(name)
                self._log.info("revoked_cut", name=name, after_ms=after_ms)
            elif after_ms > LATE_MS and name not in self._told:
                self._told.add(name)
                self._log.error("revoked_not_cut", name=name, reason=why)
                late.append(f"{name} is revoked; its session is not proven gone: {why}")

        await asyncio.gather(*(one(name, since_ms) for name, since_ms in list(self._due.items())))
        return late

    async def _cut(self, name: str) -> str | None:
        """None when its session is gone, else why that is not known."""
        try:
            async with self._prober.connect(
                common_name(self._fleet, name), self._pairs / name
            ) as probe:
                if probe.answer is not Answer.ACCEPTED:
                    return f"take-over {probe.answer} ({probe.detail})"
                return None if await probe.stands(HOLD_S) else "somebody took its name back"
        except ConfigFault as fault:
            return f"{fault}; run `outrider authority refresh`, carry centre/ over"

    def _look_for_more(self, now_ms: int) -> None:
        """A folder carried over late brings pairs of names that seemed long gone."""
        try:
            stamp = self._pairs.stat().st_mtime_ns
        except OSError:
            stamp = 0
        if self._known and stamp != self._stamp:
            found = {name for name in self._known if self._is_there(f"{name}.pem")}
            self._known -= found
            self._due |= dict.fromkeys(found, now_ms)
        self._stamp = stamp

    def _is_there(self, file: str) -> bool:
        return (self._pairs / file).exists()
