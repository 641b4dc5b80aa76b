"""En route and on scene by themselves: what makes them, and above all what does not."""

from __future__ import annotations

from dataclasses import replace
from math import cos, radians

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core import terminal
from agent.core.answers import CrewRefused
from agent.core.arrival import NEARBY_MS, STANDING_MS, Arrival, Claim
from agent.core.crew import Crew
from agent.core.fix import Fix, FixKind
from agent.core.orders import Card
from agent.core.positions import here_of
from agent.core.terminal import State
from protocol import device
from protocol.dispatch import Place
from protocol.order import Answer, AnswerMeans, OrderKind, OrderState
from protocol.words import Status
from tests.agent.order_desk import LOGON, at, given_order

LAT, LON = 24.513, 117.647
DEGREE_M = 111_195.0
NORTH, SOUTH = 0.0, 180.0


def fix(north_m: float, speed_mps: float | None = 0.0, course_deg: float | None = None,
        *flags: str, hdop: float | None = 0.9) -> Fix:  # fmt: skip
    """Some metres north of the place."""
    return Fix(
        epoch_ms=None, time_of_day_ms=None, lat_deg=LAT + north_m / DEGREE_M, lon_deg=LON,
        alt_m=None, sog_mps=speed_mps, cog_deg=course_deg, kind=FixKind.FIX_3D, satellites=9,
        hdop=hdop, flags=flags,
    )  # fmt: skip


def card(
    state: OrderState = OrderState.EN_ROUTE,
    *,
    accuracy_m: int | None = 10,
    east_m: float = 0.0,
    datum: str = "wgs84",
    kind: OrderKind = OrderKind.ASSIGN,
) -> Card:
    lon = LON + east_m / DEGREE_M / cos(radians(LAT))
    place = Place(round(LAT * 1e7), round(lon * 1e7), datum, "caller", accuracy_m, "")
    return Card(given_order(place=place, kind=kind), state, 1)


class Drive:
    """One fix a second; `claims` is what is found at the newest."""

    def __init__(self, of: Card, *, is_switched_off: bool = False) -> None:
        self.card, self.is_switched_off = of, is_switched_off
        self.arrival, self.ms = Arrival(), 0
        self.claims: tuple[Claim, ...] = ()

    def feed(self, one: Fix) -> None:
        self.ms += 1000
        self.arrival.feed(one, self.ms)
        self.claims = self.arrival.claims(
            (self.card,), self.ms, is_switched_off=self.is_switched_off
        )

    def stand(self, north_m: float, seconds: int, *flags: str) -> int | None:
        """When it claimed to be there, in seconds of standing; None: never."""
        for second in range(seconds + 1):
            self.feed(fix(north_m, 0.0, None, *flags))
            if any(claim.answer is Answer.ON_SCENE for claim in self.claims):
                return second
        return None

    def drive(self, from_m: float, to_m: float, speed_mps: float = 10.0) -> None:
        course = SOUTH if to_m < from_m else NORTH
        step = speed_mps if to_m > from_m else -speed_mps
        for i in range(round(abs(to_m - from_m) / speed_mps)):
            self.feed(fix(from_m + i * step, speed_mps, course))


@pytest.mark.parametrize(
    ("north_m", "is_off", "after_ms"),
    [(10, False, STANDING_MS), (70, False, NEARBY_MS), (70, True, STANDING_MS), (80, True, None)],
    ids=["right-there", "beside", "switched-off", "too-far"],
)
def test_standing_near_is_arriving_once_it_cannot_be_a_light(
    north_m: float, is_off: bool, after_ms: int | None
) -> None:
    drive = Drive(card(), is_switched_off=is_off)
    found = drive.stand(north_m, 300)
    assert found == (None if after_ms is None else after_ms // 1000)


def test_the_time_is_that_at_which_standing_began() -> None:
    drive = Drive(card())
    drive.drive(400, 0)
    began_ms = drive.ms + 1000
    assert drive.stand(0, 100) == 60
    (claim,) = drive.claims
    assert claim.since_ms == began_ms
    here = here_of(claim.fix, claim.since_ms, at(drive.ms - 1000))  # `at` begins at 1000
    assert here is not None
    assert here.age_ms == 60_000


@pytest.mark.parametrize("accuracy_m", [51, None], ids=["51-m", "unknown"])
def test_a_place_that_is_not_well_known_is_never_arrived_at(accuracy_m: int | None) -> None:
    assert Drive(card(accuracy_m=accuracy_m)).stand(0, 300) is None
    assert Drive(card(accuracy_m=50)).stand(0, 300) == 60


@pytest.mark.parametrize("flag", ["suspect", "frozen", "jump", "simulated"])
def test_a_suspect_fix_proves_nothing_and_ends_the_proof(flag: str) -> None:
    assert Drive(card()).stand(0, 300, flag) is None
    drive = Drive(card())
    assert drive.stand(0, 50) is None
    drive.feed(fix(0, 0.0, None, flag))
    assert drive.stand(0, 59) is None


def test_a_fix_of_poor_geometry_proves_nothing() -> None:
    drive = Drive(card())
    for _ in range(200):
        drive.feed(fix(0, hdop=11.0))
        assert not drive.claims


def test_a_slow_jam_past_the_place_is_no_arrival() -> None:
    """Stop and go: half a minute's standing, then ten metres on."""
    drive = Drive(card(east_m=60))
    for north_m in range(80, -90, -10):
        assert drive.stand(north_m, 30) is None
        drive.drive(north_m, north_m - 10, 2.5)


@pytest.mark.parametrize(("red_s", "is_false"), [(90, False), (130, True)], ids=["90-s", "130-s"])
def test_a_red_light_beside_the_place_only_where_it_lasts_beyond_two_minutes(
    red_s: int, is_false: bool
) -> None:
    """Known: from the air, who stands 60 m off for more than two minutes has arrived."""
    drive = Drive(card(east_m=60))
    drive.drive(300, 0)
    assert (drive.stand(0, red_s) is not None) is is_false


def test_short_of_the_place_there_is_route_left() -> None:
    drive = Drive(card())
    drive.drive(300, 60)
    assert drive.stand(60, 400) is None
    past = Drive(card())
    past.drive(300, -60)
    assert past.stand(-60, 400) is not None


def test_who_creeps_on_slower_than_a_walk_does_not_stand() -> None:
    drive = Drive(card(east_m=60), is_switched_off=True)
    for second in range(130):
        drive.feed(fix(60 - 0.9 * second, 0.9, SOUTH))
        assert not drive.claims


def test_a_place_moved_by_a_revision_counts_from_then() -> None:
    drive = Drive(card(east_m=500))
    assert drive.stand(0, 200) is None
    drive.card = card()
    assert drive.stand(0, 59) is None
    assert drive.stand(0, 5) is not None
    assert drive.claims[0].since_ms == 202_000


def test_an_order_that_came_while_standing_there_counts_from_then() -> None:
    drive = Drive(card(OrderState.DELIVERED))
    assert drive.stand(0, 300) is None
    drive.card = card(OrderState.CONFIRMED)
    assert drive.stand(0, 59) is None
    assert drive.stand(0, 5) is not None


@pytest.mark.parametrize("state", sorted(set(OrderState) - {OrderState.CONFIRMED,
                                                            OrderState.EN_ROUTE}))  # fmt: skip
def test_only_an_order_that_is_held_and_not_there_yet(state: OrderState) -> None:
    assert Drive(card(state)).stand(0, 200) is None


def test_a_stand_down_sends_nowhere() -> None:
    assert Drive(card(kind=OrderKind.STAND_DOWN)).stand(0, 200) is None


def test_a_place_in_another_datum_is_where_it_is_meant() -> None:
    """GCJ-02 is some 500 m off here."""
    assert Drive(card(datum="gcj02")).stand(0, 200) is None


def test_an_outage_ends_the_proof() -> None:
    drive = Drive(card())
    assert drive.stand(0, 50) is None
    drive.ms += 15_000
    assert drive.stand(0, 59) is None


def test_driving_off_is_en_route_since_it_began() -> None:
    drive = Drive(card(OrderState.CONFIRMED))
    assert drive.stand(500, 30) is None
    began_ms = drive.ms + 1000
    drive.drive(500, 450)
    (claim,) = drive.claims
    assert (claim.answer, claim.since_ms) == (Answer.EN_ROUTE, began_ms)


@pytest.mark.parametrize("speed_mps", [1.5, 2.4], ids=["walks", "jogs"])
def test_walking_round_the_car_is_not_driving_off(speed_mps: float) -> None:
    drive = Drive(card(OrderState.CONFIRMED))
    drive.drive(500, 300, speed_mps)
    assert not drive.claims


def test_speed_alone_does_not_drive_off() -> None:
    drive = Drive(card(OrderState.CONFIRMED))
    for _ in range(30):
        drive.feed(fix(500, 8.0, 90.0))  # a receiver that speaks of speed at one place
        assert not drive.claims


def test_a_receiver_without_speed_arrives_by_its_places() -> None:
    drive = Drive(card())
    for north_m in (*range(400, 0, -10), *([0] * 62)):
        drive.feed(fix(north_m, None))
    assert [claim.answer for claim in drive.claims] == [Answer.ON_SCENE]


def test_the_answer_is_told_apart_from_a_touch_and_comes_once() -> None:
    drive = Drive(card(OrderState.EN_ROUTE))
    state = State(Crew(LOGON, "621", status=Status.AVAILABLE))
    state = replace(state, desk=state.desk.with_card(drive.card))
    assert drive.stand(0, 60) == 60
    command = device.Answer(order="o-1", answer="on-scene")
    decision = terminal.answer(state, command, None, AnswerMeans.AUTOMATIC)
    (body,) = decision.bodies
    assert getattr(body, "means", None) == AnswerMeans.AUTOMATIC
    drive.card = decision.state.desk.cards["o-1"]
    assert drive.card.means == AnswerMeans.AUTOMATIC
    assert decision.state.crew.status == Status.ON_SCENE
    touched = terminal.answer(decision.state, command, None)
    assert getattr(touched.bodies[0], "means", None) == AnswerMeans.TOUCH, "no fault of the crew"
    assert touched.state.desk.cards["o-1"].state is OrderState.ON_SCENE
    with pytest.raises(CrewRefused):
        terminal.answer(touched.state, command, None)
    assert drive.stand(0, 200) is None


_JOURNEYS = st.lists(
    st.builds(
        fix,
        st.sampled_from([0.0, 0.0, 0.0, 5.0, 40.0, 76.0]),
        st.sampled_from([None, 0.0, 0.0, 0.0, 0.9, 1.1]),
        st.just(180.0),
    ),
    min_size=60, max_size=100,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(_JOURNEYS)
def test_no_journey_arrives_without_a_minute_at_one_place(fixes: list[Fix]) -> None:
    drive = Drive(card())
    for i, one in enumerate(fixes):
        drive.feed(one)
        for claim in drive.claims:
            last = fixes[max(0, i - 60) : i + 1]
            places = [f.lat_deg or 0 for f in last]
            assert drive.ms - claim.since_ms >= STANDING_MS
            assert (max(places) - min(places)) * DEGREE_M <= 2 * 20.0
            assert all((f.sog_mps or 0) <= 1.0 for f in last)
