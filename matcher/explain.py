"""Why this unit: from the journal alone, first as one sentence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from matcher.core import events as ev
from matcher.core.offers import RULE_PERSON

_OTHERS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Why:
    """A decision with the order it led to."""

    decided: ev.Decided
    issued: ev.OrderIssued


def find(events: Iterable[ev.Event], order: str) -> Why | None:
    """The decision behind `order`, or None."""
    decided: ev.Decided | None = None
    for event in events:
        if isinstance(event, ev.Decided) and event.order == order:
            decided = event
        elif isinstance(event, ev.OrderIssued) and event.order == order and decided is not None:
            return Why(decided, event)
    return None


def sentence(why: Why) -> str:
    """`Sent 621: 24 s. 618 was 41 s; 630 left out: position 4 min old.`"""
    unit, eta_ms = why.issued.unit, why.issued.eta_ms
    by = f" by {why.issued.issuer}" if why.decided.rule == RULE_PERSON else ""
    first = f"Sent {unit}{by}: {_seconds(eta_ms)}."
    others = [c for c in why.decided.candidates if c.unit != unit][:_OTHERS_SHOWN]
    parts = [f"{c.unit} was {_seconds(c.eta_ms)}" for c in others]
    parts += [f"{o.unit} left out: {o.reason}" for o in why.decided.left_out[:_OTHERS_SHOWN]]
    return f"{first} {'; '.join(parts)}." if parts else first


def _seconds(eta_ms: int | None) -> str:
    return "travel time unknown" if eta_ms is None else f"{eta_ms / 1000:.0f} s"


def details(why: Why) -> list[str]:
    """Every candidate and everybody left out, a line each."""
    decided = why.decided
    lines = [
        f"rule {decided.rule}; issuer {why.issued.issuer}; place {why.issued.slot} of the plan"
    ]
    lines += [
        f"candidate {c.unit}: {c.eta_ms} ms, {c.distance_m} m, {c.band}, position {c.age_ms} ms old"
        for c in decided.candidates
    ]
    lines += [f"left out {o.unit}: {o.reason}" for o in decided.left_out]
    return lines
