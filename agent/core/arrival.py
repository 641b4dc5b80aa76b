"""Driving off and arriving by themselves: what the fixes say about an order that is held; pure.

A claim is made late rather than wrongly: a touch is always there for what these rules do not see.
Departing: more than a walk for some seconds, and away from where it began. Arriving: standing near
a place that is well known, a minute right there or with the ignition off, else as long as no light
is red. There is no road graph here, so `no route left` is judged by the air: near, and the
place not ahead of the course that was driven last. The time is that at which standing or driving
began. Clearing is never claimed. Fed by `agent/arrivals.py` with each placed fix, in order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast

from agent.core.fix import Fix
from agent.core.integrity import is_suspect
from agent.core.orders import Card
from agent.core.positions import accuracy_m
from protocol.datum import Datum, to_wgs84
from protocol.dispatch import Place
from protocol.geodesy import bearing_deg, distance_m
from protocol.order import Answer, OrderKind, OrderState

ACCURACY_M_MAX: Final = 50  # of the place, and of the fix
NEAR_M: Final = 75.0
STANDING_MS: Final = 60_000
AT_M: Final = 15.0  # right there
NEARBY_MS: Final = 120_000  # farther off, with the engine running: it may be a red light
STANDS_MPS: Final = 1.0
STAYS_M: Final = 20.0  # from where standing began: who creeps on in a jam does not stand
GAP_MS: Final = 10_000  # without a usable fix nobody knows what happened meanwhile
DRIVES_MPS: Final = 2.5
DRIVES_MS: Final = 4_000
LEFT_M: Final = 15.0  # speeds alone do not drive off
AHEAD_M: Final = 30.0  # nearer, wherever it lies, there is no route left
AHEAD_DEG: Final = 60.0
COURSE_MPS: Final = 2.0  # slower, a receiver's course means nothing
COURSE_MS_MAX: Final = 30_000  # before standing began

_ON_THE_WAY: Final = frozenset({OrderState.CONFIRMED, OrderState.EN_ROUTE})
_DATUMS: Final = frozenset({"wgs84", "gcj02", "bd09"})

LatLon = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Moment:
    """A fix with a place, and the caller's monotonic time of it."""

    fix: Fix
    uptime_ms: int

    @property
    def place(self) -> LatLon:
        assert self.fix.lat_deg is not None
        assert self.fix.lon_deg is not None
        return self.fix.lat_deg, self.fix.lon_deg


@dataclass(frozen=True, slots=True)
class Claim:
    """`answer` (en route, on scene) of `order` became true at `since_ms`; `fix` is of then."""

    order: str
    answer: Answer
    since_ms: int
    fix: Fix


@dataclass(frozen=True, slots=True)
class _Known:
    """Where an order sends to, and since when this terminal has been on its way there."""

    said: tuple[int, int, str]
    place: LatLon
    since_ms: int


class Arrival:
    """One terminal's; bounded by the orders that are held, without a clock of its own."""

    def __init__(self) -> None:
        self._newest: Moment | None = None
        self._standing: Moment | None = None
        self._driving: Moment | None = None
        self._course: tuple[float, int] | None = None  # driven last, and when
        self._known: dict[str, _Known] = {}

    def feed(self, fix: Fix, uptime_ms: int) -> None:
        """A fix as it is reported: parked, it stands still."""
        if fix.lat_deg is None or fix.lon_deg is None:
            return
        if not _is_usable(fix):
            self._standing = self._driving = None
            return
        moment, before = Moment(fix, uptime_ms), self._newest
        self._newest = moment
        if before is None or uptime_ms - before.uptime_ms > GAP_MS:
            self._standing = self._driving = None
        speed_mps = _speed_mps(moment, before)
        self._feed_standing(moment, speed_mps)
        self._feed_driving(moment, speed_mps)
        if fix.cog_deg is not None and speed_mps is not None and speed_mps >= COURSE_MPS:
            self._course = fix.cog_deg, uptime_ms

    def claims(
        self, cards: Iterable[Card], uptime_ms: int, *, is_switched_off: bool = False
    ) -> tuple[Claim, ...]:
        """What holds now; the same again until the order has moved on.

        `is_switched_off`: a board says that the ignition is off.
        """
        held = {card.order.order: card for card in cards if _is_on_the_way(card)}
        self._known = {name: self._know(card, uptime_ms) for name, card in held.items()}
        if self._newest is None or uptime_ms - self._newest.uptime_ms > GAP_MS:
            return ()
        found = (
            self._claim(card, self._known[name], is_switched_off) for name, card in held.items()
        )
        return tuple(claim for claim in found if claim is not None)

    def _know(self, card: Card, uptime_ms: int) -> _Known:
        """A place that a revision moved is a new one: standing counts from then."""
        place, known = card.order.place, self._known.get(card.order.order)
        said = (place.lat_e7, place.lon_e7, place.datum)
        if known is not None and known.said == said:
            return known
        return _Known(said, _wgs84(place), uptime_ms)

    def _claim(self, card: Card, known: _Known, is_switched_off: bool) -> Claim | None:
        order, standing = card.order.order, self._standing
        if standing is not None and self._has_arrived(card, known, standing, is_switched_off):
            since_ms = max(standing.uptime_ms, known.since_ms)
            return Claim(order, Answer.ON_SCENE, since_ms, standing.fix)
        driving = self._driving
        if card.state is OrderState.CONFIRMED and driving is not None and self._has_left(known):
            since_ms = max(driving.uptime_ms, known.since_ms)
            return Claim(order, Answer.EN_ROUTE, since_ms, driving.fix)
        return None

    def _has_arrived(
        self, card: Card, known: _Known, standing: Moment, is_switched_off: bool
    ) -> bool:
        accuracy = card.order.place.accuracy_m
        if accuracy is None or accuracy > ACCURACY_M_MAX or self._newest is None:
            return False
        away_m = distance_m(*self._newest.place, *known.place)
        enough_ms = STANDING_MS if is_switched_off or away_m <= AT_M else NEARBY_MS
        stood_ms = self._newest.uptime_ms - max(standing.uptime_ms, known.since_ms)
        if away_m > NEAR_M or stood_ms < enough_ms:
            return False
        return not self._lies_ahead(known.place, away_m, standing)

    def _lies_ahead(self, place: LatLon, away_m: float, standing: Moment) -> bool:
        """Whoever stops 60 m short of it, at a light, has that much route left."""
        if away_m <= AHEAD_M or self._course is None:
            return False
        course_deg, at_ms = self._course
        if standing.uptime_ms - at_ms > COURSE_MS_MAX:
            return False
        off_deg = abs((bearing_deg(*standing.place, *place) - course_deg + 180) % 360 - 180)
        return off_deg <= AHEAD_DEG

    def _has_left(self, known: _Known) -> bool:
        assert self._newest is not None
        assert self._driving is not None
        since_ms = max(self._driving.uptime_ms, known.since_ms)
        left_m = distance_m(*self._driving.place, *self._newest.place)
        return self._newest.uptime_ms - since_ms >= DRIVES_MS and left_m >= LEFT_M

    def _feed_standing(self, moment: Moment, speed_mps: float | None) -> None:
        if speed_mps is None or speed_mps > STANDS_MPS:
            self._standing = None
        elif self._standing is None or distance_m(*self._standing.place, *moment.place) > STAYS_M:
            self._standing = moment

    def _feed_driving(self, moment: Moment, speed_mps: float | None) -> None:
        if speed_mps is None or speed_mps < DRIVES_MPS:
            self._driving = None
        elif self._driving is None:
            self._driving = moment


def _is_on_the_way(card: Card) -> bool:
    shown = card.shown is not None and card.order.kind != OrderKind.STAND_DOWN
    return shown and card.state in _ON_THE_WAY


def _is_usable(fix: Fix) -> bool:
    """Good enough to say where somebody stands."""
    return not is_suspect(fix) and (accuracy_m(fix) or 0) <= ACCURACY_M_MAX


def _speed_mps(moment: Moment, before: Moment | None) -> float | None:
    """The receiver's own, else by the last step; None where nobody knows."""
    if moment.fix.sog_mps is not None:
        return moment.fix.sog_mps
    if before is None or not 0 < moment.uptime_ms - before.uptime_ms <= GAP_MS:
        return None
    step_s = (moment.uptime_ms - before.uptime_ms) / 1000
    return distance_m(*before.place, *moment.place) / step_s


def _wgs84(place: Place) -> LatLon:
    lat, lon = place.lat_e7 / 1e7, place.lon_e7 / 1e7
    return to_wgs84(lat, lon, cast(Datum, place.datum)) if place.datum in _DATUMS else (lat, lon)
