"""Is an evidence export as it was sealed, and if not, where not? Offline, from its bytes alone.

It goes on behind a failed outer seal, so that the place is named: first by what the records prove
of themselves and each other (terminals' seals, chains, receipts, certificates), then by the index
of their digests, then by the seal over all. Pure; called by `outrider evidence verify` and by the
export on its own work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from protocol import cbor, envelope, evidence, evidence_logbook
from protocol.envelope import Kind
from protocol.evidence import EXPORT_BYTES_MAX, Row, Torn, digest_of
from protocol.evidence_logbook import Chapter
from protocol.evidence_papers import Papers, read_papers
from protocol.evidence_records import (
    KIND_OF,
    About,
    Held,
    Logbook,
    LoggedEntry,
    Record,
    RecordKind,
    SealedHead,
    SealedPosition,
    SealedReceipt,
    decode_record,
    key_of,
)
from protocol.evidence_rest import check_rest
from protocol.evidence_verdict import Counts, Fault, Memo, Verdict, about_record
from protocol.keys import VerifyKey
from protocol.refusal import Reason, Refused

# kinds whose every bit is held by a seal or a chain of its own, not by the index alone
_PROVES_ITSELF = frozenset(
    {RecordKind.ROOT, RecordKind.TRUST, RecordKind.IDENTITIES, RecordKind.ENTRY,
     RecordKind.DECISION, RecordKind.ERASURE, RecordKind.MEDIA}
)  # fmt: skip


@dataclass(slots=True)
class Opened:
    """A file as far as it could be read. `records[i]` None: that record cannot be decoded."""

    torn: Fault | None = None
    index: tuple[Row, ...] | None = None
    encoded: Sequence[bytes] = ()
    records: list[Record | None] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def about(self) -> About | None:
        return next((one for one in self.records if isinstance(one, About)), None)


def examine(data: bytes, trusted: VerifyKey | None = None, memo: Memo | None = None) -> Verdict:
    """The verdict on a file; never raises for what is in it. `trusted`: the root's key."""
    memo = memo or Memo()
    opened = open_file(data, memo)
    about = opened.about
    fleet = None if about is None else about.fleet
    papers, paper_faults = read_papers(opened.records, fleet, trusted, memo)
    chapters, strays = chapters_of(opened.records)
    faults: Iterator[Fault] = iter([*opened.faults, *paper_faults, *strays])
    if not paper_faults:
        for chapter in chapters:
            faults = chain(faults, evidence_logbook.check(chapter, papers, fleet or "", memo))
    faults = chain(faults, check_rest(opened.records, chapters, memo))
    fault = _first(opened, faults) or _outer_seal(data, papers, about)
    return Verdict(
        whole=fault is None,
        anchored=trusted is not None and not paper_faults and papers.root is not None,
        counts=_counts(chapters),
        fault=fault,
        about=about,
    )


def open_file(data: bytes, memo: Memo) -> Opened:
    """Take the file apart; what cannot be read is noted and gone round."""
    opened = Opened()
    payload = _payload(data, opened)
    if payload is None:
        return opened

    def keep_index(encoded: bytes) -> None:
        try:
            opened.index = memo.ask(evidence.decode_index, encoded)
        except Refused as refused:
            opened.faults.append(Fault("file", None, f"index: {refused}"))

    try:
        opened.encoded = evidence.take_apart(payload, keep_index)
    except Torn as torn:
        opened.torn = _torn(torn, opened.index)
        return opened
    for i, one in enumerate(opened.encoded):
        try:
            opened.records.append(memo.ask(decode_record, one))
        except Refused as refused:
            opened.records.append(None)
            opened.faults.append(_unreadable(opened.index, i, refused))
    return opened


def _payload(data: bytes, opened: Opened) -> bytes | None:
    """The payload of the outer envelope, also where header or signature do not hold."""
    if len(data) > EXPORT_BYTES_MAX:
        opened.torn = Fault("file", None, f"{len(data)} bytes; at most {EXPORT_BYTES_MAX}")
        return None
    try:
        at, count = cbor.read_head(data, 0, 4, "file")
        at, _ = cbor.read_bytes(data, at, "protected header")
        if count != 4 or data[at : at + 1] != b"\xa0":
            raise Refused(Reason.MALFORMED, "not an untagged COSE_Sign1 with an empty header")
        _, payload = cbor.read_bytes(data, at + 1, "payload")
    except Refused as refused:
        opened.torn = Fault("file", None, f"cannot be read: {refused.detail}")
        return None
    return payload


def _torn(torn: Torn, index: Sequence[Row] | None) -> Fault:
    """Lengths do not add up; the index says which record stood there."""
    if index is not None and torn.at < len(index):
        row = index[torn.at]
        return about_record(row.kind, row.key, f"cannot be read: {torn.reason}", torn.at)
    return Fault("file", None, f"record {torn.at} cannot be read: {torn.reason}", torn.at)


def _unreadable(index: Sequence[Row] | None, i: int, refused: Refused) -> Fault:
    if index is not None and i < len(index):
        return about_record(index[i].kind, index[i].key, str(refused), i)
    return Fault("file", None, f"record {i}: {refused}", i)


def chapters_of(records: Sequence[Record | None]) -> tuple[list[Chapter], list[Fault]]:
    """The records by logbook; whatever belongs to none is a fault."""
    chapters: dict[bytes, Chapter] = {}
    faults = []
    for i, one in enumerate(records):
        if isinstance(one, Logbook):
            if one.logbook in chapters:
                faults.append(Fault("chain", None, "a logbook is there twice", i))
            chapters.setdefault(one.logbook, Chapter(i, one))
    for i, one in enumerate(records):
        if not isinstance(one, LoggedEntry | SealedHead | SealedReceipt | SealedPosition):
            continue
        chapter = chapters.get(one.logbook)
        if chapter is None:
            detail = f"belongs to logbook {one.logbook.hex()}, which is not here"
            faults.append(about_record(KIND_OF[type(one)], key_of(one), detail, i))
        elif isinstance(one, LoggedEntry):
            chapter.entries.append((i, one))
        elif isinstance(one, SealedHead):
            chapter.heads.append((i, one))
        elif isinstance(one, SealedReceipt):
            chapter.receipts.append((i, one))
        else:
            chapter.positions.append((i, one))
    return list(chapters.values()), faults


def _outer_seal(data: bytes, papers: Papers, about: About | None) -> Fault | None:
    """The seal over all, by role evidence, by a key that was in force when the file was made."""
    if about is None or not papers.trusts:
        return Fault("seal", None, "the file's own seal cannot be checked")
    try:
        envelope.open_sealed(
            data,
            kinds=frozenset({Kind.EVIDENCE}),
            bound_to=about.fleet,
            enrolment=b"",
            key_for=lambda kind, kid: papers.role_key(kind, kid, about.made_ms),
            bytes_max=EXPORT_BYTES_MAX,
        )
    except Refused as refused:
        return Fault("seal", None, f"the file's own seal: {refused}")
    return None


def _counts(chapters: Sequence[Chapter]) -> Counts:
    held = [one.held for chapter in chapters for _, one in chapter.entries]
    missing = sum(last - first + 1 for c in chapters for first, last in c.book.missing)
    return Counts(
        held.count(Held.WHOLE), held.count(Held.ERASED), held.count(Held.OUTSIDE),
        held.count(Held.BARE), missing,
    )  # fmt: skip


# --- which fault is told first -------------------------------------------------------------------


def _first(opened: Opened, faults: Iterator[Fault]) -> Fault | None:
    """Nothing is asked behind the fault that will be told."""
    if opened.torn is not None:
        return opened.torn
    differs = _difference(opened)
    if differs is None:
        return next(faults, None)
    if isinstance(differs, Fault):
        return differs
    is_sound = True
    for one in faults:
        if one.record == differs:
            return one
        is_sound = False
    kind, key = _label(opened, differs)
    if is_sound and kind in _PROVES_ITSELF:
        reason = f"the index line of {kind.name.lower()} {key} was changed"
        return Fault("file", None, reason, differs)
    return about_record(kind, key, "it, or its line in the index, was changed", differs)


def _label(opened: Opened, place: int) -> tuple[RecordKind, int]:
    one = opened.records[place]
    if one is not None:
        return KIND_OF[type(one)], key_of(one)
    assert opened.index is not None
    return opened.index[place].kind, opened.index[place].key


def _difference(opened: Opened) -> Fault | int | None:
    """Where records and index part: a fault, or the place of one record that is another."""
    if opened.index is None:
        return None
    rows, digests = opened.index, [digest_of(one) for one in opened.encoded]
    wanted = [row.digest for row in rows]
    if wanted == digests:
        for i, (row, one) in enumerate(zip(rows, opened.records, strict=True)):
            if one is not None and (row.kind, row.key) != (KIND_OF[type(one)], key_of(one)):
                return Fault("file", None, f"the index names record {i} wrongly", i)
        return None
    at = next(
        (i for i, (a, b) in enumerate(zip(wanted, digests, strict=False)) if a != b),
        min(len(wanted), len(digests)),
    )
    if len(wanted) == len(digests) and wanted[at] not in digests and digests[at] not in wanted:
        return at
    if at < len(wanted) and wanted[at] not in digests:
        return about_record(rows[at].kind, rows[at].key, "it was taken out", at)
    if at == len(digests) or digests[at] in wanted[at:]:
        return about_record(rows[at].kind, rows[at].key, "it is out of place", at)
    what = "it is there twice" if digests[at] in digests[:at] else "it was put in"
    return about_record(*_label(opened, at), what, at)
