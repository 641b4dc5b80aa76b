"""How far a terminal's logbook is joined at the centre: contiguous number, head, and spans beyond.

Batches come in any order and more than once. A span that cannot be joined to the chain below it
means that two terminals write one logbook (`twin`): no receipt passes that number.
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
    if head.last <= state.n:
        same = heads[head.last] == state.head if head.last == state.n else True
        return (state, Join.TAKEN) if same else (replace(state, is_held=True), Join.TWIN)
    if head.first > state.n + 1:
        return _beyond(state, head)
    if heads[state.n] != state.head:
        return replace(state, is_held=True), Join.TWIN
    return _absorb(replace(state, n=head.last, head=head.head_last), heads)


def _beyond(state: ChainState, head: Head) -> tuple[ChainState, Join]:
    """A batch above a gap: kept as a span, merged with spans that it covers or extends."""
    new = Span(head.first, head.last, head.head_before, head.head_last)
    if any(s.first <= new.first and new.last <= s.last for s in state.spans):
        return state, Join.TAKEN
    others = [s for s in state.spans if not (new.first <= s.first and s.last <= new.last)]
    spans = _merged(sorted([*others, new], key=lambda s: s.first))
    if len(spans) > SPANS_MAX:
        return state, Join.FULL
    return replace(state, spans=tuple(spans)), Join.TAKEN


def _merged(spans: list[Span]) -> list[Span]:
    """Neighbours whose heads meet become one span; an overlap stays until the gap closes."""
    out: list[Span] = []
    for span in spans:
        if out and out[-1].last + 1 == span.first and out[-1].head_last == span.head_before:
            out[-1] = Span(out[-1].first, span.last, out[-1].head_before, span.head_last)
        else:
            out.append(span)
    return out


def _absorb(state: ChainState, heads: Mapping[int, bytes]) -> tuple[ChainState, Join]:
    """Join the spans that the contiguous part has reached; a head that differs is a twin."""
    known = dict(heads)
    spans = list(state.spans)
    while spans and spans[0].first <= state.n + 1:
        span = spans.pop(0)
        before, at_last = known.get(span.first - 1), known.get(span.last)
        fits = before in (None, span.head_before) and at_last in (None, span.head_last)
        if not fits:
            return replace(state, spans=(span, *spans), is_held=True), Join.TWIN
        if span.last > state.n:
            if before is None:
                return replace(state, spans=(span, *spans), is_held=True), Join.TWIN
            state = replace(state, n=span.last, head=span.head_last)
            known[span.last] = span.head_last
    return replace(state, spans=tuple(spans)), Join.TAKEN
