"""Does a world hold what DESIGN 4 promises? Reads logbooks, screens, the desk and the journal.

`find_faults` takes what is on disk and what people were shown, once nothing is under way any more,
and names every violation; docs/chaos.md says which check is for which promise. It reads files only
and asks no daemon. Used by the chaos suite and the bench; tests/chaos/test_checker.py damages
worlds by hand and sees each damage named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import invariants
from bench.chains import Centre, differences, own_books, tail_faults, witness_faults
from bench.history import History
from bench.invariants import Journal
from bench.watched_crew import Screen
from protocol.dispatch import Cancel, Order
from protocol.entry import Delivered
from protocol.words import TimeTrust

Json = Mapping[str, Any]
Faults = dict[str, list[str]]


@dataclass(slots=True)
class Evidence:
    """Where to look. `stores` are copies; `journal` is one made after them, so that each of their
    receipts must be in it, `earlier` one from before, so that they must have all that is in it.

    `asked`: request key -> incident of its reply, None where none came. `desk`: (kind, JSON) in
    the order shown. `refused`: counts at the centre; `expected`: reasons that may be among them.
    """

    journal: Path
    stores: Mapping[str, Path] = field(default_factory=dict)
    screens: Mapping[str, Screen] = field(default_factory=dict)
    desk: Sequence[tuple[str, Json]] = ()
    asked: Mapping[str, str | None] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    expected: frozenset[str] = frozenset()
    earlier: Path | None = None  # where nothing runs any more, the journal itself
    may_be_open: bool = False  # orders and incidents that are still worked on
    may_be_unanswered: bool = False  # a requester gave up while the centre was being killed
    patience_ms: int = invariants.UNDELIVERED_MS_MAX  # no fault takes a terminal away for longer


def find_faults(evidence: Evidence) -> Faults:
    """Violations by the name of their check; empty: all holds."""
    history, centre = History.of(evidence.journal), Centre(evidence.journal)
    earlier = Centre(evidence.earlier) if evidence.earlier is not None else centre
    journal = Journal(evidence.journal)
    journal.follow()
    books = {device: own_books(device, store) for device, store in evidence.stores.items()}
    found = {
        "history": history.faults,
        "double holdings": journal.double,
        "lost orders": _lost(journal, evidence),
        "requests": _requests(journal, evidence),
        "logbooks": centre.whole(),
        "fixes": centre.track_faults(),
        "both ends": [
            fault
            for own in books.values()
            for one in own
            for fault in (*differences(one, centre), *tail_faults(one, earlier))
        ],
        "witness": [f for own in books.values() for f in witness_faults(own, centre)],
        "delivered": delivered_faults(centre, history),
        "screens": screen_faults(evidence.screens, history),
        "desk": desk_faults(evidence.desk, history),
        "refused": [
            f"{count} refused as {reason}"
            for reason, count in evidence.refused.items()
            if reason not in evidence.expected
        ],
    }
    return {name: faults for name, faults in found.items() if faults}


def _requests(journal: Journal, evidence: Evidence) -> list[str]:
    """Each call done once. Whoever gave up does not know whether it was, but never twice."""
    if not evidence.may_be_unanswered:
        return invariants.doubled_requests(journal, evidence.asked)
    answered = {call: incident for call, incident in evidence.asked.items() if incident is not None}
    given_up = len(evidence.asked) - len(answered)
    faults = invariants.doubled_requests(journal, answered)
    unasked = [text for text in faults if text.endswith(invariants.UNASKED)]
    return faults if len(unasked) > given_up else [one for one in faults if one not in unasked]


def _lost(journal: Journal, evidence: Evidence) -> list[str]:
    if evidence.may_be_open:
        return []
    faults = invariants.lost_orders(journal, evidence.patience_ms)
    return faults + [f"incident {one} is open" for one in journal.open_incidents]


# --- what terminals took -------------------------------------------------------------------------


def delivered_faults(centre: Centre, history: History) -> list[str]:
    """Numbers that the centre never gave, taken twice, or shown after their end."""
    faults: list[str] = []
    seen: set[tuple[bytes, int, int, str]] = set()
    cancelled: set[tuple[bytes, str]] = set()
    shown: set[tuple[bytes, str, int]] = set()
    for owner, book, n, entry in centre.entries():
        if not isinstance(entry.body, Delivered):
            continue
        one, where = entry.body, f"logbook {book.hex()[:8]} entry {n}"
        number = f"number {one.term}/{one.counter}"
        body = history.messages.get((owner, one.term, one.counter))
        if body is None:
            faults.append(f"{where}: {number} was never given")
            continue
        if (owner, one.term, one.counter, one.outcome) in seen:
            faults.append(f"{where}: {number} {one.outcome} a second time")
        seen.add((owner, one.term, one.counter, one.outcome))
        if isinstance(body, Cancel):
            cancelled.add((owner, body.order))
        if not isinstance(body, Order) or one.outcome != "shown":
            continue
        key = (owner, body.order, body.revision)
        if (owner, body.order) in cancelled:
            faults.append(f"{where}: order {body.order} shown after its cancel")
        is_late = entry.time_ms > body.expires_ms and entry.time_trust >= TimeTrust.NTP
        if key not in shown and is_late:
            faults.append(f"{where}: order {body.order} shown after its expiry")
        shown.add(key)
    return faults


# --- what people saw -----------------------------------------------------------------------------


def screen_faults(screens: Mapping[str, Screen], history: History) -> list[str]:
    """Cards that came new twice, fell back, or belong to no order of that unit."""
    faults = []
    for unit, screen in screens.items():
        for (order, revision), count in screen.showings.items():
            if count > 1:
                faults.append(f"{unit}: order {order} revision {revision} came new {count} times")
            issued = history.orders.get(order)
            if issued is None or issued.unit != unit:
                faults.append(f"{unit}: shown order {order}, which was not issued to it")
        faults += [f"{unit}: {text}" for text in screen.went_back]
    return faults


def desk_faults(desk: Sequence[tuple[str, Json]], history: History) -> list[str]:
    """States that the journal never had, places without an age, units that went back in time."""
    faults: dict[str, None] = {}
    newest: dict[str, str] = {}
    for kind, said in desk:
        if kind == "incident":
            faults |= dict.fromkeys(_incident_faults(said, history))
        elif kind == "unit" and said.get("geometry") is not None:
            of, unit = said["properties"], said["id"]
            if not of.get("freshness") or of.get("position_time") is None:
                faults[f"desk: {unit} has a place and no age"] = None
            elif of["position_time"] < newest.get(unit, ""):
                faults[f"desk: {unit} went back to {of['position_time']}"] = None
            newest[unit] = max(newest.get(unit, ""), of.get("position_time") or "")
    return list(faults)


def _incident_faults(said: Json, history: History) -> list[str]:
    known = history.incidents.get(said["id"])
    if known is None:
        return [f"desk: incident {said['id']} is not in the journal"]
    faults = []
    if said["state"] not in known.states:
        faults.append(f"desk: incident {said['id']} {said['state']}, never so in the journal")
    for unit in said["units"]:
        order = history.orders.get(unit["order"])
        if order is None or unit["state"] not in {state for state, _ in order.states}:
            faults.append(f"desk: order {unit['order']} {unit['state']}, never so in the journal")
    return faults
