"""One value of every payload, keys from fixed seeds, and the three-line seal of each kind."""

from __future__ import annotations

from typing import Final

from protocol import (
    cbor,
    configuration,
    dispatch,
    entry,
    envelope,
    identities,
    logbook,
    position,
    renewal,
    request,
    session,
    topics,
)
from protocol.configuration import Configuration
from protocol.dispatch import (
    Answered,
    Bind,
    Cancel,
    Confirm,
    ConfirmState,
    Message,
    Numbered,
    Order,
    Place,
    Plan,
)
from protocol.entry import Entry, Here
from protocol.envelope import Kind
from protocol.fields import plain
from protocol.identities import (
    Identities,
    Identity,
    IdentityKind,
    Role,
    RoleKey,
    State,
    Trust,
)
from protocol.keys import SealKey
from protocol.logbook import Head, Item, Receipt
from protocol.order import Answer, OrderKind
from protocol.position import Position
from protocol.pruned import Pruned
from protocol.renewal import NewCertificate, RenewalRequest
from protocol.session import Birth, Versions, Welcome, Will
from protocol.track import CODEC, TrackPoint, pack

FLEET: Final = "zz"
DEVICE: Final = "car-7"
MANAGER: Final = "d07-desk"
ENROLMENT: Final = bytes(range(16))
LOGBOOK: Final = bytes(range(16, 32))
NONCE: Final = bytes(range(32, 48))
NOW_MS: Final = 1_795_500_000_123

TERMINAL_KEY: Final = SealKey.from_seed(b"terminal".ljust(32, b"."))
CENTRE_KEY: Final = SealKey.from_seed(b"centre".ljust(32, b"."))
MANAGER_KEY: Final = SealKey.from_seed(b"manager".ljust(32, b"."))
ROOT_KEY: Final = SealKey.from_seed(b"root".ljust(32, b"."))
OTHER_KEY: Final = SealKey.from_seed(b"other".ljust(32, b"."))

POSITION: Final = Position(
    boot=7, sequence=4711, time_ms=NOW_MS, time_trust=3, lat_e7=245_130_012,
    lon_e7=1_176_470_034, accuracy_m=4, speed_cm_s=1234, course_ddeg=917, motion=0x1F,
    fix_kind=2, status=1, flags=0, next_s=10, entry_count=230,
    entry_head=bytes.fromhex("0011223344556677"),
)  # fmt: skip
BIRTH: Final = Birth(
    7, 2, NONCE, LOGBOOK, 1, 230, bytes(32), 3, 17, 41, NOW_MS, 3, Versions(1, 0, 0, 0)
)
WELCOME: Final = Welcome(NONCE, NOW_MS, 3, 6, LOGBOOK, 228, b"h" * 32, 41)
WILL: Final = Will(7, 2)
RECEIPT: Final = Receipt(LOGBOOK, 228, b"h" * 32, ((230, 230), (232, 240)))
PLACE: Final = Place(245_140_000, 1_176_480_000, "wgs84", "caller", 20, "北京路 1 号")
ORDER: Final = Numbered(
    3, 18,
    Order(
        "o-3-18", 1, 0, "i-3-5", "5", "621", 41, OrderKind.ASSIGN, 1, "traffic_accident", NOW_MS,
        NOW_MS + 120_000, 10, "rule:auto", ("fire",), PLACE, "two cars", Plan(2, 3, ("618",)), 24,
    ),
)  # fmt: skip
CONFIRM: Final = Numbered(3, 19, Confirm("o-3-18", "i-3-5", ConfirmState.HELD, None, NOW_MS))
CANCEL: Final = Numbered(
    3, 20, Cancel("o-3-18", "i-3-5", None, "caller_cancelled", "d07", NOW_MS, NOW_MS + 120_000)
)
MESSAGE: Final = Numbered(3, 21, Message("m-1", None, "d07", "注意安全", NOW_MS, NOW_MS + 60_000))
ANSWERED: Final = Numbered(
    3, 22, Answered("o-3-18", "car-8", int(Answer.ACCEPT), True, NOW_MS, NOW_MS + 600_000)
)
BIND: Final = Numbered(
    3, 23, Bind("621", "van-2", ("0421",), "0421", "d07", NOW_MS, NOW_MS + 600_000)
)
REPORT: Final = request.Report(
    request_id="r-00000001", issued_ms=NOW_MS, expires_ms=NOW_MS + 30_000, kind="burglary",
    priority=2, place=request.PlaceOf(lat=24.513, lon=117.647, text="South gate"),
)  # fmt: skip
REPLY: Final = request.Reply(
    request_id="r-00000001", verb="report", outcome="done", incident="i-3-5", time_ms=NOW_MS
)
TRUST: Final = Trust(
    FLEET, 4, NOW_MS,
    (
        RoleKey(Role.DISPATCH, CENTRE_KEY.public, NOW_MS, NOW_MS + 604_800_000),
        RoleKey(Role.RECEIPT, CENTRE_KEY.public, NOW_MS, NOW_MS + 604_800_000),
    ),
)  # fmt: skip
IDENTITIES: Final = Identities(
    FLEET, 9, NOW_MS,
    (
        Identity(DEVICE, IdentityKind.TERMINAL, None, (), ENROLMENT, State.ACTIVE,
                 (TERMINAL_KEY.public,), (bytes(32),), NOW_MS),
        Identity(MANAGER, IdentityKind.MANAGER, "d07", ("dispatcher",), bytes(16), State.ACTIVE,
                 (MANAGER_KEY.public,), (b"\x01" * 32,), NOW_MS),
    ),
)  # fmt: skip

CONFIGURATION: Final = Configuration(
    FLEET, 3, NOW_MS, (DEVICE,), "[report]\npolicy = 'interval'\ninterval_s = 5\n"
)
RENEWAL_REQUEST: Final = RenewalRequest(
    FLEET, DEVICE, IdentityKind.TERMINAL, ENROLMENT, NOW_MS, OTHER_KEY.public, b"PKCS #10 in DER"
)
NEW_CERTIFICATE: Final = NewCertificate(
    FLEET, DEVICE, IdentityKind.TERMINAL, ENROLMENT, OTHER_KEY.public, b"X.509 in DER"
)

HERE: Final = Here(245_130_012, 1_176_470_034, 35, 800)
POINTS: Final = tuple(
    TrackPoint(NOW_MS + 1000 * i, 24_513_001 + 90 * i, 117_647_003 - 12 * i, 100 + i, 91, 2, 0)
    for i in range(60)
)
BODIES: Final[tuple[entry.Body, ...]] = (
    entry.Start("0.1.0", True, None, None),
    entry.Track(CODEC, len(POINTS), pack(POINTS)),
    entry.StatusChange(1, None),
    entry.OrderAnswer("o-3-18", 1, 1, 1, None, None, HERE),
    entry.Delivered(3, 18, "o-3-18", 1, "shown"),
    entry.DeviceEvent("rec-1", "recorder", 3, 12, "sos", NOW_MS, (("press_s", 3),), HERE, "o-3-18"),
    entry.Alarm("clock", "GNSS week rollover repaired"),
    entry.Health((("reconnects", 4), ("written_bytes", 123_456))),
    entry.Configured("trust", 4),
    entry.Thinned("track_full", 60, ((2, 61),)),
    entry.NewKey(OTHER_KEY.public),
    entry.Logon(41, "621", "van-2", ("0421", "0388"), "0421", (("rec-1", "0421"),)),
    entry.Logoff(41, "shift_end"),
    entry.Renewal(renewal.seal_request(RENEWAL_REQUEST, TERMINAL_KEY)),
    entry.MessageAnswer("m-3-1", "on_my_way"),
    Pruned(12, b"\x0c" * 32, b"sealed receipt"),
)
ENTRIES: Final = tuple(
    Entry(NOW_MS + i, 3, 7, 60_000 + i, 41, body) for i, body in enumerate(BODIES)
)

POSITION_TOPIC: Final = topics.terminal(FLEET, DEVICE, "position")
LOGBOOK_TOPIC: Final = topics.terminal(FLEET, DEVICE, "logbook")
LINK_TOPIC: Final = topics.terminal(FLEET, DEVICE, "link")
ORDER_TOPIC: Final = topics.terminal(FLEET, DEVICE, "order")
REQUEST_TOPIC: Final = topics.request(FLEET, MANAGER, "report")
REPLY_TOPIC: Final = topics.reply(FLEET, MANAGER)

CHAIN_START: Final = logbook.chain_start(LOGBOOK, ENROLMENT, TERMINAL_KEY.public)


def batch(
    entries: tuple[Entry, ...] = ENTRIES, bare: frozenset[int] = frozenset()
) -> tuple[Head, tuple[Item, ...]]:
    """Head and items of entries 1.. of a new logbook; numbers in `bare` as digests."""
    encoded = [entry.encode(one) for one in entries]
    digests = [logbook.digest(data) for data in encoded]
    last = logbook.chain_over(CHAIN_START, 1, digests)
    items = tuple(
        Item(digest, None if n in bare else data)
        for n, (digest, data) in enumerate(zip(digests, encoded, strict=True), 1)
    )
    return Head(LOGBOOK, 1, CHAIN_START, len(items), last), items


def sealed_batch() -> bytes:
    """A whole batch message; entry 2 travels as its digest."""
    head, items = batch(bare=frozenset({2}))
    return logbook.encode_batch(seal(Kind.BATCH), items) if head else b""


PAYLOADS: Final[dict[Kind, tuple[str, bytes, SealKey, bytes]]] = {
    Kind.POSITION: (POSITION_TOPIC, ENROLMENT, TERMINAL_KEY, position.encode(POSITION)),
    Kind.BATCH: (LOGBOOK_TOPIC, ENROLMENT, TERMINAL_KEY, logbook.encode_head(batch()[0])),
    Kind.BIRTH: (LINK_TOPIC, ENROLMENT, TERMINAL_KEY, session.encode(BIRTH)),
    Kind.WILL: (LINK_TOPIC, ENROLMENT, TERMINAL_KEY, session.encode(WILL)),
    Kind.DISPATCH: (ORDER_TOPIC, ENROLMENT, CENTRE_KEY, dispatch.encode(ORDER)),
    Kind.WELCOME: (ORDER_TOPIC, ENROLMENT, CENTRE_KEY, session.encode(WELCOME)),
    Kind.RECEIPT: (ORDER_TOPIC, ENROLMENT, CENTRE_KEY, logbook.encode_receipt(RECEIPT)),
    Kind.REQUEST: (REQUEST_TOPIC, bytes(16), MANAGER_KEY, request.encode(REPORT)),
    Kind.REPLY: (REPLY_TOPIC, bytes(16), CENTRE_KEY, request.encode(REPLY)),
    Kind.TRUST: (FLEET, b"", ROOT_KEY, identities.encode(TRUST)),
    Kind.IDENTITIES: (FLEET, b"", ROOT_KEY, identities.encode(IDENTITIES)),
    Kind.CONFIGURATION: (FLEET, b"", CENTRE_KEY, configuration.encode(CONFIGURATION)),
    Kind.RENEWAL: (LINK_TOPIC, ENROLMENT, TERMINAL_KEY, cbor.encode(plain(RENEWAL_REQUEST))),
    Kind.CERTIFICATE: (ORDER_TOPIC, ENROLMENT, CENTRE_KEY, cbor.encode(plain(NEW_CERTIFICATE))),
}
KINDS: Final = tuple(PAYLOADS)


def seal(kind: Kind) -> bytes:
    """The sealed sample of a kind (of a batch: its head alone)."""
    bound_to, enrolment, key, payload = PAYLOADS[kind]
    return envelope.seal(kind, bound_to, enrolment, payload, key)
