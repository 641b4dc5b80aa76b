"""Hands signed documents on: trust, configurations, codebook, certificates; changes the role keys.

A new trust document goes to every terminal and to the managers' topic first; only then, once all
that were heard lately have said that they took it, or after 10 s, the centre seals with the new
role keys: nothing that it says is refused for a key that is not known yet. What a terminal has
not shown to hold is sent again at its birth and a few times after. Wired by `matcher.app`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from matcher.centre_keys import CentreKeys
from matcher.codebooks import Codebooks, Send
from matcher.core.commands import RaiseAlert
from matcher.documents_folder import DocumentsFolder
from matcher.engine import Engine
from matcher.registry import Registry, TerminalPeer
from matcher.role_keys import RoleKeys
from protocol import entry as entries
from protocol import renewal, topics
from protocol.envelope import Kind
from protocol.identities import Role, Trust, open_trust
from protocol.keys import kid_of
from protocol.refusal import Refused
from protocol.repeats import DISPATCH
from protocol.session import Birth
from runtime.clock import Clock
from runtime.faults import ConfigFault, StoreFault, StoreFull
from runtime.log import Log
from runtime.store import Store, atomic_write

LOOK_S: Final = 1.0
SENDINGS_MAX: Final = 6
REQUEST_MODE: Final = 0o640


class PublishTrust(Protocol):
    def __call__(
        self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False
    ) -> bool: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """What the task needs of the others."""

    send: Send
    publish: PublishTrust
    trust: Callable[[], tuple[int, bytes]]  # as it lies in the folder
    registry: Callable[[], Registry]
    on_new_keys: Callable[[], None]


@dataclass(slots=True)
class _Known:
    """What a terminal has shown to hold, and how often it was told of more."""

    trust: int = 0
    configuration: int = 0
    kid: bytes = b""
    is_heard: bool = False
    sendings: int = 0
    due_ms: int = 0


class DocumentsTask:
    """`folder`: of the documents; `requests`: where renewal requests go, None for nowhere."""

    def __init__(
        self,
        folder: Path,
        requests: Path | None,
        fleet: str,
        keys: CentreKeys,
        keys_folder: Path,
        store: Store,
        engine: Engine,
        ports: Ports,
        clock: Clock,
        log: Log,
    ) -> None:
        self._requests, self._fleet = requests, fleet
        self._keys, self._store, self._engine, self._ports = keys, store, engine, ports
        self._clock, self._log = clock, log
        self._folder = DocumentsFolder(folder, fleet, log)
        self._codebooks = Codebooks(folder, fleet, engine, ports.send, clock, log)
        self._known: dict[bytes, _Known] = {}
        self._trust: Trust | None = None
        self._trust_message = b""
        self._is_announced = True
        self._role_keys = RoleKeys(keys, keys_folder, clock, log)

    # --- at start and at connections -------------------------------------------------------------

    def take_first(self) -> None:
        """Before anything is sealed; raises ConfigFault for a key that the trust does not list."""
        held = self._store.commit_now(_held_trust)
        version, message = self._ports.trust()
        if held is not None and held[0] > version:
            self._log.error("trust_is_older", version=version, holding=held[0],
                            remedy="copy the newest trust.cbor")  # fmt: skip
            message = held[1]
        self._trust, self._trust_message = (
            open_trust(message, self._fleet, self._keys.root),
            message,
        )
        self._is_announced = held is not None and held[0] >= self._trust.version
        self._role_keys.check(self._trust)
        self._folder.look(self._trust, self._engine.now_ms())

    def trust(self) -> tuple[int, bytes]:
        """Version and sealed document, as terminals get it."""
        assert self._trust is not None
        return self._trust.version, self._trust_message

    def on_connection(self) -> None:
        """After each connection of our own, before anything else is said."""
        topic = topics.trust(self._fleet)
        self._ports.publish(topic, self._trust_message, qos=1, retain=True)
        if not self._is_announced:
            self._announce()

    # --- what terminals say ----------------------------------------------------------------------

    def on_birth(self, peer: TerminalPeer, birth: Birth, kid: bytes) -> None:
        """After its welcome; `kid`: of the key that sealed the birth."""
        held = birth.versions
        self._codebooks.born(peer.enrolment, held.codebook)
        self._known[peer.enrolment] = _Known(held.trust, held.configuration, kid, is_heard=True)
        self._send_to(peer, self._known[peer.enrolment])

    def on_entries(self, peer: TerminalPeer, found: Mapping[int, entries.Entry]) -> None:
        """Entries of a committed batch, before its receipt; the same may come again."""
        known = self._known.setdefault(peer.enrolment, _Known())
        known.is_heard = True
        for entry in found.values():
            match entry.body:
                case entries.Configured(kind=Kind.TRUST, version=version):
                    known.trust = max(known.trust, version)
                case entries.Configured(kind=Kind.CODEBOOK, version=version):
                    self._codebooks.taken(peer.enrolment, version)
                case entries.Configured(version=version):
                    known.configuration = max(known.configuration, version)
                case entries.NewKey(public_key=public):
                    known.kid = kid_of(public)
                case entries.Renewal(request=request):
                    self._keep_request(peer, request)

    def _keep_request(self, peer: TerminalPeer, message: bytes) -> None:
        """For the authority; one that is not this terminal's own goes nowhere."""
        name = peer.identity.name
        try:
            request, _ = renewal.open_request(message, lambda _kind, kid: peer.keys.get(kid))
        except Refused as refused:
            self._log.warning("renewal_refused", terminal=name, reason=str(refused))
            return
        if (request.device, request.enrolment) != (name, peer.enrolment):
            self._log.warning("renewal_refused", terminal=name, reason=f"of {request.device}")
            return
        self._log.info("renewal_asked", terminal=name)
        if self._requests is None:
            return
        try:
            self._requests.mkdir(parents=True, exist_ok=True)
            atomic_write(self._requests / f"{name}.cbor", message, REQUEST_MODE)
        except (StoreFault, OSError) as fault:  # the terminal asks again tomorrow
            self._log.limited("renewal_not_kept", str(fault), terminal=name)

    # --- time ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look once a second for new documents and keys, and send what is due."""
        while True:
            try:
                await self._look()
            except (StoreFull, ConfigFault) as fault:
                self._log.limited("documents_refused", str(fault), effect="last good ones hold")
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        assert self._trust is not None
        if self._ports.trust()[0] > self._trust.version:
            self._take_trust(self._ports.trust()[1])
        is_new = not self._is_announced
        if is_new:
            self._announce()
        self._change_keys(self._trust)  # with no wait before: nothing is sealed by an ended key
        if is_new:
            await self._keep_trust()
        if self._folder.look(self._trust, self._engine.now_ms()):
            self._begin_anew()
        await self._codebooks.look(self._trust, self._ports.registry())
        now_ms = self._clock.monotonic_ms()
        for enrolment, known in self._known.items():
            peer = self._ports.registry().by_enrolment.get(enrolment)
            if peer is not None and known.due_ms <= now_ms and known.sendings < SENDINGS_MAX:
                self._send_to(peer, known)
        await self._alert_of_ended_keys()

    def _take_trust(self, message: bytes) -> None:
        trust = open_trust(message, self._fleet, self._keys.root)
        self._role_keys.check_can_seal(trust, self._engine.now_ms())
        self._trust, self._trust_message, self._is_announced = trust, message, False
        self._folder.forget()
        self._codebooks.forget()
        self._log.info("trust", version=self._trust.version)

    async def _keep_trust(self) -> None:
        assert self._trust is not None
        row = ("trust", self._trust.version, self._trust_message)
        await self._store.commit(
            lambda db: db.execute("INSERT OR REPLACE INTO document VALUES (?, ?, ?)", row)
        )

    def _announce(self) -> None:
        """To everybody at once, whether they are there or not."""
        self._ports.publish(topics.trust(self._fleet), self._trust_message, qos=1, retain=True)
        for peer in self._ports.registry().by_enrolment.values():
            self._ports.send(peer.topic_order, self._trust_message, urgent=True)
        self._is_announced = True
        self._begin_anew()

    def _begin_anew(self) -> None:
        for known in self._known.values():
            known.sendings = known.due_ms = 0

    def _change_keys(self, trust: Trust) -> None:
        self._role_keys.look(trust)
        all_know = all(one.trust >= trust.version for one in self._known.values() if one.is_heard)
        if self._role_keys.change(trust, self._engine.now_ms(), all_know=all_know):
            self._ports.on_new_keys()

    async def _alert_of_ended_keys(self) -> None:
        """Past their end they hold 72 h more: somebody must wake the authority."""
        assert self._trust is not None
        now_ms = self._engine.now_ms()
        alert = f"role-keys-ended-{self._trust.version}"
        ended = sorted(role for role in Role if _newest_end_ms(self._trust, role) < now_ms)
        if ended and alert not in self._engine.board.alerts:
            text = f"keys of {', '.join(ended)} are past their end and hold 72 h more; rotate them"
            self._log.error("role_keys_ended", roles=",".join(ended))
            await self._engine.run(RaiseAlert(now_ms, alert, "role_keys_ended", None, text))

    # --- sending ---------------------------------------------------------------------------------

    def _send_to(self, peer: TerminalPeer, known: _Known) -> None:
        messages = self._wanted(peer, known)
        if not messages:
            known.due_ms = 0
            return
        for message in messages:
            self._ports.send(peer.topic_order, message, urgent=True)
        known.due_ms = self._clock.monotonic_ms() + DISPATCH.delay_ms(known.sendings, 1.0)
        known.sendings += 1

    def _wanted(self, peer: TerminalPeer, known: _Known) -> list[bytes]:
        """What this terminal has not shown to hold, trust first."""
        version, trust = self.trust()
        found = [trust] if known.trust < version else []
        given = self._folder.configuration_for(peer.identity.name)
        if given is not None and known.configuration < given.configuration.version:
            found.append(given.message)
        issued = self._folder.certificates.get(peer.identity.name)
        if issued is not None and issued.certificate.enrolment == peer.enrolment:
            public = issued.certificate.seal_public
            if public == peer.identity.keys[-1] and known.kid != kid_of(public):
                found.append(issued.message)
        return found


def _newest_end_ms(trust: Trust, role: Role) -> int:
    return max((one.not_after_ms for one in trust.role_keys if one.role is role), default=0)


def _held_trust(db: sqlite3.Connection) -> tuple[int, bytes] | None:
    found: tuple[int, bytes] | None = db.execute(
        "SELECT version, message FROM document WHERE kind = 'trust' ORDER BY version DESC LIMIT 1"
    ).fetchone()
    return found
