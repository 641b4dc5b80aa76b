"""What always holds, over random histories: no unit twice, no silent wait, the same again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.core import records
from matcher.core.apply import apply
from matcher.core.assign import open_slot
from matcher.core.board import INCIDENT_CLOSED, Board
from matcher.core.commands import COMMANDS
from matcher.core.decide import decide
from matcher.core.events import EVENTS
from protocol import entry as entries
from protocol.order import HELD, OFFERED, Answer
from protocol.words import Status
from tests.matcher.fleet import FleetUnderTest

UNITS = {"a": 10_000, "b": 20_000, "c": 20_000, "d": 5_000}
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("report"), st.integers(1, 4), st.integers(1, 3)),
        st.tuples(st.just("alerted"), st.integers(1, 4), st.integers(1, 3)),
        st.tuples(st.just("capable"), st.integers(1, 4), st.integers(1, 3)),
        st.tuples(st.just("played"), st.integers(1, 4), st.integers(1, 3)),
        st.tuples(st.just("add"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("close"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("reopen"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("stop"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("reassign"), st.integers(0, 3), st.sampled_from(sorted(UNITS))),
        st.tuples(st.just("voice"), st.integers(0, 12), st.sampled_from(list(Answer)[:5])),
        st.tuples(st.just("update"), st.integers(0, 3), st.sampled_from(["note", "safety"])),
        st.tuples(st.just("priority"), st.integers(0, 3), st.integers(1, 4)),
        st.tuples(st.just("merge"), st.integers(0, 3), st.integers(0, 3)),
        st.tuples(st.just("unmerge"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("message"), st.sampled_from(sorted(UNITS)), st.just(0)),
        st.tuples(
            st.just("mode"),
            st.integers(1, 4),
            st.sampled_from(["recommend", "auto_veto", "auto"]),
        ),
        st.tuples(st.just("deliver"), st.sampled_from(sorted(UNITS)), st.just(0)),
        st.tuples(st.just("answer"), st.integers(0, 12), st.sampled_from(list(Answer))),
        st.tuples(st.just("wait"), st.sampled_from([1, 6, 11, 61, 130, 8000]), st.just(0)),
        st.tuples(st.just("cancel"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("assign"), st.integers(0, 3), st.sampled_from(sorted(UNITS))),
        st.tuples(st.just("release"), st.integers(0, 3), st.sampled_from(sorted(UNITS))),
        st.tuples(st.just("hold"), st.sampled_from(sorted(UNITS)), st.booleans()),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
        st.tuples(st.just("sos"), st.sampled_from(sorted(UNITS)), st.integers(0, 400)),
        st.tuples(
            st.just("status"),
            st.sampled_from(sorted(UNITS)),
            st.sampled_from([Status.BUSY, Status.AVAILABLE, Status.EMERGENCY]),
        ),
        st.tuples(st.just("exercise"), st.sampled_from(sorted(UNITS)), st.booleans()),
        st.tuples(st.just("seen"), st.integers(0, 12), st.just(0)),
    ),
    max_size=30,
)


REPORTS: dict[str, dict[str, object]] = {
    "report": {},
    "alerted": {"alert": True},
    "capable": {"capabilities": ["taser"]},
    "played": {"exercise": True},
}
FOR_INCIDENTS: dict[str, Callable[[object], tuple[str, dict[str, object]]]] = {
    "cancel": lambda _: ("cancel", {}),
    "close": lambda _: ("close", {"disposition": "handled"}),
    "reopen": lambda _: ("reopen", {}),
    "add": lambda _: ("add", {"units": 1}),
    "unmerge": lambda _: ("unmerge", {}),
    "update": lambda how: ("update", {"notes": "seen again", "revision": how}),
    "priority": lambda priority: ("update", {"priority": priority}),
    "stop": lambda on: ("hold", {"on": on}),
    "assign": lambda unit: ("assign", {"unit": unit}),
    "reassign": lambda unit: ("reassign", {"unit": unit}),
    "release": lambda unit: ("release", {"unit": unit}),
}


def here(metres: int) -> entries.Here:
    return entries.Here(245_130_000 + 90 * metres, 1_176_470_000, 50, 500)


def press(fleet: FleetUnderTest, unit: str, metres: int) -> None:
    """A new press of the unit's recorder, that far from the others."""
    n = len(fleet.commands) + 1
    fleet.entry(
        unit, entries.DeviceEvent("body-1", "recorder", 1, n, "sos", None, (), here(metres), None)
    )


def set_status(fleet: FleetUnderTest, unit: str, status: int) -> None:
    fleet.entry(unit, entries.StatusChange(status, None))


def see(fleet: FleetUnderTest, which: int, _: object) -> None:
    alerts = sorted(fleet.board.alerts)
    if alerts:
        fleet.request({"verb": "acknowledge", "alert": alerts[which % len(alerts)]})


def play(fleet: FleetUnderTest, unit: str, on: bool) -> None:
    fleet.request({"verb": "exercise", "unit": unit, "on": on})


SAFETY: dict[str, Callable[[FleetUnderTest, Any, Any], None]] = {
    "sos": press,
    "status": set_status,
    "exercise": play,
    "seen": see,
}


def run(fleet: FleetUnderTest, action: tuple[str, object, object]) -> None:
    what, one, two = action
    incidents, orders = sorted(fleet.board.incidents), sorted(fleet.board.orders)
    if what in REPORTS:
        fleet.report(priority=one, units=two, officers=two, **REPORTS[what])  # type: ignore[arg-type]
    elif what == "mode":
        fleet.request({"verb": "mode", "priority": one, "mode": two})
    elif what == "voice" and orders:
        fleet.by_voice(fleet.board.orders[orders[one % len(orders)]], two.word)  # type: ignore[operator,attr-defined]
    elif what == "deliver":
        fleet.deliver(one)  # type: ignore[arg-type]
    elif what == "wait":
        fleet.wait(one)  # type: ignore[arg-type]
    elif what == "restart":
        fleet.restart()
    elif what == "hold":
        fleet.request({"verb": "hold", "unit": one, "on": two})
    elif what == "answer" and orders:
        order = fleet.board.orders[orders[one % len(orders)]]  # type: ignore[operator]
        fleet.answer(order, two)  # type: ignore[arg-type]
    elif what == "message":
        fleet.request({"verb": "message", "unit": one, "text": "look out"})
    elif what == "merge" and incidents:
        into = incidents[two % len(incidents)]  # type: ignore[operator]
        fleet.request({"verb": "merge", "incident": incidents[one % len(incidents)], "into": into})  # type: ignore[operator]
    elif what in SAFETY:
        SAFETY[what](fleet, one, two)
    elif what in FOR_INCIDENTS and incidents:
        verb, more = FOR_INCIDENTS[what](two)
        fleet.request({"verb": verb, "incident": incidents[one % len(incidents)], **more})  # type: ignore[operator]


def check(board: Board) -> None:
    for unit in board.units.values():
        open_ones = [
            o for o in board.orders.values() if o.unit == unit.unit and o.is_open and o.binds
        ]
        assert len(open_ones) <= 1, "a unit has at most one open order"
        assert unit.order == (open_ones[0].order if open_ones else None)
    for incident in board.incidents.values():
        places = [o.slot for o in board.orders_of(incident) if o.holds_place]
        assert len(places) == len(set(places)), "a place is held at most once"
        if incident.state in INCIDENT_CLOSED:
            assert not [o for o in board.orders_of(incident) if o.state in OFFERED]
            assert incident.incident not in board.open_ids
        elif open_slot(board, incident) is not None:
            assert incident.waits is not None, "an incident never waits silently"
        for order in board.orders_of(incident):
            if order.is_open:
                assert board.units[order.unit].exercise == incident.exercise, "never mixed"
    for sos in board.sos.values():
        incident = board.incidents[sos.incident]
        assert (incident.priority, incident.exercise) == (0, False)
        if incident.state in INCIDENT_CLOSED:
            assert (incident.state, incident.disposition) == ("cleared", "handled"), "by the desk"
        else:
            assert {board.units[u].status for u in sos.units} == {Status.EMERGENCY}


@settings(max_examples=400, deadline=None)
@given(ACTIONS)
def test_invariants_hold_after_every_action(actions: list[tuple[str, object, object]]) -> None:
    fleet = FleetUnderTest(
        dict(UNITS), capabilities={"c": ("taser",)}, places={unit: here(0) for unit in "ab"}
    )
    for action in actions:
        run(fleet, action)
        check(fleet.board)
        for order in fleet.board.orders.values():
            if order.priority <= 2 and order.binds and order.state == "expired":
                assert fleet.now_ms >= order.expires_ms, "silence releases nobody"


@settings(max_examples=150, deadline=None)
@given(ACTIONS)
def test_journal_gives_the_same_board_and_the_core_the_same_events(
    actions: list[tuple[str, object, object]],
) -> None:
    fleet = FleetUnderTest(dict(UNITS), places={unit: here(0) for unit in "ab"})
    for action in actions:
        run(fleet, action)
    read_event, read_command = records.decoder(EVENTS), records.decoder(COMMANDS)
    replayed, decided = Board(), Board()
    for event in fleet.events:
        apply(replayed, read_event(records.encode(event)))
    for command in fleet.commands:
        decide(decided, read_command(records.encode(command)))
    assert replayed.digest() == decided.digest() == fleet.board.digest()


def test_held_states_are_the_ones_with_a_place() -> None:
    assert HELD.isdisjoint(OFFERED)
