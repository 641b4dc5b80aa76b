"""One logbook of an export, proved by itself: entries, heads, receipts, positions.

Entry n's digest and the chain's value before it give its own; sealed heads say what the chain was
at their ends, so each entry is carried by the terminal's seal; receipts and positions say how many
there were, so a lost tail shows. Called by protocol/evidence_check.py.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from protocol import logbook, position, topics
from protocol.evidence_papers import Papers
from protocol.evidence_records import (
    Held,
    Logbook,
    LoggedEntry,
    SealedHead,
    SealedPosition,
    SealedReceipt,
)
from protocol.evidence_seals import (
    beginnings,
    named_key,
    open_head,
    open_position,
    open_receipt,
    papers_keys,
    pruned_up_to,
)
from protocol.evidence_verdict import Fault, Memo
from protocol.keys import VerifyKey
from protocol.logbook import Head, Receipt
from protocol.refusal import Refused

Placed = tuple[int, LoggedEntry]  # a record with its place in the file


@dataclass(slots=True)
class Chapter:
    """The records of one logbook, each with its place in the file."""

    place: int
    book: Logbook
    entries: list[Placed] = field(default_factory=list)
    heads: list[tuple[int, SealedHead]] = field(default_factory=list)
    receipts: list[tuple[int, SealedReceipt]] = field(default_factory=list)
    positions: list[tuple[int, SealedPosition]] = field(default_factory=list)

    def is_missing(self, n: int) -> bool:
        """Whether the file says that the centre never got entry n."""
        at = bisect_right(self.book.missing, (n, 1 << 32)) - 1
        return at >= 0 and self.book.missing[at][0] <= n <= self.book.missing[at][1]


def check(chapter: Chapter, papers: Papers, fleet: str, memo: Memo) -> Iterator[Fault]:
    """Faults, the most telling first: numbers, chain, heads, then the witnesses."""
    yield from _numbers(chapter)
    chains = {one.n: one.chain for _, one in chapter.entries}
    yield from _digests(chapter, _starts(chapter, papers, fleet, memo) | chains)
    yield from _heads(chapter, papers, fleet, chains, memo)
    yield from _receipts(chapter, papers, fleet, chains, memo)
    yield from _positions(chapter, papers, fleet, chains, memo)


def _numbers(chapter: Chapter) -> Iterator[Fault]:
    """Every entry of first..last is there once and in order, but for what is said to be missing."""
    book, end = chapter.book, chapter.book.first - 1
    before = 0
    for first, last in book.missing:
        if not before < first <= last:
            yield Fault("chain", first, "missing ranges are out of order", chapter.place)
        before = last
    expected = iter(n for n in range(book.first, book.last + 1) if not chapter.is_missing(n))
    for place, one in chapter.entries:
        wanted = next(expected, None)
        if wanted == one.n:
            end = one.n
            continue
        if one.n <= end:
            what = "is there twice" if one.n == end else "is out of order"
            yield Fault("entry", one.n, f"entry {one.n} {what}", place)
        elif wanted is None or chapter.is_missing(one.n):
            yield Fault("entry", one.n, f"entry {one.n} does not belong to this export", place)
        else:
            yield Fault("entry", wanted, f"entry {wanted} is missing", place)
        return
    wanted = next(expected, None)
    if wanted is not None:
        yield Fault("entry", wanted, f"entry {wanted} is missing", chapter.place)


def _starts(chapter: Chapter, papers: Papers, fleet: str, memo: Memo) -> dict[int, bytes]:
    """What sealed heads say of the chain before their first entries."""
    book, found = chapter.book, dict[int, bytes]()
    topic = topics.terminal(fleet, book.device, "logbook")
    keys = memo.ask(papers_keys, tuple(papers.identities), book.device, book.enrolment)
    for _, sealed in chapter.heads:
        try:
            head = memo.ask(open_head, sealed.sealed, topic, book.enrolment, keys)
        except Refused:
            continue  # told of by `_heads`
        if head.logbook == book.logbook:
            found[head.first - 1] = head.head_before
    return found


def _digests(chapter: Chapter, chains: Mapping[int, bytes]) -> Iterator[Fault]:
    """Each entry's bytes give the chain's value behind it."""
    for place, one in chapter.entries:
        before = chains.get(one.n - 1)
        if before is None:
            continue  # told of by `_heads`: no head begins here
        digest = one.data if one.held is not Held.WHOLE else logbook.digest(one.data)
        if logbook.chain(before, one.n, digest) != one.chain:
            yield Fault("entry", one.n, f"entry {one.n} does not give its chain value", place)


def _heads(
    chapter: Chapter, papers: Papers, fleet: str, chains: Mapping[int, bytes], memo: Memo
) -> Iterator[Fault]:
    """Each head is the terminal's, joins the entries, and together they carry every entry."""
    book = chapter.book
    topic = topics.terminal(fleet, book.device, "logbook")
    listed = memo.ask(papers_keys, tuple(papers.identities), book.device, book.enrolment)
    if not listed:
        detail = f"no identities document lists terminal {book.device} with this enrolment"
        yield Fault("certificate", None, detail, chapter.place)
        return
    keys, carried = {key.kid: key for key in listed}, set[int]()
    by_number = {one.n: (place, one) for place, one in chapter.entries}
    starts = memo.ask(beginnings, book.logbook, book.enrolment, listed)
    waiting, faults = list(chapter.heads), list[Fault]()
    while waiting:
        known, faults, closed = len(keys), [], []
        for place, sealed in waiting:
            try:
                head = memo.ask(
                    open_head, sealed.sealed, topic, book.enrolment, tuple(keys.values())
                )
            except Refused as refused:
                faults.append(Fault("seal", None, f"head: {refused}", place))
                closed.append((place, sealed))
                continue
            fault = _joins(chapter, head, place, starts, by_number, chains)
            if fault is not None:
                yield fault
                continue
            carried.update(range(head.first, head.last + 1))
            keys |= _named(by_number, head, memo)
        # what a new key sealed may stand before the entry that names it
        waiting = closed if len(keys) > known else []
    yield from faults
    for place, one in chapter.entries:
        if one.n not in carried:
            yield Fault("seal", one.n, f"no sealed head carries entry {one.n}", place)
            return


def _named(by_number: Mapping[int, Placed], head: Head, memo: Memo) -> dict[bytes, VerifyKey]:
    """Keys that entries under this head name."""
    entries = (by_number[n][1] for n in range(head.first, head.last + 1))
    found = (memo.ask(named_key, one.data, one.held) for one in entries)
    return {key.kid: key for key in found if key is not None}


def _joins(
    chapter: Chapter,
    head: Head,
    place: int,
    starts: Sequence[bytes],
    by_number: Mapping[int, Placed],
    chains: Mapping[int, bytes],
) -> Fault | None:
    book, span = chapter.book, f"{head.first}..{head.last}"
    if head.logbook != book.logbook:
        return Fault("seal", head.first, f"head of entries {span} is of another logbook", place)
    for n in range(head.first, head.last + 1):
        if n not in by_number:
            return Fault("chain", n, f"entry {n}, which a sealed head carries, is not here", place)
    if head.first == 1 and head.head_before not in starts:
        return Fault("chain", 1, "the logbook does not begin with this terminal's key", place)
    at, first = by_number[head.first]
    digest = first.data if first.held is not Held.WHOLE else logbook.digest(first.data)
    if logbook.chain(head.head_before, head.first, digest) != first.chain:
        reason = f"entry {head.first} does not give its chain value"
        return Fault("entry", head.first, reason, at)
    if chains[head.last] != head.head_last:
        reason = f"entries {span} do not give the terminal's sealed head"
        return Fault("chain", head.last, reason, place)
    return None


def _receipts(
    chapter: Chapter, papers: Papers, fleet: str, chains: Mapping[int, bytes], memo: Memo
) -> Iterator[Fault]:
    topic = topics.terminal(fleet, chapter.book.device, "order")
    # a centre restored from a copy: the terminal itself says what nobody holds any more
    pruned = (memo.ask(pruned_up_to, one.data, one.held) for _, one in chapter.entries)
    lost_up_to = max(pruned, default=0)
    for place, sealed in chapter.receipts:
        try:
            receipt = memo.ask(
                open_receipt, sealed.sealed, topic, chapter.book.enrolment, tuple(papers.trusts)
            )
        except Refused as refused:
            yield Fault("receipt", None, f"receipt: {refused}", place)
            continue
        reason = _receipt_fault(chapter, receipt, chains, lost_up_to)
        if reason is not None:
            yield Fault("receipt", receipt.n, reason, place)


def _receipt_fault(
    chapter: Chapter, receipt: Receipt, chains: Mapping[int, bytes], lost_up_to: int
) -> str | None:
    book = chapter.book
    if receipt.logbook != book.logbook:
        return "receipt of another logbook"
    if receipt.n > book.last:
        return f"the centre had receipted entries up to {receipt.n}; the file ends at {book.last}"
    if receipt.n < book.first or chains.get(receipt.n) != receipt.head:
        return f"receipt of entry {receipt.n} does not fit the entries"
    committed = [(1, receipt.n), *receipt.ranges]
    for first, last in book.missing:
        if last > lost_up_to and any(first <= end and start <= last for start, end in committed):
            return f"entries {first}..{last}, said to be missing, had been receipted"
    return None


def _positions(
    chapter: Chapter, papers: Papers, fleet: str, chains: Mapping[int, bytes], memo: Memo
) -> Iterator[Fault]:
    book = chapter.book
    topic = topics.terminal(fleet, book.device, "position")
    keys = memo.ask(papers_keys, tuple(papers.identities), book.device, book.enrolment)
    named = [memo.ask(named_key, one.data, one.held) for _, one in chapter.entries]
    keys = (*keys, *(key for key in named if key is not None))
    for place, sealed in chapter.positions:
        try:
            found = memo.ask(open_position, sealed.sealed, topic, book.enrolment, keys)
        except Refused as refused:
            yield Fault("seal", None, f"position: {refused}", place)
            continue
        count, known = found.entry_count, chains.get(found.entry_count)
        if known is None and not chapter.is_missing(count):
            reason = f"the terminal said it had {count} entries; they are not in the file"
            yield Fault("chain", count, reason, place)
        elif known is not None and known[: position.HEAD_BYTES] != found.entry_head:
            yield Fault("chain", count, f"the terminal's head at entry {count} was another", place)
