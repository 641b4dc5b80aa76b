"""How far a terminal's logbook is joined at the centre: contiguous number, head, and spans beyond.

Batches come in any order and more than once. A span that cannot be joined to the chain below it
means that two terminals write one logbook (`twin`): no receipt passes that number. What a
terminal has pruned after our receipt and a restored journal no longer knows is stepped over
(`bridged`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from protocol.logbook import RANGES_MAX, Head, Item, Receipt, chain

SPANS_MAX = RANGES_MAX


class Join(Enum):
    TAKEN = "taken"
    TWIN = "twin"  # does not fit what is joined: keep, act on urgent effects, receipt stops
    FULL = "full"  # too many gaps: not kept, the terminal sends again from its lowest


@dataclass(frozen=True, slots=True)
class Span:
    """Committed entries first..last beyond the contiguous part, with the heads at their ends."""

    first: int
    last: int
    head_before: bytes
    head_last: bytes


@dataclass(frozen=True, slots=True)
class ChainState:
    """One logbook. `n` 0 and `head` h(0) before the first entry."""

    logbook: bytes
    n: int
    head: bytes
    spans: tuple[Span, ...] = ()
    is_held: bool = False

    def receipt(self) -> Receipt:
        ranges = tuple((s.first, s.last) for s in self.spans if s.first > self.n + 1)
        return Receipt(self.logbook, self.n, self.head, ranges[:RANGES_MAX])


def heads_of(head: Head, items: Sequence[Item]) -> dict[int, bytes]:
    """h(n) for first-1..last of a batch whose items were checked to join."""
    heads = {head.first - 1: head.head_before}
    for n, item in enumerate(items, head.first):
        heads[n] = chain(heads[n - 1], n, item.digest)
    return heads


def join(state: ChainState, head: Head, heads: Mapping[int, bytes]) -> tuple[ChainState, Join]:
    """The state after a batch; the batch's own items are known to lead to its last head."""
    if state.is_held:
        return state, Join.TWIN
    known = heads.get(state.n)
    if known is not None and known != state.head:
        return replace(state, is_held=True), Join.TWIN
    if head.last <= state.n:
        return state, Join.TAKEN
    new, others = Span(head.first, head.last, head.head_before, head.head_last), []
    for span in state.spans:
        if span.last + 1 < new.first or new.last + 1 < span.first:
            others.append(span)
        elif not _meets(span, heads):
            return replace(state, is_held=True), Join.TWIN
        else:
            new = _union(new, span)
    if new.first <= state.n + 1:
        return replace(state, n=new.last, head=new.head_last, spans=tuple(others)), Join.TAKEN
    if len(others) >= SPANS_MAX:
        return state, Join.FULL
    spans = sorted([*others, new], key=lambda s: s.first)
    return replace(state, spans=tuple(spans)), Join.TAKEN


def bridged(state: ChainState, last: int, head_last: bytes) -> ChainState:
    """The terminal no longer holds entries up to `last`: the chain goes on at h(last)."""
    if state.is_held or last <= state.n:
        return state
    beyond = [span for span in state.spans if span.last > last]
    n, head = last, head_last
    if beyond and beyond[0].first <= last + 1:
        span = beyond.pop(0)
        if span.first == last + 1 and span.head_before != head_last:
            return replace(state, is_held=True)
        n, head = span.last, span.head_last
    return replace(state, n=n, head=head, spans=tuple(beyond))


def _meets(span: Span, heads: Mapping[int, bytes]) -> bool:
    """Whether a touching span has the same heads where the batch knows them."""
    before, at_last = heads.get(span.first - 1), heads.get(span.last)
    return before in (None, span.head_before) and at_last in (None, span.head_last)


def _union(one: Span, two: Span) -> Span:
    first, last = min(one, two, key=lambda s: s.first), max(one, two, key=lambda s: s.last)
    return Span(first.first, last.last, first.head_before, last.head_last)
