"""Logbook entries: everything that must not be lost, one CBOR array each.

    [kind, time_ms, time_trust, boot, uptime_ms, logon, body]

`uptime_ms` orders entries of one boot whatever the clock does; `logon` is the log-on number in
force. A body is an array whose fields are named below and in docs/protocol/outrider.cddl.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from protocol import cbor
from protocol.entry_bodies import (
    Alarm,
    Body,
    Configured,
    Delivered,
    DeviceEvent,
    Health,
    Here,
    Logoff,
    Logon,
    MessageAnswer,
    NewKey,
    OrderAnswer,
    Renewal,
    Start,
    StatusChange,
    Thinned,
    Track,
)
from protocol.fields import (
    TIME_MS_MAX,
    U16,
    U32,
    Check,
    flag,
    integer,
    many,
    maybe,
    octets,
    pair,
    plain,
    record,
    text,
    time_ms,
    uint,
)
from protocol.logbook import ENTRY_BYTES_MAX
from protocol.position import LAT_MAX, LON_MAX
from protocol.pruned import PROOF_BYTES_MAX, Pruned
from protocol.refusal import Reason, Refused


class EntryKind(IntEnum):
    START = 1
    TRACK = 2
    STATUS = 3
    ANSWER = 4
    DELIVERED = 5
    DEVICE = 6
    ALARM = 7
    HEALTH = 8
    CONFIGURED = 9
    THINNED = 10
    KEY = 11
    LOGON = 12
    LOGOFF = 13
    RENEWAL = 14
    MESSAGE = 15
    PRUNED = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry with what is common to all."""

    time_ms: int
    time_trust: int
    boot: int
    uptime_ms: int
    logon: int | None
    body: Body

    @property
    def kind(self) -> EntryKind:
        return KIND_OF[type(self.body)]


def _scalar(value: object, place: str) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return integer(-(1 << 63), (1 << 63) - 1)(value, place)
    if isinstance(value, bytes):
        return octets(size_max=64)(value, place)
    return text(256)(value, place)


_id = text(31)
_n = uint(U32)
_here = record(
    Here,
    integer(-LAT_MAX, LAT_MAX),
    integer(-LON_MAX, LON_MAX),
    maybe(uint(U16)),
    uint(U32),
)
_digest = octets(32)
_TABLE: Final[tuple[tuple[EntryKind, type[Any], Check], ...]] = (
    (EntryKind.START, Start,
     record(Start, text(32), flag, maybe(octets(16)), maybe(_digest))),
    (EntryKind.TRACK, Track, record(Track, integer(1, 9), integer(1, 600), octets(size_max=2800))),
    (EntryKind.STATUS, StatusChange, record(StatusChange, uint(10), maybe(text(32)))),
    (EntryKind.ANSWER, OrderAnswer,
     record(OrderAnswer, _id, uint(U16), integer(1, 6), integer(1, 3), maybe(text(32)),
            maybe(text(32)), maybe(_here))),
    (EntryKind.DELIVERED, Delivered,
     record(Delivered, _n, _n, maybe(_id), maybe(uint(U16)), text(32))),
    (EntryKind.DEVICE, DeviceEvent,
     record(DeviceEvent, _id, text(16), _n, _n, text(32), maybe(time_ms),
            many(pair(text(32), _scalar), 16), maybe(_here), maybe(_id))),
    (EntryKind.ALARM, Alarm, record(Alarm, text(32), text(200))),
    (EntryKind.HEALTH, Health, record(Health, many(pair(text(48), uint(1 << 62)), 64))),
    (EntryKind.CONFIGURED, Configured, record(Configured, text(16), _n)),
    (EntryKind.THINNED, Thinned, record(Thinned, text(32), _n, many(pair(_n, _n), 128, 1))),
    (EntryKind.KEY, NewKey, record(NewKey, _digest)),
    (EntryKind.LOGON, Logon,
     record(Logon, _n, _id, maybe(_id), many(text(16), 8), maybe(text(16)),
            many(pair(_id, maybe(text(16))), 8))),
    (EntryKind.LOGOFF, Logoff, record(Logoff, _n, maybe(text(32)))),
    (EntryKind.RENEWAL, Renewal, record(Renewal, octets())),
    (EntryKind.MESSAGE, MessageAnswer, record(MessageAnswer, _id, text(32))),
    (EntryKind.PRUNED, Pruned, record(Pruned, _n, _digest, octets(size_max=PROOF_BYTES_MAX))),
)  # fmt: skip

KIND_OF: Final = {cls: kind for kind, cls, _ in _TABLE}
_CHECK: Final = {kind: check for kind, _, check in _TABLE}

# Entries that go before the backlog, each as a batch of one.
URGENT: Final = frozenset(
    {
        EntryKind.STATUS,
        EntryKind.ANSWER,
        EntryKind.DELIVERED,
        EntryKind.LOGON,
        EntryKind.LOGOFF,
        EntryKind.MESSAGE,
        EntryKind.PRUNED,
    }
)


def is_urgent(body: Body) -> bool:
    """Answers, statuses, deliveries and an SOS do not wait behind the track."""
    return KIND_OF[type(body)] in URGENT or (isinstance(body, DeviceEvent) and body.name == "sos")


def encode(entry: Entry) -> bytes:
    """The bytes whose digest enters the chain; raises Refused(too_large) if over the limit."""
    data = cbor.encode(
        [
            int(entry.kind), entry.time_ms, entry.time_trust, entry.boot, entry.uptime_ms,
            entry.logon, plain(entry.body),
        ]
    )  # fmt: skip
    if len(data) > ENTRY_BYTES_MAX:
        raise Refused(Reason.TOO_LARGE, f"entry of {len(data)} bytes; at most {ENTRY_BYTES_MAX}")
    return data


def decode(data: bytes) -> Entry:
    """Raises Refused."""
    a = cbor.array(cbor.decode(data), 7, "entry")
    if type(a[0]) is not int or a[0] not in _CHECK:
        raise Refused(Reason.MALFORMED, f"entry: unknown kind {a[0]!r:.20}")
    kind = EntryKind(a[0])
    return Entry(
        uint(TIME_MS_MAX)(a[1], "entry.time_ms"),
        uint(3)(a[2], "entry.time_trust"),
        uint(U32)(a[3], "entry.boot"),
        uint(1 << 53)(a[4], "entry.uptime_ms"),
        maybe(_n)(a[5], "entry.logon"),
        _CHECK[kind](a[6], kind.name.lower()),
    )


__all__ = [
    "KIND_OF",
    "URGENT",
    "Alarm",
    "Body",
    "Configured",
    "Delivered",
    "DeviceEvent",
    "Entry",
    "EntryKind",
    "Health",
    "Here",
    "Logoff",
    "Logon",
    "MessageAnswer",
    "NewKey",
    "OrderAnswer",
    "Renewal",
    "Start",
    "StatusChange",
    "Thinned",
    "Track",
    "decode",
    "encode",
    "is_urgent",
]
