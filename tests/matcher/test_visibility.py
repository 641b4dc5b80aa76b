"""Units that are not open to all: over random histories nothing outside their group names them."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher.board_text import board_html, board_text
from matcher.core import events as ev
from matcher.core.board import INCIDENT_CLOSED, Board, Incident
from matcher.core.commands import Begin
from matcher.core.figures import FLEET as ALL
from matcher.core.figures import Figures
from protocol import dispatch
from protocol import entry as entries
from protocol.order import Answer
from protocol.words import Status
from tests.matcher.ears import Ears, Said
from tests.matcher.fleet import FleetUnderTest, enrolment_of
from tests.matcher.test_invariants import ACTIONS, here, press, run

HIDDEN, GROUP = "zq9", "drugs"
MEMBER, OUTSIDER = ("supervisor", f"group-{GROUP}"), ("supervisor", "group-other")
LAT_E7, LON_E7 = 247_777_000, 1_173_333_000
PLACE = (b"24.7777", b"117.3333", b"24777", b"117333")
GROUP_TOPICS = f"outrider/v1/fleet/zz/group/{GROUP}/"
REPLY_TOPICS = "outrider/v1/fleet/zz/reply/"


def make() -> tuple[FleetUnderTest, Ears]:
    """Three open cars and one that is hidden before anything of it was published."""
    fleet = FleetUnderTest(
        {"a": 10_000, "b": 20_000, "c": 20_000, HIDDEN: 5_000},
        officers={"c": 1},
        capabilities={"c": ("taser",)},
        places={"a": here(0), "b": here(0), HIDDEN: entries.Here(LAT_E7, LON_E7, 50, 500)},
    )
    set_visibility(fleet, "covert")
    ears = Ears(fleet)
    ears.place(HIDDEN, LAT_E7, LON_E7)
    check_heard(fleet, ears.hear())
    return fleet, ears


def set_visibility(fleet: FleetUnderTest, visibility: str, unit: str = HIDDEN) -> None:
    before, fleet.roles = fleet.roles, MEMBER
    fleet.request({"verb": "visibility", "unit": unit, "visibility": visibility, "group": GROUP})
    assert fleet.board.units[unit].visibility == visibility
    fleet.roles = before


def is_alone(board: Board, incident: Incident) -> bool:
    """By the words of the design: hidden units are on it, and no other."""
    if incident.incident in board.sos:
        return False
    orders = board.orders_of(incident)
    if incident.state not in INCIDENT_CLOSED:
        orders = [order for order in orders if order.is_open]
    units = [board.units[order.unit] for order in orders]
    return bool(units) and all(unit.visibility != "open" for unit in units)


def mentions(said: Said, word: str) -> bool:
    text = said.topic + " " + said.payload.decode(errors="replace")
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


def check_heard(fleet: FleetUnderTest, heard: list[Said]) -> None:
    """What an outsider could have read of the last action's messages."""
    board, asked = fleet.board, getattr(fleet.commands[-1], "payload", b"")
    is_hidden = board.units[HIDDEN].visibility != "open"
    alone = [name for i in board.incidents.values() if is_alone(board, i)
             for name in (i.incident, i.number)]  # fmt: skip
    for said in heard:
        if said.topic.startswith(GROUP_TOPICS) or is_reply_to(said, fleet, asked):
            continue
        if not said.payload:
            assert said.was_held, f"{said.topic}: cleared, and nothing was there"
            continue
        if is_hidden:
            assert not mentions(said, HIDDEN), said
        for name in alone:
            assert not mentions(said, name), said
        if is_hidden and not is_shared(board):
            assert not [place for place in PLACE if place in said.payload], said


def is_shared(board: Board) -> bool:
    """Whether others were called to where it is: an SOS, or help at what it had begun."""
    own = [i for i in board.incidents.values() if i.own_of == HIDDEN]
    return any(HIDDEN in sos.units for sos in board.sos.values()) or any(
        order.unit != HIDDEN for incident in own for order in board.orders_of(incident)
    )


def is_reply_to(said: Said, fleet: FleetUnderTest, asked: bytes) -> bool:
    """A reply to a member; to an outsider one may repeat what that person wrote."""
    is_reply = said.topic.startswith(REPLY_TOPICS)
    return is_reply and (fleet.roles == MEMBER or HIDDEN.encode() in asked or b'"i-' in asked)


def check_held(fleet: FleetUnderTest, ears: Ears) -> None:
    """What a subscriber who comes now would get."""
    board, unit = fleet.board, fleet.board.units[HIDDEN]
    base = "outrider/v1/fleet/zz"
    assert (f"{base}/unit/{HIDDEN}" in ears.held) == (unit.visibility == "open")
    kept = f"{base}/group/{GROUP}/unit/{HIDDEN}" in ears.held
    assert kept == (unit.visibility == "restricted")
    for incident in board.incidents.values():
        name = incident.incident
        in_group = f"{base}/group/{GROUP}/incident/{name}" in ears.held
        if is_alone(board, incident):
            assert f"{base}/incident/{name}" not in ears.held
        elif incident.state not in INCIDENT_CLOSED and incident.own_of != HIDDEN:
            assert f"{base}/incident/{name}" in ears.held
        if in_group:
            assert unit.visibility == "restricted"
    others = [t for t in ears.held if "/group/" in t and f"/group/{GROUP}/" not in t]
    assert not others


def check_statistics(fleet: FleetUnderTest, ears: Ears) -> None:
    board = fleet.board
    shown = json.loads(ears.held["outrider/v1/fleet/zz/statistics"])
    open_units = {u.unit for u in board.units.values() if u.visibility == "open"}
    assert sum(shown["units_by_status"].values()) == len(open_units)
    orders = Counter(str(o.state) for o in board.orders.values() if o.unit in open_units)
    assert shown["orders_by_state"] == orders


def check_texts(board: Board, now_ms: int) -> None:
    """The board on paper."""
    for text in (board_text(board, now_ms), board_html(board, now_ms)):
        assert HIDDEN not in text
        assert "not open to all, not shown: 1 units" in text
        numbers = [i.number for i in board.open_incidents() if is_alone(board, i)]
        assert not [n for n in numbers if n in text]
    assert HIDDEN in board_text(board, now_ms, GROUP)


def as_hidden(action: tuple[str, object, object]) -> tuple[str, object, object]:
    what, *more = action
    one, two = (HIDDEN if value == "d" else value for value in more)
    return what, one, two


HISTORIES = st.lists(st.tuples(ACTIONS.map(lambda a: a[:4]), st.booleans()), max_size=10)
LONG_SOLO = [
    ([("status", "d", Status.BUSY), ("status", "d", Status.AVAILABLE)], True),
    ([("mode", 1, "recommend"), ("report", 1, 1), ("assign", 0, "d")], True),
    ([("wait", 61, 0), ("message", "d", 0), ("release", 0, "d")], True),
]


@settings(max_examples=150, deadline=None)
@given(HISTORIES)
@example(LONG_SOLO)
@example([([("alerted", 1, 3), ("assign", 0, "d"), ("sos", "d", 0), ("wait", 61, 0)], True)])
@example([([("capable", 1, 3), ("assign", 0, "d"), ("deliver", "d", 0)], True)])
def test_nobody_outside_reads_of_a_covert_unit(
    histories: list[tuple[list[tuple[str, object, object]], bool]],
) -> None:
    fleet, ears = make()
    for actions, is_member in histories:
        fleet.roles = MEMBER if is_member else OUTSIDER
        for action in actions:
            run(fleet, as_hidden(action))
            check_heard(fleet, ears.hear())
            check_held(fleet, ears)
    check_statistics(fleet, ears)
    check_texts(fleet.board, fleet.now_ms)
    for event in fleet.events:
        if isinstance(event, ev.MessageQueued) and event.enrolment != enrolment_of(HIDDEN):
            assert HIDDEN.encode() not in event.message, dispatch.decode(event.message)


CHANGES = st.sampled_from(["open", "restricted", "covert", "restart", "link"])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(ACTIONS.map(lambda a: a[:3]), CHANGES), max_size=8))
@example([([("report", 1, 1)], "open"), ([("report", 2, 1)], "covert"), ([], "restart")])
@example([([("mode", 1, "recommend"), ("report", 1, 1)], "open"), ([("report", 1, 1)], "covert")])
@example([([], "open"), ([("report", 1, 1), ("report", 1, 1)], "restricted")])
def test_a_change_clears_first_and_nothing_is_left(
    histories: list[tuple[list[tuple[str, object, object]], str]],
) -> None:
    fleet, ears = make()
    fleet.roles = MEMBER
    for actions, change in histories:
        for action in actions:
            run(fleet, as_hidden(action))
            check_heard(fleet, ears.hear())
        if change == "restart":
            ears.restart()
        elif change == "link":
            ears.takes = False
            set_visibility(fleet, "covert")
            ears.hear()
            ears.takes = True
        else:
            set_visibility(fleet, change)
        heard = ears.hear()
        check_heard(fleet, heard)
        check_held(fleet, ears)
        check_statistics(fleet, ears)


def test_the_old_topic_is_cleared_before_the_new_one_speaks() -> None:
    fleet, ears = make()
    base = "outrider/v1/fleet/zz"
    own, group = f"{base}/unit/{HIDDEN}", f"{base}/group/{GROUP}/unit/{HIDDEN}"
    found = {}
    for visibility in ("restricted", "open", "covert", "open", "restricted", "covert"):
        set_visibility(fleet, visibility)
        ears.fleet.now_ms += 1
        said = [(s.topic, bool(s.payload), s.retain) for s in ears.hear() if HIDDEN in s.topic]
        found[visibility] = said[:2]
        if visibility == "open":
            assert said[0] == (group, False, True) or group not in ears.held
            assert (own, True, True) in said
    assert found["restricted"] == [(own, False, True), (group, True, True)]
    assert found["covert"] == [(group, False, True), (group, True, False)]


def test_an_incident_that_it_alone_is_on_goes_with_it_and_comes_back() -> None:
    fleet, ears = make()
    fleet.roles = MEMBER
    fleet.request({"verb": "mode", "priority": 2, "mode": "recommend"})
    incident = fleet.report(priority=2).incident
    own, group = (f"outrider/v1/fleet/zz/{w}incident/{incident}" for w in ("", f"group/{GROUP}/"))
    ears.hear()
    assert own in ears.held
    fleet.request({"verb": "assign", "incident": incident, "unit": HIDDEN})
    said = [s for s in ears.hear() if s.topic in (own, group)]
    assert (said[0].topic, said[0].payload) == (own, b"")
    assert [u["unit"] for u in json.loads(said[1].payload)["units"]] == [HIDDEN]
    assert not said[1].retain
    fleet.request({"verb": "add", "incident": incident})
    fleet.request({"verb": "assign", "incident": incident, "unit": "a"})
    ears.hear()
    assert [u["unit"] for u in json.loads(ears.held[own])["units"]] == ["a"]


def test_an_sos_of_a_covert_unit_is_told_to_all_without_its_name() -> None:
    fleet, ears = make()
    press(fleet, HIDDEN, 0)
    heard = ears.hear()
    check_heard(fleet, heard)
    alerts = [s for s in heard if "/alert/sos" in s.topic]
    outside = [json.loads(s.payload) for s in alerts if "/group/" not in s.topic]
    inside = [json.loads(s.payload) for s in alerts if "/group/" in s.topic]
    assert {(a["unit"], "officer 民警" in a["text"]) for a in outside} == {(None, True)}
    assert {(a["unit"], HIDDEN in a["text"]) for a in inside} == {(HIDDEN, True)}
    (incident,) = fleet.board.incidents
    assert f"outrider/v1/fleet/zz/incident/{incident}" in ears.held
    fleet.roles = OUTSIDER
    assert fleet.request({"verb": "acknowledge", "alert": f"sos-{incident}"}).outcome == "done"


NAMED: dict[str, tuple[dict[str, object], str]] = {
    "assign": ({"incident": "free", "unit": HIDDEN}, "unknown_unit"),
    "reassign": ({"incident": "free", "unit": HIDDEN}, "unknown_unit"),
    "release": ({"incident": "shared", "unit": HIDDEN}, "not_on_it"),
    "hold": ({"unit": HIDDEN, "on": True}, "unknown_unit"),
    "status": ({"unit": HIDDEN, "status": "busy"}, "unknown_unit"),
    "message": ({"unit": HIDDEN, "text": "hello"}, "unknown_unit"),
    "logon": ({"unit": HIDDEN, "crew": ["1"]}, "unknown_unit"),
    "logoff": ({"unit": HIDDEN}, "unknown_unit"),
    "exercise": ({"unit": HIDDEN, "on": True}, "unknown_unit"),
    "visibility": ({"unit": HIDDEN, "visibility": "open"}, "unknown_unit"),
    "answer": ({"order": "order", "answer": "accept"}, "unknown_order"),
    "update": ({"incident": "alone", "notes": "x"}, "unknown_incident"),
    "cancel": ({"incident": "alone"}, "unknown_incident"),
    "close": ({"incident": "alone", "disposition": "handled"}, "unknown_incident"),
    "add": ({"incident": "alone"}, "unknown_incident"),
    "merge": ({"incident": "free", "into": "alone"}, "cannot_join"),
    "unmerge": ({"incident": "alone"}, "unknown_incident"),
    "reopen": ({"incident": "alone"}, "unknown_incident"),
    "acknowledge": ({"alert": "alert"}, "unknown_alert"),
}  # fmt: skip


@pytest.mark.parametrize("verb", NAMED)
def test_to_others_it_is_as_if_it_were_not(verb: str) -> None:
    """The same words, and the same reply as for what does not exist."""
    fleet, _ = make()
    fleet.roles = MEMBER
    fleet.request({"verb": "mode", "priority": 2, "mode": "recommend"})
    names = {name: fleet.report(priority=2).incident for name in ("alone", "shared", "free")}
    order = fleet.request({"verb": "assign", "incident": names["alone"], "unit": HIDDEN}).order
    assert order is not None
    fleet.wait(21)
    alerts = [a.alert for a in fleet.board.alerts.values() if a.order == order]
    names |= {"order": order, "alert": alerts[0]}
    fields, reason = NAMED[verb]
    asked: dict[str, object] = {"verb": verb} | {
        key: names.get(str(value), value) for key, value in fields.items()
    }
    before = len(fleet.events)
    fleet.roles = OUTSIDER
    reply = fleet.request(asked)
    assert (reply.outcome, reply.reason) == ("refused", reason)
    ghost = fleet.request(asked | {k: "ghost" for k in fields if fields[k] in (*names, HIDDEN)})
    if verb != "merge":  # its first word is of an incident that everybody knows
        assert ghost.reason in (reason, "unknown_incident")
    changed = [e for e in fleet.events[before:] if getattr(e, "unit", None) == HIDDEN]
    assert not changed
    fleet.roles = MEMBER
    assert fleet.request(asked).reason != reason or verb in ("release", "merge")


def test_one_officer_does_not_wait_for_whom_she_may_not_know() -> None:
    fleet, _ = make()
    fleet.roles = MEMBER
    fleet.request({"verb": "mode", "priority": 2, "mode": "recommend"})
    incident = fleet.report(priority=2, units=2, officers=3).incident
    fleet.request({"verb": "assign", "incident": incident, "unit": HIDDEN})
    fleet.request({"verb": "assign", "incident": incident, "unit": "c"})
    bodies = [b for b in fleet.bodies_for("c") if isinstance(b, dispatch.Order)]
    assert (bodies[-1].plan.wait_for, bodies[-1].plan.wait_s) == (None, 0)


def test_the_settings_of_a_start_hold_until_a_person_changes_it_and_that_over_restarts() -> None:
    fleet = FleetUnderTest({"a": 1_000, HIDDEN: 1_000})

    def start(visibility: str, group: str) -> str:
        units = (
            ev.UnitSpec("a", "car", 2, ()),
            ev.UnitSpec(HIDDEN, "car", 2, (), visibility, group),
        )
        fleet.do(Begin(fleet.now_ms, fleet.mode, units))
        return fleet.board.units[HIDDEN].visibility

    assert start("restricted", GROUP) == "restricted"
    set_visibility(fleet, "covert")
    assert start("restricted", GROUP) == "covert"
    assert start("open", GROUP) == "open"
    set_visibility(fleet, "restricted")
    assert start("open", GROUP) == "restricted"


def test_the_figures_leave_it_out() -> None:
    """An incident of its own is none; beside others only theirs count."""
    fleet, _ = make()
    fleet.roles = MEMBER
    figures = Figures(district_of=lambda _lat, _lon: "-")
    fleet.entry(HIDDEN, entries.StatusChange(Status.BUSY, None))
    fleet.wait(60)
    fleet.entry(HIDDEN, entries.StatusChange(Status.AVAILABLE, None))
    shared = fleet.report(priority=1, units=2)
    fleet.request({"verb": "assign", "incident": shared.incident, "unit": HIDDEN})
    by_unit = {o.unit: o for o in fleet.orders(shared)}
    fleet.deliver(HIDDEN)
    for step in (Answer.ACCEPT, Answer.EN_ROUTE, Answer.ON_SCENE):
        fleet.answer(by_unit[HIDDEN], step)
    fleet.wait(100)
    fleet.attend(by_unit["a"])
    for event in fleet.events:
        figures.take(event)
    figures.look(fleet.now_ms)
    cell = figures.cells[ALL]
    assert (cell.incidents, cell.total.n) == (1, 1)
    assert (cell.total.percentile_ms(50) or 0) >= 100_000
    assert HIDDEN not in figures.load.crews()
