"""The centre's rules: who is offered, who gets the place, and what silence does."""

from __future__ import annotations

from matcher.core.apply import apply
from matcher.core.board import Board, IncidentState
from matcher.core.commands import RaiseTerm
from protocol import entry as entries
from protocol.datum import from_wgs84
from protocol.dispatch import Cancel, Confirm, ConfirmState
from protocol.dispatch import Order as OrderBody
from protocol.order import Answer, OrderState
from protocol.words import Status
from tests.matcher.fleet import FleetUnderTest


def test_nearest_live_unit_is_sent_and_the_incident_runs_to_its_end() -> None:
    fleet = FleetUnderTest({"a": 30_000, "b": 20_000, "c": 40_000})
    incident = fleet.report()
    (order,) = fleet.orders(incident)
    assert (order.unit, order.kind, order.eta_ms) == ("b", "assign", 20_000)
    fleet.attend(order)
    assert order.state == OrderState.CLEARED
    assert incident.state == IncidentState.CLEARED
    assert incident.disposition == "handled"
    assert fleet.board.units["b"].status == Status.AVAILABLE
    assert fleet.board.units["b"].order is None


def test_ties_are_broken_by_unit_id() -> None:
    fleet = FleetUnderTest({"b": 20_000, "a": 20_000})
    (order,) = fleet.orders(fleet.report())
    assert order.unit == "a"


def test_stale_held_and_unmanned_units_are_left_out_with_the_reason() -> None:
    fleet = FleetUnderTest(
        {"a": 1_000, "b": 2_000, "c": 3_000, "d": 9_000},
        kinds={"c": "drone"}, bands={"a": "stale"},
    )  # fmt: skip
    fleet.request({"verb": "hold", "unit": "b", "on": True})
    (order,) = fleet.orders(fleet.report())
    assert order.unit == "d"
    decided = next(e for e in fleet.events if type(e).__name__ == "Decided")
    reasons = {one.unit: one.reason for one in decided.left_out}  # type: ignore[union-attr]
    assert reasons == {
        "a": "position 0 s old", "b": "on hold", "c": "carries no officer",
    }  # fmt: skip


def test_plan_of_two_units_makes_an_assign_and_a_backup() -> None:
    fleet = FleetUnderTest({"a": 1_000, "b": 2_000, "c": 3_000})
    first, second = fleet.orders(fleet.report(units=2, officers=4))
    assert [(first.unit, first.kind), (second.unit, second.kind)] == [
        ("a", "assign"),
        ("b", "backup"),
    ]


def test_plan_counts_officers_not_only_units() -> None:
    fleet = FleetUnderTest({"a": 1_000, "b": 2_000, "c": 3_000}, officers={"a": 1, "b": 1, "c": 2})
    orders = fleet.orders(fleet.report(units=1, officers=3))
    assert [o.unit for o in orders] == ["a", "b", "c"]


def test_silence_at_priority_1_adds_the_next_best_and_releases_nobody() -> None:
    fleet = FleetUnderTest({"a": 1_000, "b": 2_000})
    incident = fleet.report(priority=1)
    fleet.deliver("a")
    fleet.wait(9.9)
    assert len(fleet.orders(incident)) == 1
    fleet.wait(0.2)
    first, second = fleet.orders(incident)
    assert (first.state, first.overdue, second.unit) == ("delivered", "unanswered", "b")
    assert "no_answer" in fleet.alert_kinds()


def test_undelivered_order_at_priority_1_calls_for_the_radio_after_5_s() -> None:
    fleet = FleetUnderTest({"a": 1_000, "b": 2_000})
    incident = fleet.report(priority=1)
    fleet.wait(5)
    assert "call_by_radio" in fleet.alert_kinds()
    assert [o.unit for o in fleet.orders(incident)] == ["a", "b"]
    assert fleet.orders(incident)[0].is_open


def test_late_accept_at_priority_1_is_attached_when_the_place_is_taken() -> None:
    fleet = FleetUnderTest({"a": 1_000, "b": 2_000})
    incident = fleet.report(priority=1)
    fleet.deliver("a")
    fleet.wait(11)
    first, second = fleet.orders(incident)
    fleet.deliver("b")
    fleet.answer(second, Answer.ACCEPT)
    fleet.answer(first, Answer.ACCEPT)
    assert second.holds_place
    assert first.is_open
    assert first.attached
    confirms = [b for b in fleet.bodies_for("a") if isinstance(b, Confirm)]
    assert [(c.state, c.by) for c in confirms] == [(ConfirmState.ATTACHED, "b")]


def test_silence_at_priority_3_offers_to_another_and_a_late_accept_is_told() -> None:
    fleet = FleetUnderTest({"a": 1_000, "b": 2_000})
    incident = fleet.report(priority=3)
    fleet.deliver("a")
    fleet.wait(61)
    first, second = fleet.orders(incident)
    assert (first.state, second.unit) == ("expired", "b")
    fleet.deliver("b")
    fleet.answer(second, Answer.ACCEPT)
    fleet.answer(first, Answer.ACCEPT)
    assert first.state == OrderState.EXPIRED
    confirms = [b for b in fleet.bodies_for("a") if isinstance(b, Confirm)]
    assert [(c.state, c.by) for c in confirms] == [(ConfirmState.TOO_LATE, "b")]


def test_late_accept_for_a_place_still_unfilled_gets_it_and_withdraws_the_other_offer() -> None:
    fleet = FleetUnderTest({"a": 1_000, "b": 2_000})
    incident = fleet.report(priority=3)
    fleet.deliver("a")
    fleet.wait(61)
    first, second = fleet.orders(incident)
    fleet.answer(first, Answer.ACCEPT)
    assert first.holds_place
    assert second.state == OrderState.SUPERSEDED
    assert any(isinstance(b, Cancel) for b in fleet.bodies_for("b"))
    assert fleet.board.units["b"].order is None


def test_decline_offers_to_the_next_and_not_to_the_same_again() -> None:
    fleet = FleetUnderTest({"a": 1_000, "b": 2_000})
    incident = fleet.report()
    fleet.deliver("a")
    fleet.answer(fleet.orders(incident)[0], Answer.DECLINE)
    assert [o.unit for o in fleet.orders(incident)] == ["a", "b"]
    fleet.deliver("b")
    fleet.answer(fleet.orders(incident)[1], Answer.DECLINE)
    assert incident.waits == "no unit can be sent"
    assert "short_of_plan" in fleet.alert_kinds()


def test_cancel_beats_a_late_accept() -> None:
    fleet = FleetUnderTest({"a": 1_000})
    incident = fleet.report()
    (order,) = fleet.orders(incident)
    fleet.deliver("a")
    fleet.request({"verb": "cancel", "incident": incident.incident})
    fleet.answer(order, Answer.ACCEPT)
    assert order.state == OrderState.CANCELLED
    confirms = [b for b in fleet.bodies_for("a") if isinstance(b, Confirm)]
    assert [c.state for c in confirms] == [ConfirmState.CANCELLED]
    assert fleet.board.units["a"].order is None


def test_driving_there_counts_as_acceptance() -> None:
    fleet = FleetUnderTest({"a": 1_000})
    (order,) = fleet.orders(fleet.report())
    fleet.deliver("a")
    fleet.answer(order, Answer.EN_ROUTE)
    assert order.state == OrderState.EN_ROUTE
    assert order.holds_place


def test_waiting_incident_gets_the_unit_that_comes_free() -> None:
    fleet = FleetUnderTest({"a": 1_000})
    first, second = fleet.report(), fleet.report()
    assert second.waits == "no unit can be sent"
    fleet.attend(fleet.orders(first)[0])
    assert [o.unit for o in fleet.orders(second)] == ["a"]
    assert second.waits is None


def test_person_may_send_any_unit_but_not_one_that_has_an_order() -> None:
    fleet = FleetUnderTest({"a": 1_000, "b": 90_000})
    incident = fleet.report()
    reply = fleet.request({"verb": "assign", "incident": incident.incident, "unit": "a"})
    assert (reply.outcome, reply.reason) == ("refused", "unit_has_order")
    reply = fleet.request({"verb": "assign", "incident": incident.incident, "unit": "b"})
    assert reply.outcome == "done"
    assert fleet.board.orders[reply.order or ""].issuer == "person 7"


def test_stand_down_frees_the_unit_and_asks_another() -> None:
    fleet = FleetUnderTest({"a": 1_000, "b": 2_000})
    incident = fleet.report()
    (order,) = fleet.orders(incident)
    fleet.deliver("a")
    fleet.answer(order, Answer.ACCEPT)
    fleet.request({"verb": "release", "incident": incident.incident, "unit": "a"})
    assert order.state == OrderState.CANCELLED
    assert [o.unit for o in fleet.orders(incident)] == ["a", "b"]


def test_expected_revision_lets_one_of_two_dispatchers_win() -> None:
    fleet = FleetUnderTest({"a": 1_000, "b": 2_000})
    incident = fleet.report()
    seen = incident.revision
    ask = {"verb": "assign", "incident": incident.incident, "expected_revision": seen}
    assert fleet.request(ask | {"unit": "b"}).outcome == "done"
    reply = fleet.request(ask | {"unit": "b"})
    assert (reply.outcome, reply.reason) == ("refused", "revision")


def test_restart_takes_a_new_term_and_sends_open_messages_again_under_it() -> None:
    fleet = FleetUnderTest({"a": 1_000})
    (order,) = fleet.orders(fleet.report())
    before = fleet.board.outbound[b"a".ljust(16, b".")][0]
    fleet.restart()
    (after,) = fleet.board.outbound[b"a".ljust(16, b".")]
    assert (after.term, after.counter, after.before) == (2, 1, ((1, before.counter),))
    # the terminal had kept it under the old number
    fleet.entry("a", entries.Delivered(1, before.counter, order.order, 1, "shown"))
    assert fleet.board.outbound[b"a".ljust(16, b".")] == []
    assert order.state == OrderState.DELIVERED


def test_one_sos_is_one_alert_however_often_it_comes() -> None:
    fleet = FleetUnderTest({"a": 1_000})
    sos = entries.DeviceEvent("board-1", "board", 4, 9, "sos", None, (), None, None)
    fleet.entry("a", sos)
    fleet.entry("a", sos)
    assert fleet.alert_kinds() == ["sos"]
    assert fleet.board.units["a"].status == Status.EMERGENCY


def test_recommend_mode_sends_nobody_and_says_who_is_best() -> None:
    fleet = FleetUnderTest({"a": 30_000, "b": 20_000}, mode="recommend")
    incident = fleet.report()
    assert fleet.orders(incident) == []
    (alert,) = fleet.board.alerts.values()
    assert alert.kind == "recommendation"
    assert "b 20 s, a 30 s" in alert.text


def test_order_for_another_logon_is_withdrawn_and_told() -> None:
    fleet = FleetUnderTest({"a": 1_000})
    incident = fleet.report()
    (order,) = fleet.orders(incident)
    waiting = fleet.board.outbound[b"a".ljust(16, b".")][0]
    fleet.entry(
        "a", entries.Delivered(waiting.term, waiting.counter, order.order, 1, "wrong_logon")
    )
    assert order.state == OrderState.SUPERSEDED
    assert "wrong_logon" in fleet.alert_kinds()
    assert len(fleet.orders(incident)) == 2  # sent anew for the log-on in force


def test_hostile_words_from_a_terminal_become_codes_that_may_stand_in_topics() -> None:
    fleet = FleetUnderTest({"a": 1_000})
    fleet.entry("a", entries.Alarm("x/+#", "text " * 40))
    (alert,) = fleet.board.alerts.values()
    assert alert.kind == "terminal_alarm"
    (order,) = fleet.orders(fleet.report())
    fleet.deliver("a")
    for answer in (Answer.ACCEPT, Answer.ON_SCENE):
        fleet.answer(order, answer)
    fleet.answer(order, Answer.CLEAR, disposition="<script>\u202e")
    assert fleet.board.incidents[order.incident].disposition == "other"


def test_each_terminal_of_a_unit_gets_the_order_under_its_own_logon() -> None:
    fleet = FleetUnderTest({"a": 1_000, "b": 90_000})
    fleet.entry("b", entries.Logon(9, "a", None, ("a-7",), None, ()))
    (order,) = fleet.orders(fleet.report())
    assert order.unit == "a"
    (body,) = fleet.bodies_for("b")
    assert isinstance(body, OrderBody)
    assert body.logon == 9


def test_short_numbers_count_anew_each_day() -> None:
    fleet = FleetUnderTest({"a": 1_000})
    first, second = fleet.report(), fleet.report()
    fleet.wait(86_400)
    third = fleet.report()
    assert [i.number[-3:] for i in (first, second, third)] == ["001", "002", "001"]


def test_a_gcj02_report_is_the_same_place_as_its_wgs84_twin() -> None:
    fleet = FleetUnderTest({"a": 1_000, "b": 2_000})
    lat, lon = from_wgs84(24.513, 117.647, "gcj02")
    reply = fleet.request(
        {
            "verb": "report", "kind": "theft", "priority": 1,
            "place": {"lat": lat, "lon": lon, "datum": "gcj02"},
        }
    )  # fmt: skip
    place = fleet.board.incidents[reply.incident or ""].place
    assert place.datum == "wgs84"
    assert place.source == "caller (gcj02)"
    assert (place.lat_e7, place.lon_e7) == (245130000, 1176470000)


def test_person_may_send_again_whom_a_rule_passed_over_and_replay_agrees() -> None:
    fleet = FleetUnderTest({"a": 1_000, "b": 2_000})
    incident = fleet.report()
    fleet.deliver("a")
    fleet.answer(fleet.orders(incident)[0], Answer.DECLINE)
    fleet.request({"verb": "assign", "incident": incident.incident, "unit": "a"})
    assert "a" not in incident.passed
    replayed = Board()
    for event in fleet.events:
        apply(replayed, event)
    assert replayed.digest() == fleet.board.digest()


def test_shortage_alarms_again_after_it_was_acknowledged() -> None:
    fleet = FleetUnderTest({"a": 1_000})
    fleet.request({"verb": "hold", "unit": "a", "on": True})
    incident = fleet.report()
    fleet.request({"verb": "acknowledge", "alert": f"short-of-plan-{incident.incident}"})
    fleet.request({"verb": "hold", "unit": "a", "on": False})
    fleet.wait(1)
    fleet.deliver("a")
    fleet.answer(fleet.orders(incident)[0], Answer.DECLINE)
    assert [a for a in fleet.board.alerts if a.startswith("short-of-plan")] == [
        f"short-of-plan-{incident.incident}",
        f"short-of-plan-{incident.incident}-2",
    ]


def test_restored_journal_takes_a_term_above_what_terminals_have_seen() -> None:
    fleet = FleetUnderTest({"a": 1_000})
    (order,) = fleet.orders(fleet.report())
    fleet.do(RaiseTerm(fleet.now_ms, 7))
    assert fleet.board.term == 8
    (waiting,) = fleet.board.outbound[b"a".ljust(16, b".")]
    assert (waiting.term, waiting.counter, waiting.before) == (8, 1, ((1, 1),))
    assert "restored_journal" in fleet.alert_kinds()
    fleet.do(RaiseTerm(fleet.now_ms, 4_000_000_000))
    assert fleet.board.term == 8
    assert "impossible_term" in fleet.alert_kinds()
    assert order.is_open
