"""The other records of an export, proved by their chains and by the entries: decisions, media,
erasures. Called by protocol/evidence_check.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import cbor2

from protocol import entry as entries
from protocol.entry import DeviceEvent
from protocol.evidence_logbook import Chapter
from protocol.evidence_records import (
    About,
    DecisionRow,
    Erasure,
    Held,
    LoggedEntry,
    Media,
    Record,
    ThinnedPoint,
)
from protocol.evidence_verdict import Fault, Memo
from protocol.fields import plain
from protocol.journal_chain import next_chain, next_record
from protocol.refusal import Refused

_MEDIA_EVENT = "file_closed"
_ENTRY_CAME = "EntryCame"


def check_rest(
    records: Sequence[Record | None], chapters: Sequence[Chapter], memo: Memo
) -> Iterator[Fault]:
    """Faults of everything that is no certificate and no part of a logbook."""
    held = {(one.logbook, one.n): one for c in chapters for _, one in c.entries}
    yield from _about(records)
    yield from _decisions(records, chapters, memo)
    yield from _media(records, chapters, memo)
    yield from _erasures(records, chapters)
    for i, one in enumerate(records):
        if isinstance(one, ThinnedPoint):
            of = held.get((one.logbook, one.n))
            if of is None or of.held is not Held.ERASED:
                reason = f"thinned fix of entry {one.n}, which was not erased"
                yield Fault("file", one.n, reason, i)


def _about(records: Sequence[Record | None]) -> Iterator[Fault]:
    """One description of what was asked, in front."""
    places = [i for i, one in enumerate(records) if isinstance(one, About)]
    if places != [0]:
        yield Fault("file", None, "the file does not begin with the one record of what was asked")


# --- decisions -----------------------------------------------------------------------------------


def _decisions(
    records: Sequence[Record | None], chapters: Sequence[Chapter], memo: Memo
) -> Iterator[Fault]:
    """Each transaction gives its chain value, joins its neighbour, and used the sealed entries."""
    sealed = {
        (c.book.enrolment, one.n, one.data)
        for c in chapters
        for _, one in c.entries
        if one.held is Held.WHOLE
    }
    numbers = {(enrolment, n) for enrolment, n, _ in sealed}
    before: DecisionRow | None = None
    for i, one in enumerate(records):
        if not isinstance(one, DecisionRow):
            continue
        reason = _decision_fault(one, before)
        if reason is not None:
            yield Fault("chain", None, f"transaction {one.seq}: {reason}", i)
        came = memo.ask(entry_of, one.command)
        if came is not None and came[:2] in numbers and came not in sealed:
            yield Fault("chain", came[1], f"transaction {one.seq} used another entry {came[1]}", i)
        before = one


def _decision_fault(one: DecisionRow, before: DecisionRow | None) -> str | None:
    if next_chain(one.chain_before, one.seq, one.command, one.events) != one.chain:
        return "does not give its chain value"
    if before is not None and one.seq <= before.seq:
        return "is out of order"
    if before is not None and one.seq == before.seq + 1 and one.chain_before != before.chain:
        return "does not join the one before"
    return None


def entry_of(command: bytes) -> tuple[bytes, int, bytes] | None:
    """(enrolment, n, entry) of a command that brought a logbook entry."""
    try:
        value = cbor2.loads(command)
    except (cbor2.CBORError, ValueError, TypeError, ArithmeticError, EOFError, RecursionError):
        return None
    match value:
        case [str(name), int(), bytes() as enrolment, str(), int(n), bytes() as data, *_] if (
            name == _ENTRY_CAME
        ):
            return enrolment, n, data
        case _:
            return None


# --- media ---------------------------------------------------------------------------------------


def media_of(one: LoggedEntry) -> Media | None:
    """The file that a recorder closed, as its entry names it; None where it names none."""
    if one.held is not Held.WHOLE:
        return None
    try:
        body = entries.decode(one.data).body
    except Refused:
        return None
    if not isinstance(body, DeviceEvent) or body.name != _MEDIA_EVENT:
        return None
    detail = dict(body.detail)
    file, sha256 = detail.get("file"), detail.get("sha256")
    if not isinstance(file, str) or not isinstance(sha256, str) or len(sha256) != 64:
        return None
    try:
        return Media(one.logbook, one.n, body.device, file, bytes.fromhex(sha256))
    except ValueError:
        return None


def _media(
    records: Sequence[Record | None], chapters: Sequence[Chapter], memo: Memo
) -> Iterator[Fault]:
    """The list of files is what the entries name, no more and no less."""
    named = (memo.ask(media_of, one) for chapter in chapters for _, one in chapter.entries)
    wanted = [media for media in named if media is not None]
    found = [(i, one) for i, one in enumerate(records) if isinstance(one, Media)]
    for (i, one), media in zip(found, wanted, strict=False):
        if one != media:
            yield Fault("media", media.n, f"entry {media.n} names another file or hash", i)
            return
    if len(found) > len(wanted):
        i, one = found[len(wanted)]
        yield Fault("media", one.n, f"no entry names {one.file}", i)
    elif len(found) < len(wanted):
        missing = wanted[len(found)]
        yield Fault("media", missing.n, f"{missing.file}, named by entry {missing.n}, is missing")


# --- erasures ------------------------------------------------------------------------------------


def erasure_bytes(one: Erasure) -> bytes:
    """What of an erasure enters the chain of erasures."""
    return cbor2.dumps(plain(one)[:7])  # type: ignore[index]  # a record is a list


def _erasures(records: Sequence[Record | None], chapters: Sequence[Chapter]) -> Iterator[Fault]:
    """Each joins its chain; each erased entry is covered by one."""
    before: Erasure | None = None
    spans: dict[bytes, list[tuple[int, int]]] = {}
    for i, one in enumerate(records):
        if not isinstance(one, Erasure):
            continue
        if next_record(one.chain_before, erasure_bytes(one)) != one.chain:
            yield Fault("chain", None, f"erasure {one.number} does not give its chain value", i)
        elif before is not None and not _follows(before, one):
            yield Fault("chain", None, f"erasure {one.number} does not join the one before", i)
        before = one
        spans.setdefault(one.logbook, []).append((one.first, one.last))
    yield from _uncovered(chapters, spans)


def _follows(before: Erasure, one: Erasure) -> bool:
    if one.number == before.number + 1:
        return one.chain_before == before.chain
    return one.number > before.number


def _uncovered(
    chapters: Sequence[Chapter], spans: Mapping[bytes, Sequence[tuple[int, int]]]
) -> Iterator[Fault]:
    for chapter in chapters:
        covers = spans.get(chapter.book.logbook, ())
        for place, one in chapter.entries:
            if one.held is Held.ERASED and not any(a <= one.n <= b for a, b in covers):
                reason = f"entry {one.n} is said to be erased, but no erasure is recorded"
                yield Fault("entry", one.n, reason, place)
                return
