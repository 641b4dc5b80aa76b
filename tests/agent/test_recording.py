"""Which recorders must be on: every reason to start, who may stop, and the one that is not on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from agent.core import crew as crew_codec
from agent.core import recorded, terminal
from agent.core.crew import Crew
from agent.core.orders import Card
from agent.core.recorded import Recordings
from agent.core.recording import CONFIRM_MS, NOT_ON, Recording, Rules, Why
from agent.core.terminal import State
from protocol import device
from protocol.order import OrderState
from protocol.words import Status, TimeTrust
from tests.agent.order_desk import LOGON, T0, at, given_order

BODY, OTHER, DASH = "body-1", "body-2", "dash-1"
BOUND = ((BODY, "4711"), (OTHER, "4712"), (DASH, None))
STOP_MS = 1_000
_GONE: device.Detail = {"reason": "not connected"}


class Car:
    """A terminal's recorders with a clock of the test's; every command is answered `obeys`."""

    def __init__(self, rules: Rules | None = None, *, obeys: bool = True) -> None:
        self.recording = Recording(rules or Rules(stop_after_ms=STOP_MS), 1 << 20)
        self.state = State(Crew(LOGON, "621", status=Status.AVAILABLE, recorders=BOUND))
        self.ms, self.obeys, self.event = 0, obeys, 0
        self.sent: list[tuple[str, str]] = []
        self.ids: list[int] = []
        self.alarms: list[str] = []
        self.detail: device.Detail = {}
        self.recording.seen(self.state)

    def is_(self, state: State) -> None:
        self.state = state
        self.recording.seen(state)
        self.turn()

    def status(self, status: Status) -> None:
        self.is_(replace(self.state, crew=replace(self.state.crew, status=status)))

    def busy(self, *, is_work: bool) -> None:
        self.status(Status.BUSY)
        self.recording.said(device.SetStatus(status="busy", reason="x"), is_work=is_work)
        self.turn()

    def order(self, state: OrderState) -> None:
        card = Card(given_order(), state, 1)
        self.is_(replace(self.state, desk=self.state.desk.with_card(card)))

    def say(self, answer: str) -> None:
        command = device.Answer(order="o-1", answer=answer)  # type: ignore[arg-type]
        self.is_(terminal.answer(self.state, command, None).state)

    def hear(self, name: str, of: str = "board-1", **detail: Any) -> None:
        self.event += 1
        kind = "recorder" if of in (BODY, OTHER, DASH) else "board"
        self.recording.heard(
            device.Event.model_validate(
                {"device": of, "device_kind": kind, "boot": 1, "event": self.event, "name": name,
                 "detail": detail}
            ),
            self.ms,
        )  # fmt: skip
        self.turn()

    def turn(self) -> None:
        acts = self.recording.due(self.ms)
        self.alarms += [alarm.text for alarm in acts.alarms]
        assert all(alarm.code == NOT_ON for alarm in acts.alarms)
        for command in acts.commands:
            self.sent.append((command.device, command.name))
            self.ids.append(command.id)
            detail = self.detail if self.obeys else _GONE
            self.recording.answered(
                device.CommandResult(
                    device=command.device, id=command.id, ok=self.obeys, detail=detail
                ),
                self.ms,
            )

    def wait(self, ms: int) -> None:
        for _ in range(ms // 100):
            self.ms += 100
            self.turn()

    def on(self) -> set[str]:
        return {one["recorder"] for one in self.recording.view() if one["on"]}


def _on_scene(car: Car) -> None:
    car.order(OrderState.ON_SCENE)


def _ignition(car: Car) -> None:
    car.recording.ignition_is_on = True
    car.turn()


STARTS: dict[str, tuple[Callable[[Car], None], Why]] = {
    "on-scene": (_on_scene, Why.ON_SCENE),
    "on-scene-by-hand": (lambda car: car.status(Status.ON_SCENE), Why.ON_SCENE),
    "sos-button": (lambda car: car.hear("sos"), Why.SOS),
    "emergency": (lambda car: car.status(Status.EMERGENCY), Why.SOS),
    "siren": (lambda car: car.hear("input", input="siren", on=True), Why.SIREN),
    "busy": (lambda car: car.busy(is_work=True), Why.BUSY),
}


@pytest.mark.parametrize("start", STARTS)
def test_what_starts_all_of_them(start: str) -> None:
    car = Car()
    car.turn()
    assert not car.sent
    act, why = STARTS[start]
    act(car)
    assert sorted(car.sent) == [(name, "record_on") for name, _ in BOUND]
    assert car.on() == {BODY, OTHER, DASH}
    assert car.recording.view()[0]["wanted"] == [why]
    car.wait(10_000)
    assert not car.alarms
    assert not car.recording.sounds


def test_a_meal_is_no_work() -> None:
    car = Car()
    car.busy(is_work=False)
    car.wait(5000)
    assert not car.sent
    car.busy(is_work=True)
    car.status(Status.AVAILABLE)
    car.wait(2 * STOP_MS)
    assert not car.on()


def test_accept_and_ignition_only_by_setting() -> None:
    plain = Car()
    plain.order(OrderState.CONFIRMED)
    _ignition(plain)
    assert not plain.sent
    accepts = Car(Rules(on_accept=True))
    accepts.order(OrderState.ACCEPTED)
    assert accepts.on() == {BODY, OTHER, DASH}
    starts = Car(Rules(on_ignition=True))
    _ignition(starts)
    assert starts.on() == {DASH}, "an officer is no part of the vehicle"


def test_nobody_logged_on_records_nobody() -> None:
    car = Car()
    car.is_(replace(car.state, crew=Crew()))
    car.hear("sos")
    assert not car.sent


def test_what_nothing_asks_for_stops_after_a_while_and_only_what_was_started_here() -> None:
    car = Car()
    car.hear("recording_on", BODY)  # by the officer's own hand
    car.order(OrderState.ON_SCENE)
    car.say("clear")
    car.wait(STOP_MS - 100)
    assert car.on() == {BODY, OTHER, DASH}
    car.wait(200)
    assert car.on() == {BODY}


def test_a_recording_found_running_is_not_ours_to_stop() -> None:
    """After a restart: whether it was the officer's hand or ours, nobody knows any more."""
    car = Car()
    car.detail = {"already": True}
    car.order(OrderState.ON_SCENE)
    assert car.on() == {BODY, OTHER, DASH}
    car.say("clear")
    car.wait(5000)
    assert car.on() == {BODY, OTHER, DASH}


def test_a_clear_while_transporting_stops_nothing_until_the_crew_says_another_status() -> None:
    car = Car()
    car.order(OrderState.ON_SCENE)
    car.status(Status.TRANSPORTING)
    car.say("clear")
    assert car.state.crew.status == Status.AVAILABLE, "as the answer has it"
    car.wait(60_000)
    assert car.on() == {BODY, OTHER, DASH}
    car.recording.said(device.SetStatus(status="available"))
    car.wait(2 * STOP_MS)
    assert not car.on()


def test_transporting_alone_starts_nothing() -> None:
    car = Car()
    car.status(Status.TRANSPORTING)
    car.wait(5000)
    assert not car.sent


def test_one_that_is_not_confirmed_is_told_once_and_sounds_until_it_is() -> None:
    car = Car(obeys=False)
    car.order(OrderState.ON_SCENE)
    car.wait(CONFIRM_MS - 100)
    assert not car.alarms
    car.wait(200)
    assert len(car.alarms) == 3
    assert car.alarms[0] == f"{BODY}, officer 4711's, is not on (on_scene): not connected"
    assert "the vehicle's" in car.alarms[2]
    assert car.recording.sounds
    car.wait(20_000)
    assert len(car.alarms) == 3
    assert len(set(car.ids)) == len(car.ids) > 6, "asked again and again, each by its own id"
    for name in (BODY, OTHER, DASH):
        car.hear("recording_on", name)
    assert not car.recording.sounds


def test_an_sos_is_told_and_does_not_sound() -> None:
    car = Car(obeys=False)
    car.hear("sos")
    car.wait(2 * CONFIRM_MS)
    assert len(car.alarms) == 3
    assert not car.recording.sounds


def test_the_crews_word_ends_an_sos() -> None:
    car = Car()
    car.hear("sos")
    car.recording.said(device.SetStatus(status="available", reason="false_alarm"))
    car.wait(2 * STOP_MS)
    assert not car.on()


def test_a_stop_at_the_recorder_is_told_and_not_fought() -> None:
    car = Car()
    car.order(OrderState.ON_SCENE)
    car.hear("recording_on", BODY)
    asked = len(car.sent)
    car.hear("recording_off", BODY)
    assert car.alarms == [
        f"{BODY}, officer 4711's, is not on (on_scene): it was on, and was stopped at the recorder"
    ]
    car.wait(20_000)
    assert len(car.sent) == asked
    assert car.recording.sounds


def test_one_that_was_without_power_is_asked_again() -> None:
    car = Car()
    car.order(OrderState.ON_SCENE)
    asked = len(car.sent)
    car.hear("absent", "bridge-board", device=BODY)
    assert car.sent[asked:] == [(BODY, "record_on")]


def test_commands_of_another_start_have_other_ids() -> None:
    first = Car()
    first.order(OrderState.ON_SCENE)
    assert min(first.ids) >= 1 << 20


def test_recorders_outlive_a_restart_and_a_desk_that_logs_the_same_unit_on() -> None:
    crew = Crew(LOGON, "621", "car-7", ("4711", "4712"), Status.AVAILABLE, None, BOUND)
    assert crew_codec.decode(crew_codec.encode(crew)) == crew
    assert crew_codec.keeps_recorders(crew, "621", ("4711",)) == ((BODY, "4711"), (DASH, None))
    assert crew_codec.keeps_recorders(crew, "622", ("4711",)) == ()


# --- what a file names --------------------------------------------------------------------------


def heard(
    recordings: Recordings, name: str, number: int, state: State, ms: int = 0, **more: Any
) -> dict[str, Any]:
    event = device.Event.model_validate(
        {"device": BODY, "device_kind": "recorder", "boot": 1, "event": number, "name": name,
         "device_time_ms": T0 + ms - 5_000, **more}
    )  # fmt: skip
    trust = TimeTrust.NTP
    return dict(recordings.heard(event, state, {BODY: "4711"}, at(ms, trust)).detail)


def test_a_file_names_officer_incidents_and_clock_over_a_restart() -> None:
    car = Car()
    car.order(OrderState.ON_SCENE)
    recordings = Recordings({})
    assert heard(recordings, "recording_on", 1, car.state) == {}
    row = recordings.row()[recorded.ROW]
    assert isinstance(row, bytes)
    again = Recordings(recorded.decode(row))  # killed meanwhile, and the crew logged off
    late = heard(again, "file_closed", 3, State(), 60_000, detail={"file": "a", "officer": "9"})
    assert late == {"file": "a", "officer": "4711", "incident": "i-1", "clock_offset_ms": -5_000}


def test_an_event_that_waited_does_not_spoil_the_clocks_offset() -> None:
    recordings = Recordings({})
    heard(recordings, "recording_on", 1, State())
    waited = device.Event.model_validate(
        {"device": BODY, "device_kind": "recorder", "boot": 1, "event": 2, "name": "file_closed",
         "device_time_ms": T0 - 5_000}
    )  # fmt: skip
    named = recordings.heard(waited, State(), {}, at(3_600_000))
    assert named.detail["clock_offset_ms"] == -5_000


def test_without_trusted_time_there_is_no_offset() -> None:
    event = device.Event.model_validate(
        {"device": BODY, "device_kind": "recorder", "boot": 1, "event": 2, "name": "file_closed",
         "device_time_ms": T0}
    )  # fmt: skip
    named = Recordings({}).heard(event, State(), {}, at(0, TimeTrust.RTC))
    assert named.detail == {"officer": None, "incident": None, "clock_offset_ms": None}


def test_too_many_details_of_a_recorder_leave_room_for_ours() -> None:
    many = {f"k{i}": i for i in range(16)}
    named = heard(Recordings({}), "file_closed", 1, State(), detail=many)
    assert len(named) == 16
    assert named["officer"] == "4711"
