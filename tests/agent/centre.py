"""A small fake centre for tests: opens what a terminal says, answers as the contract says.

It keeps every entry that it has receipted, checks each chain link, and counts what it was told.
Not the matcher: it decides nothing, the test does.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from protocol import dispatch, entry, logbook, position, session, topics
from protocol.dispatch import Numbered, Order, Place, Plan
from protocol.entry import Entry
from protocol.envelope import Kind, PositionOpener, open_sealed, seal
from protocol.identities import Role
from protocol.keys import SealKey
from protocol.logbook import Head, Receipt
from protocol.order import OrderKind
from protocol.position import Position
from protocol.session import Birth, Welcome
from tests.agent.enrolled import DEVICE, FLEET, Enrolment, now_ms
from tests.pki import Identity

DEADLINE_S = 15.0


class Centre:
    """Connects on construction; `wait` waits for what a test expects."""

    def __init__(self, enrolment: Enrolment, port: int, identity: Identity) -> None:
        self._enrolment = enrolment
        self.news = threading.Condition()
        self.positions: list[Position] = []
        self.births: list[Birth] = []
        self.sealed_births: list[bytes] = []
        self.entries: dict[bytes, dict[int, Entry]] = {}  # by logbook
        self.heads: dict[bytes, dict[int, bytes]] = {}
        self.batches: list[bytes] = []
        self.faults: list[str] = []
        self.gives_receipts = self.gives_welcomes = True
        self.term, self.counter, self.highest_boot = 1, 0, 0
        self._welcomed_boot = 0
        self._topic = topics.terminal(FLEET, DEVICE, "order")
        key = enrolment.terminal_key.verify_key
        self._opener = PositionOpener(
            topics.terminal(FLEET, DEVICE, "position"), enrolment.enrolment, (key,)
        )
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, "centre", protocol=mqtt.MQTTv5, manual_ack=False
        )
        context = ssl.create_default_context(cafile=str(enrolment.ca_file))
        context.load_cert_chain(identity.cert_file, identity.key_file)
        self._client.tls_set_context(context)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port, keepalive=30)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait(self, true: Callable[[], Any], what: str, timeout_s: float = DEADLINE_S) -> Any:
        """The first true value of `true()`; fails naming `what` after `timeout_s`."""
        found = self.happens(true, timeout_s)
        assert found, f"no {what} in {timeout_s} s; faults {self.faults}"
        assert not self.faults, self.faults
        return found

    def happens(self, true: Callable[[], Any], timeout_s: float) -> Any:
        """The first true value of `true()`, or the last false one after `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        with self.news:
            while not (found := true()):
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    break
                self.news.wait(left_s)
        return found

    def bodies(self, kind: type[Any]) -> list[Any]:
        """Bodies of one kind, of all logbooks, in order."""
        return [
            one.body
            for book in self.entries.values()
            for _, one in sorted(book.items())
            if isinstance(one.body, kind)
        ]

    def send(
        self, kind: Kind, payload: bytes, retain: bool = False, key: SealKey | None = None
    ) -> bytes:
        role = Role.RECEIPT if kind is Kind.RECEIPT else Role.DISPATCH
        sealed = seal(
            kind,
            self._topic,
            self._enrolment.enrolment,
            payload,
            key or self._enrolment.roles[role],
        )
        self.send_bytes(sealed, retain)
        return sealed

    def send_bytes(self, message: bytes, retain: bool = False) -> None:
        self._client.publish(self._topic, message, qos=1, retain=retain).wait_for_publish(5)

    def dispatch(self, body: Any) -> bytes:
        self.counter += 1
        return self.send(Kind.DISPATCH, dispatch.encode(Numbered(self.term, self.counter, body)))

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        for lane in ("position", "logbook", "link"):
            client.subscribe(topics.all_terminals(FLEET, lane), qos=1)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            self._take(message.topic, bytes(message.payload))
        except Exception as fault:  # noqa: BLE001 - told to the test
            self.faults.append(f"{message.topic}: {fault!r}")
        with self.news:
            self.news.notify_all()

    def _take(self, topic: str, payload: bytes) -> None:
        lane = topic.rsplit("/", 1)[1]
        if lane == "position":
            self.positions.append(position.decode(self._opener.open(payload)))
        elif lane == "logbook":
            self._take_batch(topic, payload)
        else:
            kind, opened = self._open(topic, payload, frozenset({Kind.BIRTH, Kind.WILL}))
            if kind is Kind.BIRTH:
                self.sealed_births.append(payload)
                self.births.append(session.decode_birth(opened))
                if self.gives_welcomes:
                    self.welcome()

    def _open(self, topic: str, payload: bytes, kinds: frozenset[Kind]) -> tuple[Kind, bytes]:
        opened = open_sealed(
            payload,
            kinds=kinds,
            bound_to=topic,
            enrolment=self._enrolment.enrolment,
            key_for=lambda _kind, _kid: self._enrolment.terminal_key.verify_key,
        )
        return opened.kind, opened.payload

    def new_session(self) -> None:
        """Whoever comes next is not the connection that was welcomed."""
        self._welcomed_boot = 0

    def welcome(self) -> None:
        birth = self.births[-1]
        n, head = self.contiguous(birth.logbook)
        # a further connection of a boot that was welcomed is no clash
        highest = birth.boot - 1 if birth.boot == self._welcomed_boot else self.highest_boot
        if birth.boot > highest:
            self._welcomed_boot = self.highest_boot = birth.boot
        payload = session.encode(
            Welcome(birth.nonce, now_ms(), self.term, highest, birth.logbook, n, head, None)
        )
        self._publish(Kind.WELCOME, payload, Role.DISPATCH)

    def contiguous(self, book: bytes) -> tuple[int, bytes]:
        held, n = self.entries.get(book, {}), 0
        while n + 1 in held:
            n += 1
        return n, self.heads[book][n] if n else bytes(32)

    def receipt(self, book: bytes) -> None:
        n, head = self.contiguous(book)
        beyond = sorted(m for m in self.entries[book] if m > n)
        ranges: list[tuple[int, int]] = []
        for m in beyond:
            if ranges and ranges[-1][1] == m - 1:
                ranges[-1] = (ranges[-1][0], m)
            else:
                ranges.append((m, m))
        self._publish(
            Kind.RECEIPT, logbook.encode_receipt(Receipt(book, n, head, tuple(ranges[:32]))),
            Role.RECEIPT,
        )  # fmt: skip

    def _publish(self, kind: Kind, payload: bytes, role: Role) -> None:
        sealed = seal(
            kind, self._topic, self._enrolment.enrolment, payload, self._enrolment.roles[role]
        )
        self._client.publish(self._topic, sealed, qos=1)

    def _take_batch(self, topic: str, payload: bytes) -> None:
        batch = logbook.decode_batch(payload)
        _, sealed = self._open(topic, batch.sealed_head, frozenset({Kind.BATCH}))
        head = logbook.decode_head(sealed)
        logbook.check_joins(head, batch.items)
        self.batches.append(payload)
        if self.gives_receipts:
            self._keep(head, batch)
            self.receipt(head.logbook)

    def _keep(self, head: Head, batch: logbook.Batch) -> None:
        held = self.entries.setdefault(head.logbook, {})
        heads = self.heads.setdefault(head.logbook, {})
        before = heads.get(head.first - 1)
        assert head.first == 1 or before in (None, head.head_before), "the chain does not join"
        value = head.head_before
        for n, item in enumerate(batch.items, head.first):
            assert item.data is not None
            value = logbook.chain(value, n, item.digest)
            assert heads.setdefault(n, value) == value, f"entry {n} has changed"
            held.setdefault(n, entry.decode(item.data))


def order(name: str, logon: int | None, **changes: Any) -> Order:
    """An order as the matcher would issue it now."""
    fields: dict[str, Any] = {
        "order": name, "revision": 1, "revision_class": 0, "incident": "i-1", "number": "0001",
        "unit": "621", "logon": logon, "kind": OrderKind.ASSIGN, "priority": 1,
        "incident_kind": "robbery", "issued_ms": now_ms(), "expires_ms": now_ms() + 60_000,
        "answer_s": 10, "issuer": "rule", "hazards": (),
        "place": Place(245_130_000, 1_176_470_000, "wgs84", "caller", 10, "Xiamen Road 3"),
        "notes": "", "plan": Plan(1, 1, ("621",)), "eta_s": 60,
    }  # fmt: skip
    return Order(**(fields | changes))
