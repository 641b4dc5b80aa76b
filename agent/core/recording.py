"""Which recorders must be on, and what to do about one that is not; pure.

They start by on scene, SOS, siren and `busy`, by accept and ignition where the settings say so. One
that is not confirmed within CONFIRM_MS is told to crew and desk. Stopped is only what was started
here, when nothing asks for it any more, and never by a clear while the crew transports somebody:
that lasts until the crew says another status. Called by `agent/recorders.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from agent.core.crew import Crew
from agent.core.orders import Desk
from agent.core.terminal import State
from protocol import device
from protocol.entry import Alarm
from protocol.order import OrderState
from protocol.words import Status

CONFIRM_MS: Final = 5_000
REPEAT_MS: Final = 2_000
STOP_TRIES_MAX: Final = 5
SOS_LASTS_MS: Final = 3_600_000
NOT_ON: Final = "recorder_not_on"
SIREN: Final = "siren"  # a board's input of that name
_ON, _OFF = "record_on", "record_off"

_COMING: Final = frozenset({OrderState.ACCEPTED, OrderState.CONFIRMED, OrderState.EN_ROUTE})


@dataclass(frozen=True, slots=True)
class Rules:
    """`vehicle`: recorders of the vehicle itself, whoever logs on."""

    on_accept: bool = False
    on_ignition: bool = False
    stop_after_ms: int = 30_000
    vehicle: tuple[str, ...] = ()


class Why(StrEnum):
    """What asks for a recorder."""

    ON_SCENE = "on_scene"
    SOS = "sos"
    SIREN = "siren"
    BUSY = "busy"
    ACCEPTED = "accepted"
    IGNITION = "ignition"


# Whoever is in danger, or pursues, has something better to do than to listen to a beep.
SOUNDS_FOR: Final = frozenset({Why.ON_SCENE, Why.BUSY})


@dataclass(slots=True)
class _One:
    """One recorder. `officer` None: the vehicle's."""

    officer: str | None
    is_on: bool | None = None  # None: not known
    is_ours: bool = False  # started here
    newest: tuple[int, int] = (-1, 0)  # boot, event
    asked: tuple[int, str] | None = None  # id and name of the command under way
    ask_again_ms: int = 0
    wanted_ms: int | None = None  # since when it must be on
    idle_ms: int | None = None  # since when nothing asks for it
    why: frozenset[Why] = frozenset()
    told: bool = False  # that it is not on
    gone_off: str | None = None  # why it is not asked again
    failed: str = "no answer"
    stops: int = 0


@dataclass(slots=True)
class Acts:
    """What is due."""

    commands: list[device.Command] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)


class Recording:
    """One terminal's recorders. `first_id`: commands of every start have ids of their own."""

    def __init__(self, rules: Rules, first_id: int) -> None:
        self.rules, self._next_id = rules, first_id
        self._ones: dict[str, _One] = {}
        self._state = State()
        self._sos_until_ms: int | None = None
        self._siren: str | None = None  # the board whose siren is on
        self._is_carrying = self._is_at_work = False
        self.ignition_is_on: bool | None = None  # as `core/ignition` knows it; set before `due`

    # --- what happens ---------------------------------------------------------------------------

    def seen(self, state: State) -> None:
        """Each state of the terminal, in order."""
        before, self._state = self._state, state
        if state.crew.logon != before.crew.logon:
            self._sos_until_ms = None
        self._is_at_work = self._is_at_work and state.crew.status == Status.BUSY
        if state.crew.status == Status.TRANSPORTING:
            self._is_carrying = True
        elif state.crew != before.crew and not _is_cleared(before, state):
            self._is_carrying = False
        officers = bound(state.crew, self.rules.vehicle)
        kept = {name: self._ones.get(name) or _One(of) for name, of in officers.items()}
        for name, one in kept.items():
            one.officer = officers[name]
        self._ones = kept

    def said(self, command: device.SetStatus, *, is_work: bool = True) -> None:
        """The crew's own word, after `seen`: it ends an SOS, and a transport.

        `is_work`: its reason, if any, is a kind of incident; a meal is none.
        """
        self._is_at_work = command.status == "busy" and is_work
        if command.status != "emergency":
            self._sos_until_ms = None
        if command.status != "transporting":
            self._is_carrying = False

    def heard(self, event: device.Event, uptime_ms: int) -> None:
        """Any device's event, kept or not."""
        match event.name:
            case "sos":
                self._sos_until_ms = uptime_ms + SOS_LASTS_MS
            case "input" if event.detail.get("input") == SIREN:
                self._siren = event.device if event.detail.get("on") is True else None
            case "absent":
                self._absent(event.detail.get("device"))
            case "recording_on" | "recording_off":
                self._turned(event, is_on=event.name == "recording_on")
            case _:
                self._started_anew(event)

    def answered(self, result: device.CommandResult, uptime_ms: int) -> None:
        """The answer to a command, or that there is none."""
        one = self._ones.get(result.device)
        if one is None or one.asked is None or one.asked[0] != result.id:
            return
        (_, name), one.asked = one.asked, None
        if result.ok:
            one.is_on = name == _ON
            one.is_ours = one.is_on and result.detail.get("already") is not True
        else:
            one.failed = str(result.detail.get("reason", "refused"))
            one.ask_again_ms = uptime_ms + REPEAT_MS

    # --- what follows ---------------------------------------------------------------------------

    def due(self, uptime_ms: int) -> Acts:
        """Commands to send and alarms to raise now."""
        acts = Acts()
        for name, one in self._ones.items():
            one.why = frozenset(self._why(one, uptime_ms))
            if one.why:
                self._keep_on(name, one, uptime_ms, acts)
            else:
                one.wanted_ms, one.told, one.gone_off = None, False, None
                self._let_stop(name, one, uptime_ms, acts)
        return acts

    def wake_ms(self, uptime_ms: int) -> int:
        """When `due` has something to do, if nothing happens before."""
        at = [uptime_ms + 60_000]
        for one in self._ones.values():
            if one.why and one.is_on is not True:
                at.append(uptime_ms + REPEAT_MS if one.told else uptime_ms + 250)
            elif one.is_ours:
                at.append(uptime_ms + 1000)
        return min(at)

    @property
    def sounds(self) -> bool:
        """Whether the crew must hear that a recorder is not on."""
        return any(_misses(one) and one.why & SOUNDS_FOR for one in self._ones.values())

    def view(self) -> tuple[dict[str, Any], ...]:
        """For the screen."""
        return tuple(
            {"recorder": name, "officer": one.officer, "on": one.is_on,
             "wanted": sorted(one.why), "not_on": _misses(one)}
            for name, one in self._ones.items()
        )  # fmt: skip

    def _why(self, one: _One, uptime_ms: int) -> Iterator[Why]:
        crew, desk = self._state.crew, self._state.desk
        if crew.logon is None:
            return
        states = _shown_states(desk)
        if crew.status == Status.ON_SCENE or OrderState.ON_SCENE in states:
            yield Why.ON_SCENE
        in_danger = self._sos_until_ms is not None and uptime_ms < self._sos_until_ms
        if crew.status == Status.EMERGENCY or in_danger:
            yield Why.SOS
        if self._siren is not None:
            yield Why.SIREN
        if self._is_at_work:
            yield Why.BUSY
        if self.rules.on_accept and states & _COMING:
            yield Why.ACCEPTED
        if self.rules.on_ignition and one.officer is None and self.ignition_is_on:
            yield Why.IGNITION

    def _keep_on(self, name: str, one: _One, uptime_ms: int, acts: Acts) -> None:
        one.idle_ms, one.stops = None, 0
        if one.is_on:
            one.wanted_ms, one.told = None, False
            return
        if one.wanted_ms is None:
            one.wanted_ms, one.ask_again_ms = uptime_ms, uptime_ms
            one.asked = None
        if one.gone_off is None and one.asked is None and uptime_ms >= one.ask_again_ms:
            acts.commands.append(self._command(name, one, _ON))
        is_late = one.gone_off is not None or uptime_ms - one.wanted_ms >= CONFIRM_MS
        if is_late and not one.told:
            one.told = True
            whose = "the vehicle's" if one.officer is None else f"officer {one.officer}'s"
            text = f"{name}, {whose}, is not on ({', '.join(sorted(one.why))}): "
            acts.alarms.append(Alarm(NOT_ON, (text + (one.gone_off or one.failed))[:200]))

    def _let_stop(self, name: str, one: _One, uptime_ms: int, acts: Acts) -> None:
        if not one.is_on or not one.is_ours or self._is_carrying:
            one.idle_ms = None
            return
        if one.idle_ms is None:
            one.idle_ms, one.asked, one.ask_again_ms = uptime_ms, None, uptime_ms
        is_idle = uptime_ms - one.idle_ms >= self.rules.stop_after_ms
        if is_idle and one.asked is None and uptime_ms >= one.ask_again_ms:
            one.stops += 1
            if one.stops <= STOP_TRIES_MAX:
                acts.commands.append(self._command(name, one, _OFF))

    def _command(self, name: str, one: _One, what: str) -> device.Command:
        number, self._next_id = self._next_id, self._next_id + 1
        one.asked = number, what
        return device.Command.model_validate({"device": name, "id": number, "name": what})

    def _turned(self, event: device.Event, *, is_on: bool) -> None:
        one = self._ones.get(event.device)
        if one is None or (event.boot, event.event) <= one.newest:
            return
        one.newest = event.boot, event.event
        asked = None if one.asked is None else one.asked[1]
        if is_on:
            one.is_ours = one.is_ours if one.is_on else asked == _ON
            one.gone_off = None
        elif one.why and one.is_on and asked != _OFF:
            one.gone_off = "it was on, and was stopped at the recorder"
        one.is_on = is_on
        one.is_ours = one.is_ours and is_on

    def _started_anew(self, event: device.Event) -> None:
        one = self._ones.get(event.device)
        if one is not None and event.boot > one.newest[0]:
            if one.newest[0] >= 0:
                one.is_on, one.is_ours, one.asked = None, False, None
            one.newest = event.boot, 0

    def _absent(self, name: object) -> None:
        if name == self._siren:
            self._siren = None
        one = self._ones.get(name) if isinstance(name, str) else None
        if one is not None:
            one.is_on, one.is_ours, one.asked = None, False, None
            one.wanted_ms, one.told, one.failed = None, False, "it is gone"


def bound(crew: Crew, vehicle: tuple[str, ...]) -> dict[str, str | None]:
    """The recorders of this log-on, each with its officer; None: the vehicle's."""
    if crew.logon is None:
        return {}
    return dict.fromkeys(vehicle) | dict(crew.recorders)


def _misses(one: _One) -> bool:
    return one.told and one.is_on is not True


def _shown_states(desk: Desk) -> frozenset[OrderState]:
    return frozenset(card.state for card in desk.cards.values() if card.shown is not None)


def _is_cleared(before: State, after: State) -> bool:
    """Whether the status changed because an order was cleared, not by the crew's own word."""
    old = before.desk.cards
    return after.crew.logon == before.crew.logon and any(
        card.state is OrderState.CLEARED and name in old and old[name].state is not card.state
        for name, card in after.desk.cards.items()
    )
