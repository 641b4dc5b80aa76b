"""The two canaries: whether the broker uses exactly the lists that it should. Called by `guard`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from matcher.broker.lists import BrokerLists
from matcher.broker.probe import Answer, Prober
from protocol.names import common_name
from protocol.topics import CANARY_SHUT
from runtime.faults import ConfigFault
from runtime.key_files import load_certificate

CANARY: Final = "canary"
PATIENCE_S: Final = 1.5
AGAIN_S: Final = 0.15


class Fault(NamedTuple):
    """`is_sure`: the broker did something wrong, it is not only late. `lets_in`: too open."""

    text: str
    is_sure: bool = False
    lets_in: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """Without faults the broker uses the lists."""

    faults: tuple[Fault, ...]

    @property
    def text(self) -> str:
        return "; ".join(fault.text for fault in self.faults)

    @property
    def is_sure(self) -> bool:
        return any(fault.is_sure for fault in self.faults)

    @property
    def let_in(self) -> bool:
        return any(fault.lets_in for fault in self.faults)


class Prover:
    """`sing` is CentreLink.prove_list; without a connection nothing can be said."""

    def __init__(
        self,
        prober: Prober,
        canary: Path,
        fleet: str,
        sing: Callable[[str, float], Awaitable[frozenset[str]]],
        is_connected: Callable[[], bool],
    ) -> None:
        self._prober, self._canary = prober, canary
        self._name = common_name(fleet, CANARY)
        self._sing, self._is_connected = sing, is_connected

    async def prove(self, lists: BrokerLists) -> Proof | None:
        """Both canaries at once; None while there is no broker to speak of."""
        if not self._is_connected():
            return None
        messages, revoked = await asyncio.gather(self._messages(lists.name), self._revoked(lists))
        if not self._is_connected():
            return None
        return Proof(tuple(fault for fault in (messages, revoked) if fault is not None))

    async def _messages(self, name: str) -> Fault | None:
        heard = await self._sing(name, PATIENCE_S)
        if CANARY_SHUT in heard:
            text = "access list is not in force: a message that it forbids was delivered"
            return Fault(text, is_sure=True, lets_in=True)
        if name not in heard:
            return Fault("own message did not come back: an old access list, or none delivered")
        return None

    async def _revoked(self, lists: BrokerLists) -> Fault | None:
        """Tried until refused as revoked, or for PATIENCE_S: the reload may be under way."""
        try:
            serial = load_certificate(self._canary.with_name(f"{CANARY}.pem")).serial_number
        except ConfigFault as fault:
            return Fault(f"no canary: {fault}")
        if lists.revoked is None or serial not in lists.revoked.serials:
            return Fault("no good revocation list names canary.pem: carry the whole centre/ over")
        deadline_s = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            answer, finding = await self._ask()
            if answer is Answer.REVOKED or asyncio.get_running_loop().time() >= deadline_s:
                return finding
            await asyncio.sleep(AGAIN_S)

    async def _ask(self) -> tuple[Answer, Fault | None]:
        try:
            async with self._prober.connect(self._name, self._canary) as probe:
                answer, detail = probe.answer, probe.detail
        except ConfigFault as fault:
            return Answer.SILENT, Fault(f"no canary: {fault}")
        match answer:
            case Answer.REVOKED:
                return answer, None
            case Answer.ACCEPTED:
                text = "revocation list is not in force: the revoked canary was let in"
                return answer, Fault(text, is_sure=True, lets_in=True)
            case Answer.REFUSED:
                text = f"the canary was not refused as revoked: {detail}; so may be everybody"
                return answer, Fault(text, is_sure=True)
            case Answer.SILENT:
                return answer, Fault(f"no answer to the canary: {detail}")
