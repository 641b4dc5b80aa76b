"""Which trust and identities documents an export needs, from the journal and the centre's folder.

As few as prove every seal in it, the newest first. Called by collect.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocol import envelope, logbook, topics
from protocol import evidence_records as er
from protocol.envelope import Kind
from protocol.evidence_papers import Papers
from protocol.evidence_records import Record
from protocol.evidence_seals import open_position
from protocol.identities import Identities, State, Trust, open_identities, open_trust
from protocol.keys import VerifyKey
from protocol.refusal import Refused

Listed = tuple[str, bytes, bytes]  # device, enrolment, public key


@dataclass(frozen=True, slots=True)
class Shelf:
    """Every document that can be opened, newest first, each with its sealed bytes."""

    trusts: tuple[tuple[Trust, bytes], ...]
    identities: tuple[tuple[Identities, bytes], ...]

    def device_of(self, enrolment: bytes) -> str | None:
        """The name of a terminal, by the newest document that lists it."""
        for document, _ in self.identities:
            for one in document.identities:
                if one.enrolment == enrolment:
                    return one.name
        return None

    def has_role_key(self, kind: Kind, sealed: bytes) -> bool:
        return _trust_for(self.trusts, kind, sealed) is not None


def load_shelf(db: sqlite3.Connection, trust_message: bytes, fleet: str, root: VerifyKey) -> Shelf:
    """`trust_message`: the document in the centre's folder."""
    found = db.execute("SELECT message FROM document WHERE kind = 'trust'")
    messages = dict.fromkeys([trust_message, *(message for (message,) in found)])
    trusts = []
    for message in messages:
        try:
            trusts.append((open_trust(message, fleet, root), message))
        except Refused:
            continue  # of a root that no longer holds: it proves nothing
    trusts.sort(key=lambda pair: -pair[0].version)
    papers = Papers(trusts=[trust for trust, _ in trusts])
    identities = []
    for (message,) in db.execute(
        "SELECT message FROM document WHERE kind = 'identities' ORDER BY version DESC"
    ):
        try:
            identities.append((open_identities(message, fleet, papers.role_key), message))
        except Refused:
            continue  # sealed under a role key whose trust document is not kept
    return Shelf(tuple(trusts), tuple(identities))


def needed(
    shelf: Shelf, records: Sequence[Record], fleet: str, evidence_key: VerifyKey
) -> list[Record]:
    """The documents that prove `records` and the export's own seal, oldest first."""
    wanted = set(_keys_used(shelf, records, fleet))
    identities = []
    for document, message in shelf.identities:
        gives = wanted & set(_active(document))
        if gives:
            wanted -= gives
            identities.append(message)
    if not identities and shelf.identities:
        identities.append(shelf.identities[0][1])
    chosen: dict[int, bytes] = {}
    sealed = [(Kind.RECEIPT, one.sealed) for one in records if isinstance(one, er.SealedReceipt)]
    sealed += [(Kind.IDENTITIES, message) for message in identities]
    for kind, message in sealed:
        found = _trust_for(shelf.trusts, kind, message)
        if found is not None:
            chosen[found[0].version] = found[1]
    for trust, message in shelf.trusts:
        if trust.key_for(Kind.EVIDENCE, evidence_key.kid, None) is not None:
            chosen[trust.version] = message
            break
    return [
        *(er.TrustDocument(chosen[version]) for version in sorted(chosen)),
        *(er.IdentitiesDocument(message) for message in reversed(identities)),
    ]


def _trust_for(
    trusts: Iterable[tuple[Trust, bytes]], kind: Kind, sealed: bytes
) -> tuple[Trust, bytes] | None:
    """The newest document with the role key that sealed a message."""
    try:
        _, kid = envelope.peek(sealed, 1 << 22)
    except Refused:
        return None
    return next((pair for pair in trusts if pair[0].key_for(kind, kid, None) is not None), None)


def _active(document: Identities) -> Iterable[Listed]:
    for one in document.identities:
        if one.state is State.ACTIVE:
            for public in one.keys:
                yield one.name, one.enrolment, public


def _keys_used(shelf: Shelf, records: Sequence[Record], fleet: str) -> Iterable[Listed]:
    """Terminals' keys that sealed something in `records`, or with which a logbook begins."""
    known: dict[tuple[str, bytes], dict[bytes, VerifyKey]] = {}
    for document, _ in shelf.identities:
        for device, enrolment, public in _active(document):
            of_one = known.setdefault((device, enrolment), {})
            if public not in of_one:
                of_one[public] = VerifyKey(public)
    books = {one.logbook: one for one in records if isinstance(one, er.Logbook)}
    for one in records:
        if not isinstance(one, er.SealedHead | er.SealedPosition):
            continue
        book = books[one.logbook]
        keys = known.get((book.device, book.enrolment), {})
        for public, key in keys.items():
            if _sealed_by(one, book, key, fleet):
                yield book.device, book.enrolment, public


def _sealed_by(
    one: er.SealedHead | er.SealedPosition, book: er.Logbook, key: VerifyKey, fleet: str
) -> bool:
    try:
        if isinstance(one, er.SealedPosition):
            topic = topics.terminal(fleet, book.device, "position")
            open_position(one.sealed, topic, book.enrolment, (key,))
            return True
        _, kid = envelope.peek(one.sealed)
    except Refused:
        return False
    start = logbook.chain_start(book.logbook, book.enrolment, key.public)
    return kid == key.kid or (book.first == 1 and start in one.sealed)
