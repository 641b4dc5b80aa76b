"""A terminal over a real store, without process or broker; its disk can be filled."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.crew import Crew
from agent.core.reporting import Interval
from agent.core.terminal import State
from agent.logbook import Logbook
from agent.logbook_file import Change
from agent.logbook_schema import OPTIONS, SCHEMA
from agent.logbook_sender import LogbookSender
from agent.refusals import Refusals
from agent.seals import Seals
from agent.settings import TrackSettings
from agent.terminal import Terminal
from agent.timekeeper import Timekeeper
from agent.uplink import Uplink
from agent.whereabouts import NewestFix, Whereabouts
from protocol import device, dispatch, entry, identities
from protocol.dispatch import Numbered
from protocol.entry import Alarm, Entry
from protocol.envelope import Kind, seal
from protocol.identities import Role, RoleKey, Trust
from protocol.keys import SealKey
from protocol.words import TimeTrust
from runtime.clock import ManualClock
from runtime.faults import StoreFull
from runtime.log import get_log
from runtime.mqtt_types import Event, Message
from runtime.send_queue import Lane
from runtime.store import Store
from tests.agent.centre import order

FLEET, DEVICE = "zz", "car-1"
NOW_MS = 1_795_000_000_000


class FakeLink:
    """Hands in what the test puts, notes what is released."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[Event] = asyncio.Queue()
        self.released: list[int] = []

    async def events(self) -> AsyncIterator[Event]:
        while True:
            yield await self.inbox.get()

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
    ) -> bool:
        return True

    def puback(self, message: Message) -> None:
        self.released.append(message.mid)


class World:
    """A terminal over a real store whose size can be limited, without process or broker."""

    def __init__(
        self, folder: Path, before: World | None = None, *, size_bytes_max: int = 0
    ) -> None:
        """`before`: the same terminal, started again."""
        options = replace(OPTIONS, size_bytes_max=size_bytes_max)
        self.store = Store(folder / "agent.db", SCHEMA, options)
        key, root, role = (SealKey(Ed25519PrivateKey.generate()) for _ in range(3))
        self.role_key = role
        self.enrolment: bytes = secrets.token_bytes(16) if before is None else before.enrolment
        self.clock = ManualClock(NOW_MS)
        self.logbook = Logbook(self.store, self.enrolment, key.public)
        self.logbook.begin_now(
            lambda boot, start: Change((Entry(NOW_MS, 2, boot, 0, None, start),))
        )
        timekeeper = Timekeeper(self.clock, 0, lambda: TimeTrust.NTP)
        newest = NewestFix()
        self.terminal = Terminal(
            self.logbook, timekeeper, State(Crew(1, "621", status=1)), newest.here
        )
        self.seals = seals = Seals(FLEET, DEVICE, self.enrolment, key, root.verify_key)
        roles = (Role.DISPATCH, Role.CONFIGURATION)
        trust = Trust(FLEET, 1, 0, tuple(RoleKey(r, role.public, 0, 1 << 42) for r in roles))
        document = seal(Kind.TRUST, FLEET, b"", identities.encode(trust), root)
        seals.believe(seals.open_trust(document), document)
        self.topic, self.link = seals.order_topic, FakeLink()
        self.uplink = Uplink(self.link, self.terminal, seals, Refusals(get_log("test")))
        sender = LogbookSender(
            self.logbook, self.terminal, seals, self.uplink.send_batch, lambda: None
        )
        self.whereabouts = Whereabouts(
            self.terminal, timekeeper, newest, Interval(5, 50, 10),
            TrackSettings(entry_s=2, fixes_max=2), self.uplink.send_position, 4000,
        )  # fmt: skip
        self.uplink.attach(sender, self.whereabouts)

    async def fill(self) -> None:
        """No page more, and not the smallest entry in the last ones."""
        self.store.commit_now(
            lambda c: c.execute(
                "PRAGMA max_page_count=" + str(c.execute("PRAGMA page_count").fetchone()[0])
            ).fetchone()
        )
        for text in ("x" * 150, "x"):
            change = Change((self.terminal.entry(Alarm("filler", text)),))
            with contextlib.suppress(StoreFull):
                for _ in range(100):
                    await self.logbook.commit(lambda _n, change=change: change)  # type: ignore[misc]

    def free(self) -> None:
        self.store.commit_now(lambda c: c.execute("PRAGMA max_page_count=100000").fetchone())

    def order_message(self, mid: int) -> Message:
        body = order(f"o-{mid}", 1, issued_ms=NOW_MS, expires_ms=NOW_MS + 60_000)
        payload = dispatch.encode(Numbered(1, mid, body))
        sealed = seal(Kind.DISPATCH, self.topic, self.enrolment, payload, self.role_key)
        return Message(self.topic, sealed, 1, False, False, mid, 1)

    async def bodies(self, kind: type) -> list[entry.Body]:
        rows = await self.logbook.read(1, self.logbook.synced_n, 1 << 20)
        found = [entry.decode(row.data).body for row in rows]
        return [body for body in found if isinstance(body, kind)]


def event(number: int) -> device.Event:
    return device.Event(
        device="body-1", device_kind="recorder", boot=1, event=number, name="mark",
        detail={"text": "y" * 256},
    )  # fmt: skip


async def until(true: Callable[[], object], what: str) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)
    assert true(), what
