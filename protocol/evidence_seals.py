"""The seals of an export opened, each a pure question that is asked once a run (Memo).

Called by protocol/evidence_logbook.py and by the matcher's export.
"""

from __future__ import annotations

from protocol import envelope, logbook, position
from protocol.entry import EntryKind, NewKey
from protocol.entry import decode as decode_entry
from protocol.envelope import Kind, PositionOpener
from protocol.evidence_papers import Papers
from protocol.evidence_records import Held
from protocol.identities import Identities, Trust
from protocol.keys import VerifyKey
from protocol.logbook import Head, Receipt
from protocol.position import Position
from protocol.pruned import Pruned
from protocol.refusal import Refused


def papers_keys(
    documents: tuple[Identities, ...], device: str, enrolment: bytes
) -> tuple[VerifyKey, ...]:
    """Keys under which the documents list a terminal."""
    return Papers(identities=list(documents)).terminal_keys(device, enrolment)


def beginnings(book: bytes, enrolment: bytes, keys: tuple[VerifyKey, ...]) -> tuple[bytes, ...]:
    """h(0) for each key that a logbook may begin with: it binds logbook, enrolment and key."""
    return tuple(logbook.chain_start(book, enrolment, key.public) for key in keys)


def open_head(sealed: bytes, topic: str, enrolment: bytes, keys: tuple[VerifyKey, ...]) -> Head:
    """Raises Refused."""
    by_kid = {key.kid: key for key in keys}
    opened = envelope.open_sealed(
        sealed, kinds=frozenset({Kind.BATCH}), bound_to=topic, enrolment=enrolment,
        key_for=lambda _kind, kid: by_kid.get(kid),
    )  # fmt: skip
    return logbook.decode_head(opened.payload)


def open_receipt(sealed: bytes, topic: str, enrolment: bytes, trusts: tuple[Trust, ...]) -> Receipt:
    """Raises Refused."""
    papers = Papers(trusts=list(trusts))
    opened = envelope.open_sealed(
        sealed, kinds=frozenset({Kind.RECEIPT}), bound_to=topic, enrolment=enrolment,
        key_for=papers.role_key,
    )  # fmt: skip
    return logbook.decode_receipt(opened.payload)


def open_position(
    sealed: bytes, topic: str, enrolment: bytes, keys: tuple[VerifyKey, ...]
) -> Position:
    """Raises Refused; the opener tries two keys at a time."""
    first = PositionOpener(topic, enrolment, keys[:2])
    try:
        payload = first.open(sealed)
    except Refused:
        if len(keys) <= 2:
            raise
        return open_position(sealed, topic, enrolment, keys[2:])
    found = position.decode(payload)
    position.check_canonical(payload, found)
    return found


def named_key(data: bytes, held: Held) -> VerifyKey | None:
    """The key that an entry names, sealed by the one before it."""
    body = _body(data, held, EntryKind.KEY)
    try:
        return VerifyKey(body.public_key) if isinstance(body, NewKey) else None
    except Refused:
        return None


def pruned_up_to(data: bytes, held: Held) -> int:
    """Up to which entry the terminal says that it has no more, and the centre neither; else 0."""
    body = _body(data, held, EntryKind.PRUNED)
    return body.last if isinstance(body, Pruned) else 0


def _body(data: bytes, held: Held, kind: EntryKind) -> object:
    """The body of an entry of `kind` (all kinds asked for are below 24: one byte), or None."""
    if held is not Held.WHOLE or data[1:2] != bytes([kind]):
        return None
    try:
        return decode_entry(data).body
    except Refused:
        return None
