"""Codes that nobody knows, and calls that are not the police's: each its clear answer."""

from __future__ import annotations

import pytest

from matcher.core import events as ev
from protocol import entry as entries
from protocol.order import Answer
from protocol.words import Status
from tests.matcher.books import PLACE, UNITS, report, take, text_of
from tests.matcher.fleet import FleetUnderTest

# --- codes that nobody knows ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"verb": "report", "kind": "thefd"}, "kind thefd: not in the codebook; did you mean th"),
        ({"verb": "report", "kind": "qqqq"}, "kind qqqq: not in the codebook; known: sos, "),
        ({"verb": "report", "kind": "theft", "hazards": ["knive"]}, "did you mean knife"),
        ({"verb": "report", "kind": "theft", "plan": {"capabilities": ["tazer"]}},
         "did you mean taser"),
        ({"verb": "cancel", "reason": "dupe"}, "reason dupe: not in the codebook; did you mean"),
        ({"verb": "close", "disposition": "handeld"}, "did you mean handled"),
        ({"verb": "update", "hazards": ["knife", "kniv"]}, "hazard kniv"),
        ({"verb": "update", "kind": "figth"}, "did you mean fight"),
    ],
    ids=["kind", "nothing near", "hazard", "capability", "reason", "disposition", "update hazard",
         "update kind"],
)  # fmt: skip
def test_a_person_is_told_the_code_and_what_is_near(request_: dict[str, object], says: str) -> None:
    fleet = FleetUnderTest(UNITS)
    incident, before = fleet.report(), len(fleet.board.incidents)
    more = {"place": PLACE} if request_["verb"] == "report" else {"incident": incident.incident}
    reply = fleet.request(request_ | more)
    assert (reply.outcome, reply.reason) == ("refused", "unknown_code")
    assert says in str(reply.detail)
    assert len(fleet.board.incidents) == before
    assert incident.state == "pending"


def test_a_retired_code_is_still_known() -> None:
    fleet = FleetUnderTest(UNITS)
    take(fleet, text_of(('en = "Theft"\n', 'en = "Theft"\nretired = true\n')))
    assert report(fleet, "theft").outcome == "done"


def test_what_a_terminal_sealed_is_kept_as_other_and_told_once() -> None:
    fleet = FleetUnderTest(UNITS)
    for _ in range(2):
        (order,) = fleet.orders(fleet.report())
        fleet.deliver(order.unit)
        for step in (Answer.ACCEPT, Answer.ON_SCENE):
            fleet.answer(order, step)
        fleet.answer(order, Answer.CLEAR, "went_home")
        assert fleet.board.incidents[order.incident].disposition == "other"
    (alert,) = [a for a in fleet.board.alerts.values() if a.kind == "unknown_code"]
    assert "went_home, which is no code of [dispositions]" in alert.text


@pytest.mark.parametrize("hostile", ["</script>", "a\nb", "x" * 32 + "y", "\u202eabc", "' OR 1"])
def test_hostile_text_for_a_code_is_other(hostile: str) -> None:
    fleet = FleetUnderTest(UNITS)
    fleet.entry("a", entries.StatusChange(int(Status.OUT_OF_SERVICE), hostile[:32] or None))
    said = [e for e in fleet.events if isinstance(e, ev.UnitStatusSet) and e.unit == "a"][-1]
    assert said.reason == "other"
    assert all(hostile not in a.text for a in fleet.board.alerts.values())


# --- calls for others ---------------------------------------------------------------------------


def test_a_call_for_others_is_referred_counted_and_sends_nobody() -> None:
    fleet = FleetUnderTest(UNITS)
    reply = report(fleet, "power_fault")
    assert (reply.outcome, reply.referred) == ("done", ("power",))
    incident = fleet.board.incidents[str(reply.incident)]
    assert (incident.state, incident.disposition) == ("cancelled", "referred")
    assert (incident.orders, incident.referred_to) == ([], ("power",))
    fleet.wait(60)
    assert incident.orders == []


def test_a_referred_call_that_is_ours_after_all_is_reopened_under_its_number() -> None:
    fleet = FleetUnderTest(UNITS)
    incident = fleet.board.incidents[str(report(fleet, "power_fault").incident)]
    number = incident.number
    fleet.request({"verb": "reopen", "incident": incident.incident})
    assert (incident.number, len(fleet.orders(incident))) == (number, 1)


def test_who_names_a_plan_for_it_gets_units() -> None:
    fleet = FleetUnderTest(UNITS)
    reply = report(fleet, "power_fault", plan={"units": 1})
    assert reply.referred is None
    assert len(fleet.board.incidents[str(reply.incident)].orders) == 1
