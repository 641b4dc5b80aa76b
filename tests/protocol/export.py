"""A small fleet's records made by hand, from fixed seeds: what a whole export holds.

Two terminals; the first rotates its key in the middle of its logbook, has a file of a recorder,
an erased track with its thinned fix, an entry that it had thinned itself, and a tail that the
centre never got.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from protocol import entry, envelope, evidence, identities, logbook, position, topics
from protocol import evidence_records as er
from protocol.entry import Entry
from protocol.envelope import Kind
from protocol.evidence_records import Held, Record
from protocol.evidence_rest import erasure_bytes
from protocol.identities import Identities, Identity, IdentityKind, Role, RoleKey, State, Trust
from protocol.journal_chain import CHAIN_START, next_chain, next_record
from protocol.keys import SealKey, VerifyKey
from protocol.logbook import Head, Receipt
from protocol.track import CODEC, TrackPoint, pack

FLEET: Final = "zz"
NOW_MS: Final = 1_795_500_000_123
DAY_MS: Final = 86_400_000


def key(name: str) -> SealKey:
    return SealKey.from_seed(name.encode().ljust(32, b"."))


def certificate(seed: str) -> bytes:
    """A root's certificate, the same each time."""
    private = Ed25519PrivateKey.from_private_bytes(seed.encode().ljust(32, b"."))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{FLEET}.root")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2046, 1, 1, tzinfo=UTC))
        .sign(private, None)
    )
    return made.public_bytes(Encoding.DER)


@dataclass
class Terminal:
    """One terminal's logbook as it grows, and what the centre keeps of it."""

    device: str
    enrolment: bytes
    book: bytes
    seal_key: SealKey
    receipt_key: SealKey
    heads: list[bytes] = field(default_factory=list)
    chains: list[bytes] = field(default_factory=list)
    entries: list[bytes] = field(default_factory=list)
    first_key: bytes = b""

    def __post_init__(self) -> None:
        self.first_key = self.seal_key.public
        self.chains.append(logbook.chain_start(self.book, self.enrolment, self.first_key))

    def add(self, *bodies: entry.Body) -> None:
        """One batch, sealed."""
        first = len(self.entries) + 1
        self.append(
            *(
                entry.encode(Entry(NOW_MS + 1000 * n, 3, 7, 1000 * n, 41, body))
                for n, body in enumerate(bodies, first)
            )
        )
        if isinstance(bodies[-1], entry.NewKey):
            self.seal_key = key(f"{self.device} second")

    def append(self, *entries: bytes) -> Head:
        """One batch of encoded entries, sealed."""
        first = len(self.entries) + 1
        for data in entries:
            n = len(self.entries) + 1
            self.entries.append(data)
            self.chains.append(logbook.chain(self.chains[-1], n, logbook.digest(data)))
        last = len(self.entries)
        head = Head(self.book, first, self.chains[first - 1], last, self.chains[last])
        topic = topics.terminal(FLEET, self.device, "logbook")
        payload = logbook.encode_head(head)
        self.heads.append(envelope.seal(Kind.BATCH, topic, self.enrolment, payload, self.seal_key))
        return head

    def receipt(self, n: int) -> er.SealedReceipt:
        topic = topics.terminal(FLEET, self.device, "order")
        payload = logbook.encode_receipt(Receipt(self.book, n, self.chains[n], ()))
        sealed = envelope.seal(Kind.RECEIPT, topic, self.enrolment, payload, self.receipt_key)
        return er.SealedReceipt(self.book, NOW_MS + 1000 * n, sealed)

    def position(self, n: int, head: bytes | None = None) -> er.SealedPosition:
        topic = topics.terminal(FLEET, self.device, "position")
        at = position.Position(
            7, n, NOW_MS + 1000 * n, 3, 245_130_012, 1_176_470_034, 4, 1234, 917, 0, 2, 1, 0, 10,
            n, (head or self.chains[n])[:8],
        )  # fmt: skip
        sealed = envelope.seal(
            Kind.POSITION, topic, self.enrolment, position.encode(at), self.seal_key
        )
        return er.SealedPosition(self.book, NOW_MS + 1000 * n, sealed)

    def logged(self, n: int, held: Held = Held.WHOLE) -> er.LoggedEntry:
        data = self.entries[n - 1]
        kept = data if held is Held.WHOLE else logbook.digest(data)
        return er.LoggedEntry(self.book, n, self.chains[n], held, kept)

    def sealed_heads(self) -> list[Record]:
        return [er.SealedHead(self.book, NOW_MS + i, one) for i, one in enumerate(self.heads)]


def stored(points: Sequence[TrackPoint]) -> bytes:
    """Packed without compression: what a compressor makes differs between libraries."""
    raw = zlib.decompress(pack(points), -15)
    size = len(raw).to_bytes(2, "little")
    return b"\x01" + size + bytes(255 - byte for byte in size) + raw


TRACK: Final = entry.Track(
    CODEC, 3,
    stored([TrackPoint(NOW_MS + 1000 * i, 24_513_001 + 9 * i, 117_647_003, 100, 91, 2, 0)
            for i in range(3)]),
)  # fmt: skip
FILE: Final = entry.DeviceEvent(
    "rec-1", "body", 3, 12, "file_closed", NOW_MS,
    (("file", "a.mp4"), ("sha256", "ab" * 32)), None, "o-3-18",
)  # fmt: skip


def filled(terminal: Terminal) -> Terminal:
    """The same story at each terminal, in seven batches."""
    terminal.add(entry.Start("0.1.0", False, None, None))
    terminal.add(TRACK, entry.StatusChange(1, None))
    terminal.add(entry.Delivered(3, 18, "o-3-18", 1, "shown"))
    terminal.add(entry.NewKey(key(f"{terminal.device} second").public))
    terminal.add(entry.OrderAnswer("o-3-18", 1, 1, 1, None, None, None), FILE)
    terminal.add(TRACK, entry.Thinned("full", 1, ((2, 2),)))
    terminal.add(entry.OrderAnswer("o-3-18", 1, 5, 1, None, "handled", None))
    return terminal


def papers(root: str, *terminals: Terminal) -> list[Record]:
    """Root, trust and identities documents, all from the seed of `root`."""
    root_key, role_key = key(root), key(f"{root} roles")
    roles = tuple(
        RoleKey(role, role_key.public, NOW_MS - DAY_MS, NOW_MS + 6 * DAY_MS)
        for role in (Role.RECEIPT, Role.EVIDENCE, Role.ENROLMENT)
    )
    people = tuple(
        Identity(one.device, IdentityKind.TERMINAL, None, (), one.enrolment, State.ACTIVE,
                 (one.first_key,), (bytes(32),), NOW_MS)
        for one in terminals
    )  # fmt: skip
    trust = identities.encode(Trust(FLEET, 4, NOW_MS, roles))
    listed = identities.encode(Identities(FLEET, 9, NOW_MS, people))
    return [
        er.Root(certificate(root)),
        er.TrustDocument(envelope.seal(Kind.TRUST, FLEET, b"", trust, root_key)),
        er.IdentitiesDocument(envelope.seal(Kind.IDENTITIES, FLEET, b"", listed, role_key)),
    ]


@dataclass
class Fleet:
    """Keys of one authority, all from `root`, and two terminals with their stories."""

    root: str = "root"

    def __post_init__(self) -> None:
        self.root_key, self.role_key = key(self.root), key(f"{self.root} roles")
        self.a = filled(self._terminal("car-7", b"a"))
        self.b = filled(self._terminal("car-8", b"b"))

    def _terminal(self, device: str, mark: bytes) -> Terminal:
        return Terminal(device, mark * 16, mark.upper() * 16, key(f"{device} first"), self.role_key)

    @property
    def verify_key(self) -> VerifyKey:
        return self.root_key.verify_key

    def papers(self) -> list[Record]:
        return papers(self.root, self.a, self.b)

    def about(self, order: str = "o-3-18") -> er.About:
        return er.About(
            FLEET, NOW_MS, "clerk", "case 17", order, "i-3-5", NOW_MS, NOW_MS + 60_000,
            ("621", "622"), 5, b"u" * 32,
        )  # fmt: skip

    def chapter(self, one: Terminal, *, lost: bool = True) -> list[Record]:
        """The logbook of a terminal; a position witnesses two more entries than ever came."""
        last, erased, bare = len(one.entries), 2, 8
        held = {erased: Held.ERASED, bare: Held.BARE}
        media = er.Media(one.book, 7, "rec-1", "a.mp4", b"\xab" * 32)
        missing = ((last + 1, last + 2),) if lost else ()
        entries = [one.logged(n, held.get(n, Held.WHOLE)) for n in range(1, last + 1)]
        return [
            er.Logbook(one.book, one.enrolment, one.device, 1, last, missing),
            *entries, *one.sealed_heads(), one.receipt(4), one.receipt(last), one.position(3),
            one.position(last), *([_beyond(one, last + 2)] if lost else []), media,
        ]  # fmt: skip

    def records(self) -> list[Record]:
        """A whole export of both."""
        erasures = chained_erasures((self.a.book, 2), (self.b.book, 2))
        thinned = [
            er.ThinnedPoint(one.book, 2, NOW_MS, 24_513_001, 117_647_003)
            for one in (self.a, self.b)
        ]
        first, second = self.chapter(self.a), self.chapter(self.b, lost=False)
        media = [one for one in (*first, *second) if isinstance(one, er.Media)]
        rest = [one for one in (*first, *second) if not isinstance(one, er.Media)]
        return [
            self.about(), *self.papers(), *rest, *media, *decisions(self.a), *erasures, *thinned,
        ]  # fmt: skip

    def seal(self, records: Iterable[Record]) -> bytes:
        return evidence.seal(records, FLEET, self.role_key)


def one_terminal(fleet: Fleet, pad: int = 0) -> bytes:
    """The export of the first terminal: every kind of record but the thinned fix."""
    chapter = fleet.chapter(fleet.a)
    media = [one for one in chapter if isinstance(one, er.Media)]
    rest = [one for one in chapter if not isinstance(one, er.Media)]
    last = [*decisions(fleet.a, pad), *chained_erasures((fleet.a.book, 2))]
    return fleet.seal([fleet.about(), *fleet.papers(), *rest, *media, *last])


def _beyond(one: Terminal, count: int) -> er.SealedPosition:
    """As the terminal said before it was lost."""
    return one.position(count, b"beyond..")


def chained_erasures(*places: tuple[bytes, int]) -> list[Record]:
    chain, found = CHAIN_START, list[Record]()
    for number, (book, n) in enumerate(places, 1):
        bare = er.Erasure(number, NOW_MS, "track_minute", book, n, n, 1, chain, chain)
        chain = next_record(chain, erasure_bytes(bare))
        found.append(replace(bare, chain=chain))
    return found


def decisions(one: Terminal, pad: int = 0) -> list[Record]:
    """Transactions 5, 6 and 9 of a journal; 6 took the terminal's fourth entry."""
    chain, found = CHAIN_START, list[Record]()
    came = ["EntryCame", NOW_MS, one.enrolment, one.device, 4, one.entries[3], []]
    for seq, command in (
        (5, ["Tick", NOW_MS, []]),
        (6, came),
        (9, ["Tick", NOW_MS + 9, [bytes(pad)]]),
    ):
        before = chain
        command_bytes, events = cbor2.dumps(command), cbor2.dumps([["Decided", seq]])
        chain = next_chain(chain, seq, command_bytes, events)
        found.append(er.DecisionRow(seq, before, command_bytes, events, chain))
    return found


def at(records: Sequence[Record], kind: type, which: int = 0) -> int:
    """Place of the `which`-th record of a kind."""
    return [i for i, one in enumerate(records) if isinstance(one, kind)][which]
