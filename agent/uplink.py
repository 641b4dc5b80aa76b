"""The terminal's end of the line: seals and names what goes out, opens and judges what comes in.

At each connection a birth is repeated unchanged until the welcome that echoes its nonce; positions
go at once, logbook batches after the welcome. A message is released at the broker (puback) once
what it led to is synced, and so is a refused one, lest it come back for ever; with a full disk it
is neither, and tried again each second. Runs over `runtime.mqtt_link`; wired by `agent.app`.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator
from typing import Final, Protocol

from agent.logbook_file import Change
from agent.logbook_sender import LogbookSender
from agent.refusals import Refusals
from agent.seals import Seals, fresh_nonce, kind_of
from agent.terminal import Terminal
from agent.waiting import wait_at_most
from agent.whereabouts import Whereabouts
from protocol import dispatch, session
from protocol import logbook as logbook_wire
from protocol import position as position_wire
from protocol.entry import Alarm, Configured
from protocol.envelope import Kind, Opened
from protocol.position import Position
from protocol.refusal import Reason, Refused
from protocol.repeats import BIRTH
from protocol.session import Birth, Versions, Welcome, Will
from runtime.faults import StoreBusy, StoreFull
from runtime.log import get_log
from runtime.mqtt_types import Connected, ConnectFailed, Disconnected, Event, LinkReason, Message
from runtime.mqtt_types import Will as LinkWill
from runtime.send_queue import Lane

log = get_log("uplink")

HELD_MAX: Final = 64  # messages that wait for room on the disk
HELD_RETRY_S: Final = 1.0
TWIN_AGAIN_MS: Final = 60_000
NONCES_KEPT: Final = 16
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
        self._connection = 0
        self._nonces: deque[bytes] = deque(maxlen=NONCES_KEPT)
        self._birth = b""
        self._birth_changed = asyncio.Event()
        self._twin_again_ms = 0
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

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._receive(), name="receive")
            tasks.create_task(self._repeat_births(), name="births")
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
        self._whereabouts.connected()
        self._new_birth()
        self._terminal.changed()

    def _disconnected(self) -> None:
        assert self._whereabouts is not None
        assert self._sender is not None
        self.is_up = self.welcomed = False
        self._held.clear()  # the centre repeats what it has no `delivered` for
        self._whereabouts.disconnected()
        self._sender.shut()
        self._birth_changed.set()
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
        await self._act(opened)

    async def _act(self, opened: Opened) -> None:
        assert self._sender is not None
        match opened.kind:
            case Kind.DISPATCH:
                await self._terminal.take(dispatch.decode(opened.payload))
            case Kind.RECEIPT:
                await self._sender.receipt(logbook_wire.decode_receipt(opened.payload))
            case Kind.WELCOME:
                await self._welcome(session.decode_welcome(opened.payload))
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
        if not self._nonces or welcome.nonce != self._nonces[-1]:
            if welcome.nonce in self._nonces:
                return  # of an earlier birth, overtaken
            raise Refused(Reason.REPLAYED, "welcome echoes no nonce of this start")
        self._terminal.timekeeper.saw_welcome(welcome.time_ms)
        if await self._boot_is_taken(welcome.highest_boot):
            return
        await self._terminal.raise_term(welcome.term)
        await self._sender.welcome(welcome.logbook, welcome.n, welcome.head)
        await self._terminal.time_trusted()
        if not self.welcomed:
            self.welcomed = True
            log.info("welcomed", term=welcome.term, n=welcome.n)
            self._sender.open()
            self._birth_changed.set()
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
            self._new_birth()
        return is_taken

    def _new_birth(self) -> None:
        self._nonces.append(fresh_nonce())
        state, logbook = self._terminal.state, self._terminal.logbook
        now = self._terminal.timekeeper.now()
        birth = Birth(
            logbook.boot, self._connection, self._nonces[-1], logbook.book.id,
            logbook.book.base_n + 1, logbook.synced_n, logbook.synced_head, state.window.term,
            state.window.floor, state.crew.logon, now.utc_ms, int(now.trust),
            Versions(self._seals.trust_version, 0, 0, 0),
        )  # fmt: skip
        self._birth = self._seals.seal(Kind.BIRTH, "link", session.encode(birth))
        self._birth_changed.set()

    async def _repeat_births(self) -> None:
        birth, sendings = b"", 0
        while True:
            if birth != self._birth:
                birth, sendings = self._birth, 0
            wait_s: float | None = None
            if self.is_up and not self.welcomed:
                self._link.publish(self._seals.topic("link"), birth, qos=1, lane=Lane.URGENT)
                wait_s = BIRTH.delay_ms(sendings, random.random()) / 1000
                sendings += 1
            await wait_at_most(self._birth_changed, wait_s)

    async def _retry_held(self) -> None:
        """Messages that met a full disk; the centre repeats them too, which does no harm."""
        while True:
            await self._something_held.wait()
            self._something_held.clear()
            await asyncio.sleep(HELD_RETRY_S)
            for _ in range(len(self._held)):
                if self._held:
                    await self._message(self._held.popleft())
