"""The terminal's end of the line: seals and names what goes out, opens and judges what comes in.

At each connection a birth is repeated unchanged until the welcome that echoes its nonce; positions
go at once, logbook batches after the welcome. A further welcome says that the centre was away: the
position and what is under way go again at once; one that does not know this birth, or a lower
term, brings a new birth (decision 0019). A message is released at the broker (puback) once
what it led to is synced, and so is a refused one, lest it come back for ever; with a full disk it
is neither, and tried again each second. Runs over `runtime.mqtt_link`; wired by `agent.app`.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final, Protocol

from agent.births import Births
from agent.logbook_file import Change
from agent.logbook_sender import LogbookSender
from agent.refusals import Refusals
from agent.seals import Seals, kind_of
from agent.terminal import Terminal
from agent.whereabouts import Whereabouts
from protocol import dispatch, session
from protocol import logbook as logbook_wire
from protocol import position as position_wire
from protocol.entry import Alarm, Configured
from protocol.envelope import Kind, Opened
from protocol.position import Position
from protocol.refusal import Reason, Refused
from protocol.session import Welcome, Will
from runtime.faults import StoreBusy, StoreFull
from runtime.log import get_log
from runtime.mqtt_types import Connected, ConnectFailed, Disconnected, Event, LinkReason, Message
from runtime.mqtt_types import Will as LinkWill
from runtime.send_queue import Lane

log = get_log("uplink")

HELD_MAX: Final = 64  # messages that wait for room on the disk
HELD_RETRY_S: Final = 1.0
TWIN_AGAIN_MS: Final = 60_000
LATE_MS: Final = 1_000  # a welcome comes at once where the centre is there
TRUST_KEY: Final = "trust"


class Link(Protocol):
    """What the uplink needs of `runtime.mqtt_link.MqttLink`."""

    def events(self) -> AsyncIterator[Event]: ...

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        expiry_s: float | None = None,
        lane: Lane = Lane.NORMAL,
        key: str | None = None,
    ) -> bool: ...

    def puback(self, message: Message) -> None: ...


class Uplink:
    """One connection after the other; `is_up` and `welcomed` describe the present one."""

    def __init__(self, link: Link, terminal: Terminal, seals: Seals, refusals: Refusals) -> None:
        self._link, self._terminal, self._seals = link, terminal, seals
        self._refusals = refusals
        self.is_up = self.welcomed = False
        self.welcomes = 0  # births that were welcomed
        self.handlers: Mapping[Kind, Callable[[bytes], Awaitable[None]]] = {}  # documents
        self._connection = 0
        self._births = Births(
            terminal, seals, self._publish_birth, lambda: self.is_up and not self.welcomed
        )
        self._twin_again_ms = 0
        self._connected_ms, self._answered_nonce = 0, b""
        self._held: deque[Message] = deque(maxlen=HELD_MAX)
        self._something_held = asyncio.Event()
        self._sender: LogbookSender | None = None
        self._whereabouts: Whereabouts | None = None

    def attach(self, sender: LogbookSender, whereabouts: Whereabouts) -> None:
        """Who is told of connections; once, before `run`."""
        self._sender, self._whereabouts = sender, whereabouts

    def will(self, connection: int) -> LinkWill:
        """The sealed will of a connection that is about to be made."""
        will = Will(self._terminal.logbook.boot, connection)
        sealed = self._seals.seal(Kind.WILL, "link", session.encode(will))
        return LinkWill(topic=self._seals.topic("link"), payload=sealed)

    def send_position(self, position: Position) -> bool:
        """Seal and hand over the newest position; it replaces one that still waits."""
        payload = position_wire.encode(position)
        return self._link.publish(
            self._seals.topic("position"),
            self._seals.seal(Kind.POSITION, "position", payload),
            lane=Lane.LATEST,
        )

    def send_batch(self, message: bytes, urgent: bool) -> bool:
        lane = Lane.URGENT if urgent else Lane.NORMAL
        return self._link.publish(self._seals.topic("logbook"), message, qos=1, lane=lane)

    def _publish_birth(self, sealed: bytes) -> None:
        self._link.publish(self._seals.topic("link"), sealed, qos=1, lane=Lane.URGENT)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._receive(), name="receive")
            tasks.create_task(self._births.run(), name="births")
            tasks.create_task(self._retry_held(), name="held messages")

    async def _receive(self) -> None:
        async for event in self._link.events():
            match event:
                case Connected():
                    self._connected(event)
                case Disconnected():
                    self._disconnected()
                    await self._tell_twin(event)
                case ConnectFailed():
                    pass  # the link has told it
                case Message():
                    await self._message(event)

    def _connected(self, event: Connected) -> None:
        assert self._whereabouts is not None
        self.is_up, self.welcomed, self._connection = True, False, event.connection
        self._connected_ms = self._terminal.timekeeper.uptime_ms()
        self._whereabouts.connected()
        self._births.new(self._connection)
        self._terminal.changed()

    def _disconnected(self) -> None:
        assert self._whereabouts is not None
        assert self._sender is not None
        self.is_up = self.welcomed = False
        self._held.clear()  # the centre repeats what it has no `delivered` for
        self._whereabouts.disconnected()
        self._sender.shut()
        self._births.stir()
        self._terminal.changed()

    async def _tell_twin(self, event: Disconnected) -> None:
        """Somebody else connected with this terminal's certificate."""
        now_ms = self._terminal.timekeeper.uptime_ms()
        if event.reason is LinkReason.TAKEN_OVER and now_ms >= self._twin_again_ms:
            self._twin_again_ms = now_ms + TWIN_AGAIN_MS
            await self._terminal.note(Alarm("twin_terminal", "another uses our certificate"))

    async def _message(self, message: Message) -> None:
        try:
            await self._judged(message)
        except Refused as refused:
            self._refusals.add(message.topic, refused)
            if refused.reason in {Reason.UNKNOWN_KEY, Reason.EXPIRED}:
                self._born_again()  # a trust document may have passed us: the welcome brings it
            self._terminal.stirred()
        except (StoreFull, StoreBusy):
            if len(self._held) < HELD_MAX and message not in self._held:
                self._held.append(message)
                self._something_held.set()
            return
        self._link.puback(message)

    async def _judged(self, message: Message) -> None:
        """Raises Refused, StoreFull."""
        if message.retain:
            raise Refused(Reason.RETAINED, "an order is never retained")
        if message.topic != self._seals.order_topic:
            raise Refused(Reason.UNKNOWN_TOPIC, f"{message.topic!r:.80}")
        if kind_of(message.payload) is Kind.TRUST:
            await self._trust(message.payload)
            return
        now = self._terminal.timekeeper.now()
        opened = self._seals.open(message.payload, now.utc_ms if now.trusted else None)
        try:
            await self._act(opened, message.payload)
        finally:
            self._births.soon()

    def _is_late_welcome(self) -> bool:
        """Whether what was said at the connection may have had no hearer."""
        return self._terminal.timekeeper.uptime_ms() - self._connected_ms >= LATE_MS

    def ask_welcome(self) -> None:
        """A new birth, as at a new connection; not more often than each few seconds."""
        self._born_again()

    def _born_again(self) -> None:
        """The centre does not know this connection, or has lost what it knew: say it anew."""
        if self.welcomed and self._births.may_begin_anew():
            self.welcomed = False
            log.info("birth_again")
            self._births.anew(self._connection)

    async def _act(self, opened: Opened, sealed: bytes) -> None:
        assert self._sender is not None
        match opened.kind:
            case Kind.DISPATCH:
                await self._terminal.take(dispatch.decode(opened.payload))
            case Kind.RECEIPT:
                await self._sender.receipt(logbook_wire.decode_receipt(opened.payload), sealed)
            case Kind.WELCOME:
                await self._welcome(session.decode_welcome(opened.payload))
            case kind if kind in self.handlers:
                await self.handlers[kind](opened.payload)
            case _:
                log.limited("not_used_yet", opened.kind.value)

    async def _trust(self, document: bytes) -> None:
        """Root-signed, so it needs no role key and no clock."""
        if document == self._seals.trust_document:
            return
        trust = self._seals.open_trust(document)
        entry = self._terminal.entry(Configured(Kind.TRUST.value, trust.version))
        await self._terminal.commit(lambda _n: Change((entry,), meta={TRUST_KEY: document}))
        self._seals.believe(trust, document)
        self._terminal.timekeeper.raise_floor(trust.issued_ms)
        log.info("trust", version=trust.version)

    async def _welcome(self, welcome: Welcome) -> None:
        assert self._sender is not None
        assert self._whereabouts is not None
        if not self._births.is_newest(welcome.nonce):
            self._born_again()
            if self._births.is_own(welcome.nonce) or welcome.nonce == session.NO_NONCE:
                return  # of an earlier birth, overtaken; or of a centre that knows of none
            raise Refused(Reason.REPLAYED, "welcome echoes no nonce of this start")
        again = welcome.nonce == self._answered_nonce
        self._terminal.timekeeper.saw_welcome(welcome.time_ms, again=again)
        self._answered_nonce = welcome.nonce
        if await self._boot_is_taken(welcome.highest_boot):
            return
        if self.welcomed and welcome.term < self._terminal.state.window.term:
            self._born_again()  # a centre restored from a copy: the birth says which term was seen
            return
        await self._terminal.raise_term(welcome.term)
        await self._sender.welcome(welcome.logbook, welcome.n, welcome.head)
        await self._terminal.time_trusted()
        self._sender.open()
        if self.welcomed or self._is_late_welcome():
            self._whereabouts.asked()
        if self.welcomed:
            return
        self.welcomed = True
        self.welcomes += 1
        log.info("welcomed", term=welcome.term, n=welcome.n)
        self._births.stir()
        self._terminal.changed()

    async def _boot_is_taken(self, highest_boot: int) -> bool:
        """Whether the store was set back: then a higher boot, and a birth that says so."""
        logbook = self._terminal.logbook
        is_taken = highest_boot >= logbook.boot
        if is_taken:
            log.warning("boot_raised", boot=logbook.boot, highest=highest_boot)
            await logbook.raise_boot(highest_boot + 1)
            text = f"the centre has seen boot {highest_boot} already: was the store set back?"
            await self._terminal.note(Alarm("boot_raised", text))
            self._births.new(self._connection)
        return is_taken

    async def _retry_held(self) -> None:
        """Messages that met a full disk; the centre repeats them too, which does no harm."""
        while True:
            await self._something_held.wait()
            self._something_held.clear()
            await asyncio.sleep(HELD_RETRY_S)
            for _ in range(len(self._held)):
                if self._held:
                    await self._message(self._held.popleft())
