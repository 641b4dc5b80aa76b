"""What peers send, opened and checked: seal, key, topic, number, age. Nothing else gets in.

A refused message is counted by reason and changes nothing; a good one becomes a command.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable

from matcher.core.commands import ManagerRequest
from matcher.core.positions import PositionBook, Verified
from matcher.engine import Engine
from matcher.journal.logbooks import quarantine
from matcher.logbooks import Logbooks
from matcher.refusals import Refusals
from matcher.registry import Peer, Registry, TerminalPeer
from matcher.sessions import Sessions
from protocol import envelope, session, topics
from protocol import position as positions
from protocol import request as rq
from protocol.cbor import MESSAGE_BYTES_MAX
from protocol.envelope import Kind, keys_by_kid
from protocol.refusal import Reason, Refused
from protocol.topics import RequestTopic, TerminalTopic
from runtime.faults import StoreFault, StoreFull
from runtime.log import Log

REQUEST_BYTES_MAX = 16_384
SETTLE_MS = 2_000  # terminals say within it whether this journal is an older copy
_LINK_KINDS = frozenset({Kind.BIRTH, Kind.WILL})
Reply = Callable[[str, bytes, rq.Reply], None]


class Ingest:
    """Takes one message after the other; `registry` is replaced when identities change."""

    def __init__(
        self,
        registry: Registry,
        engine: Engine,
        book: PositionBook,
        logbooks: Logbooks,
        sessions: Sessions,
        reply: Reply,
        refusals: Refusals,
        log: Log,
    ) -> None:
        self.registry = registry
        self._engine, self._book = engine, book
        self._logbooks, self._sessions = logbooks, sessions
        self._reply, self._refusals, self._log = reply, refusals, log
        self._begun_ms = engine.now_ms()
        self._settled_ms: int | None = None

    def connected(self) -> None:
        """A connection of our own stands: the first one lets terminals speak."""
        if self._settled_ms is None:
            self._settled_ms = self._engine.now_ms() + SETTLE_MS

    async def take(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """Never raises for what a peer sent; a full disk is said and the message repeated later."""
        try:
            if retained:
                raise Refused(Reason.RETAINED, "retained messages are never acted on")
            await self._route(topics.parse(topic), topic, payload)
        except Refused as refused:
            self._refusals.count(refused, topic)
        except StoreFull as full:
            self._log.limited("journal_full", str(full), remedy="free space; nothing is receipted")
        except (StoreFault, sqlite3.Error):
            raise
        except Exception as fault:  # noqa: BLE001  # one poisonous message must not stop the rest
            await self._set_apart(topic, payload, fault)

    async def _set_apart(self, topic: str, payload: bytes, fault: Exception) -> None:
        """An error of ours on one message: kept for a person, counted, tried no second time."""
        self._log.error("poison", fault, topic=topic, bytes=len(payload), acted="no")
        self._refusals.counts["handler_fault"] += 1
        at_ms = self._engine.now_ms()
        await self._engine.run(
            beside=lambda db: quarantine(db, b"", f"handler_fault {topic}", payload, at_ms)
        )

    def _route(
        self, parsed: TerminalTopic | RequestTopic, topic: str, payload: bytes
    ) -> Awaitable[None]:
        if parsed.fleet != self.registry.document.fleet:
            raise Refused(Reason.UNKNOWN_TOPIC, f"fleet {parsed.fleet} is not ours")
        if isinstance(parsed, RequestTopic):
            return self._request(parsed, topic, payload)
        peer = self.registry.terminal(parsed.device)
        if parsed.lane == "position":
            return self._position(peer, payload)
        if parsed.lane == "logbook":
            return self._logbooks.take(peer, topic, payload, self._engine.now_ms())
        if parsed.lane == "link":
            return self._link(peer, topic, payload)
        raise Refused(Reason.UNKNOWN_TOPIC, "only the centre speaks on an order topic")

    async def _position(self, peer: TerminalPeer, payload: bytes) -> None:
        position = positions.decode(peer.opener.open(payload))
        verified = Verified(peer.identity.name, position, payload, self._engine.now_ms())
        self._book.take(peer.enrolment, verified)

    async def _link(self, peer: TerminalPeer, topic: str, payload: bytes) -> None:
        opened = envelope.open_sealed(
            payload,
            kinds=_LINK_KINDS,
            bound_to=topic,
            enrolment=peer.enrolment,
            key_for=keys_by_kid(peer.keys),
            bytes_max=MESSAGE_BYTES_MAX,
        )
        if opened.kind is Kind.WILL:
            will = session.decode_will(opened.payload)
            self._log.debug("will", terminal=peer.identity.name, boot=will.boot)
            return
        birth = session.decode_birth(opened.payload)
        await self._sessions.welcome(peer, birth, self._engine.now_ms(), opened.kid)

    # --- managers ------------------------------------------------------------------------------

    async def _request(self, parsed: RequestTopic, topic: str, payload: bytes) -> None:
        peer = self.registry.manager(parsed.manager)
        opened = envelope.open_sealed(
            payload,
            kinds=frozenset({Kind.REQUEST}),
            bound_to=topic,
            enrolment=peer.enrolment,
            key_for=keys_by_kid(peer.keys),
            bytes_max=REQUEST_BYTES_MAX,
        )
        now_ms = self._engine.now_ms()
        try:
            request = rq.decode_request(opened.payload)
            self._check(request, parsed, peer, now_ms)
            self._check_restored(request)
        except Refused as refused:
            self._refuse(parsed, peer, opened.payload, refused, now_ms)
            raise
        done = self._engine.board.requests.get((peer.enrolment, request.request_id))
        if done is not None:
            if done.digest != rq.digest(opened.payload):
                raise Refused(Reason.REPLAYED, f"{request.request_id} was another request")
            self._reply(parsed.manager, peer.enrolment, rq.decode_reply(done.reply))
            return
        if request.issued_ms < self._begun_ms and self._is_unsettled(now_ms):
            return  # it may be done already, and we an older copy that lost it; it is repeated
        await self._engine.run(
            ManagerRequest(
                now_ms,
                peer.enrolment,
                parsed.manager,
                peer.identity.person or parsed.manager,
                opened.payload,
                (),
                peer.identity.roles,
            )
        )

    @staticmethod
    def _check(request: rq.Common, parsed: RequestTopic, peer: Peer, now_ms: int) -> None:
        verb = getattr(request, "verb", "")
        if verb != parsed.verb:
            raise Refused(Reason.WRONG_KIND, f"verb {verb} on the topic of {parsed.verb}")
        if not rq.ROLES_OF_VERB[verb].intersection(peer.identity.roles):
            may = ", ".join(sorted(rq.ROLES_OF_VERB[verb]))
            raise Refused(Reason.WRONG_ROLE, f"{verb} needs one of: {may}")
        rq.check_times(request, now_ms)

    def _is_unsettled(self, now_ms: int) -> bool:
        return self._settled_ms is None or now_ms < self._settled_ms

    def _check_restored(self, request: rq.Common) -> None:
        """What was done since the copy is forgotten: an older request might be done twice."""
        alerts = self._engine.board.alerts.values()
        restored_ms = max((a.raised_ms for a in alerts if a.kind == "restored_journal"), default=0)
        if request.issued_ms < restored_ms:
            raise Refused(Reason.EXPIRED, "issued before the journal was restored; ask anew")

    def _refuse(
        self, parsed: RequestTopic, peer: Peer, payload: bytes, refused: Refused, now_ms: int
    ) -> None:
        """Whoever sealed it is told why."""
        request_id = rq.request_id_of(payload)
        if request_id is not None:
            reply = rq.Reply(
                request_id=request_id,
                verb=parsed.verb,
                outcome="refused",
                reason=refused.reason.value,
                detail=refused.detail[:300],
                time_ms=now_ms,
            )
            self._reply(parsed.manager, peer.enrolment, reply)
