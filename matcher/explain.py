"""Why this unit: from the journal alone, first as one sentence, then all that was weighed.

The same journal gives the same bytes, whatever the settings are now. Units in `hidden` are only
counted, also where one of them was sent. Called by command.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final

from matcher.core import events as ev
from matcher.core.offers import RULE_PERSON
from matcher.explain_texts import LANGUAGES, Words, reason_text
from matcher.journal.journal import Row
from protocol.instant import iso
from protocol.order import OrderKind

_OTHERS_SHOWN: Final = 3
NOBODY: Final = frozenset[str]()
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Why:
    """A decision with the order it led to, and where the journal has it."""

    decided: ev.Decided
    issued: ev.OrderIssued
    seq: int
    chain: bytes


def find(rows: Iterable[Row], order: str) -> Why | None:
    """The decision behind `order`, or None. An alert to a neighbour has that of its incident."""
    wanted = order.encode()
    for row in rows:
        if wanted not in row.events:  # decoding every transaction would take a minute
            continue
        decided: ev.Decided | None = None
        for event in row.decision().events:
            if isinstance(event, ev.Decided):
                decided = event
            elif isinstance(event, ev.OrderIssued) and event.order == order:
                return Why(decided or _undecided(event), event, row.seq, row.chain)
    return None


def _undecided(issued: ev.OrderIssued) -> ev.Decided:
    """Where the transaction holds no ranking."""
    return ev.Decided(issued.at_ms, issued.incident, issued.order, issued.issuer, (), ())


def sentence(why: Why, language: str = "en", hidden: frozenset[str] = NOBODY) -> str:
    """`Sent 621: 24 s. 618 was 41 s; 630 left out: position 4 min old.`"""
    words = LANGUAGES[language]
    issued, decided = why.issued, why.decided
    unit = words.restricted_one if issued.unit in hidden else issued.unit
    if issued.kind == OrderKind.ALERT:
        head = words.told
    else:
        head = words.sent_by if decided.rule == RULE_PERSON else words.sent
    parts = [head.format(unit=unit, by=issued.issuer, eta=_seconds(issued.eta_ms, words))]
    others = [c for c in decided.candidates if c.unit != issued.unit and c.unit not in hidden]
    left_out = [o for o in decided.left_out if o.unit not in hidden]
    more = [words.was.format(unit=c.unit, eta=_seconds(c.eta_ms, words))
            for c in others[:_OTHERS_SHOWN]]  # fmt: skip
    more += [
        words.left_out.format(unit=o.unit, reason=reason_text(_masked(o.reason, hidden), language))
        for o in left_out[:_OTHERS_SHOWN]
    ]
    count = _restricted(why, hidden)
    if count:
        more.append(words.restricted.format(n=count))
    if more:
        parts.append(words.semicolon.join(more) + words.stop)
    return words.blank.join(parts)


def _seconds(eta_ms: int | None, words: Words) -> str:
    return words.unknown if eta_ms is None else words.seconds.format(s=f"{eta_ms / 1000:.0f}")


def _restricted(why: Why, hidden: frozenset[str]) -> int:
    """Units that were weighed beside the one that was sent, and may not be named."""
    weighed = {c.unit for c in why.decided.candidates} | {o.unit for o in why.decided.left_out}
    return len((weighed & hidden) - {why.issued.unit})


def _masked(reason: str, hidden: frozenset[str]) -> str:
    """A reason may name a unit too."""
    return re.sub(r"[a-z0-9-]+", lambda m: "restricted" if m[0] in hidden else m[0], reason)


def details(why: Why, hidden: frozenset[str] = NOBODY) -> list[str]:
    """Rules, where the journal has it, every candidate and everybody left out, a line each."""
    decided, issued = why.decided, why.issued
    place = f"place {issued.slot} of the plan" if issued.slot else "no place of the plan"
    because = f"; reason {decided.reason}" if decided.reason else ""
    lines = [
        f"rule {decided.rule}; issuer {issued.issuer}; {place}{because}{_more(decided)}",
        f"decided {iso(decided.at_ms)}; transaction {why.seq}; chain {why.chain.hex()}",
    ]
    lines += [
        f"candidate {c.unit}: {c.eta_ms} ms, {c.distance_m} m, {c.band},"
        f" position {c.age_ms} ms old{_more(c)}"
        for c in decided.candidates
        if c.unit not in hidden
    ]
    lines += [
        f"left out {o.unit}: {_masked(o.reason, hidden)}"
        for o in decided.left_out
        if o.unit not in hidden
    ]
    count = _restricted(why, hidden)
    return lines + ([f"restricted: {count} not named"] if count else [])


def as_json(why: Why, hidden: frozenset[str] = NOBODY) -> Json:
    """The same as an object; `sentence` and `details` as people read them."""
    decided, issued = why.decided, why.issued
    return {
        "order": issued.order,
        "incident": None if issued.unit in hidden else issued.incident,
        "unit": None if issued.unit in hidden else issued.unit,
        "kind": issued.kind,
        "place": issued.slot,
        "eta_ms": issued.eta_ms,
        "issuer": issued.issuer,
        "rule": decided.rule,
        "reason": decided.reason,
        "decided": iso(decided.at_ms),
        "transaction": why.seq,
        "chain": why.chain.hex(),
        "sentence": sentence(why, "en", hidden),
        "sentence_zh": sentence(why, "zh", hidden),
        "candidates": [_plain(c) for c in decided.candidates if c.unit not in hidden],
        "left_out": [
            {"unit": o.unit, "reason": _masked(o.reason, hidden)}
            for o in decided.left_out
            if o.unit not in hidden
        ],
        "restricted": _restricted(why, hidden),
        "details": details(why, hidden),
    } | _later_fields(decided)


# Fields that this file writes in their own place; a record's later ones (a price, the version of
# the road graph) are written by name, so that they are told from the first decision that has them.
_KNOWN: Final[Mapping[type[Any], frozenset[str]]] = {
    ev.Decided: frozenset(
        {"at_ms", "incident", "order", "rule", "candidates", "left_out", "reason"}
    ),
    ev.Candidate: frozenset({"unit", "eta_ms", "distance_m", "age_ms", "band"}),
}


def _later_fields(record: ev.Decided | ev.Candidate) -> Json:
    """Fields of later releases, where the record has more in them than their default."""
    known = next(names for kind, names in _KNOWN.items() if isinstance(record, kind))
    found: Json = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if field.name not in known and (field.default is MISSING or value != field.default):
            found[field.name] = value
    return found


def _more(record: ev.Decided | ev.Candidate) -> str:
    comma = "; " if isinstance(record, ev.Decided) else ", "
    return "".join(f"{comma}{name} {value}" for name, value in _later_fields(record).items())


def _plain(candidate: ev.Candidate) -> Json:
    own = ("unit", "eta_ms", "distance_m", "age_ms", "band")
    return {name: getattr(candidate, name) for name in own} | _later_fields(candidate)
