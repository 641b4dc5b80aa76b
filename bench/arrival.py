"""`arrival`: false arrivals by themselves per 100 drive-bys on the shared drives; goal 0.

Made-up places stand beside the paths, seeded, and each is an order that the unit is on its way to.
A drive-by comes from afar within the arrival's radius and drives on, without a halt of three
minutes: whatever is claimed there is false. The same with a minute's standing everywhere is printed
beside it. The other way round, places are put where a drive does stand for long: how many are seen.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import cos, radians, sin
from typing import Final

from agent.core import arrival, integrity
from agent.core.arrival import Arrival
from agent.core.fix import Fix
from agent.core.ignition import Ignition
from agent.core.orders import Card
from agent.core.placing import Placing
from bench import drives
from bench.figure import Figure
from bench.options import Options
from protocol.dispatch import Order, Place, Plan
from protocol.geodesy import distance_m
from protocol.order import Answer, OrderKind, OrderState

PLACES: Final = 120  # for each drive
QUICK_PLACES: Final = 20
LEFT_M: Final = 150.0  # driven on
MOVING_MPS: Final = 3.0
BESIDE_M: Final = (5.0, 70.0)
STOPS_BESIDE_M: Final = (0.0, 40.0)
DEGREE_M: Final = 111_195.0
STOP_MPS: Final = 0.7
SEEN_MS: Final = 130_000  # the anchor takes ten seconds to settle
HALT_MS: Final = 180_000
STAYS_M: Final = 20.0
COMES_FIXES: Final = 20  # on the way to it

LatLon = tuple[float, float]


@dataclass(slots=True)
class Passed:
    """What happened at the made-up places: claims by the terminal's rule, and by a minute's."""

    drive_bys: int = 0
    halts: int = 0  # of three minutes and more: arrivals by any rule
    false: list[str] = field(default_factory=list)
    false_by_minute: int = 0


async def run(options: Options) -> list[Figure]:
    """False arrivals per 100 drive-bys, and the share of long stops that is seen."""
    passed, by_drive, stops, seen = Passed(), [], 0, 0
    for name, fixes in drives.all_drives().items():
        chance = random.Random(f"{options.seed} {name}")
        placed = _placed(fixes)
        before = passed.drive_bys, len(passed.false)
        for place in _beside(placed, chance, options.count(PLACES, QUICK_PLACES)):
            _pass_by(placed, place, passed)
        drive_bys, false = passed.drive_bys - before[0], len(passed.false) - before[1]
        by_drive.append(f"{name}: {false} of {drive_bys}")
        options.say(f"arrival: {by_drive[-1]}")
        found, of = _stops_seen(placed, chance)
        seen, stops = seen + found, stops + of
    share = 100 / max(1, passed.drive_bys)
    beside = (
        f"{len(passed.false)} of {passed.drive_bys} drive-bys; {passed.halts} halts left out",
        f"a minute's standing everywhere: {passed.false_by_minute * share:.2f}",
        *by_drive,
        *passed.false,
    )
    what = "stops of 2 minutes and more, beside the place, that are seen"
    return [
        Figure("arrival", "false arrivals per 100 drive-bys", len(passed.false) * share, "", 0.0,
               beside=beside),
        Figure("arrival", what, seen / stops if stops else None, "",
               beside=(f"{seen} of {stops}",)),
    ]  # fmt: skip


def _placed(fixes: list[Fix]) -> list[tuple[Fix, int]]:
    """As the terminal reports them, with the time at which each came."""
    placing, track, found = Placing(Ignition()), integrity.Track(), []
    for fix in fixes:
        assert fix.epoch_ms is not None
        judged, track = integrity.check(fix, track, fix.epoch_ms)
        found.append((placing.feed(judged, fix.epoch_ms, None).reported, fix.epoch_ms))
    return found


def _beside(placed: list[tuple[Fix, int]], chance: random.Random, count: int) -> list[LatLon]:
    moving = [fix for fix, _ in placed if (fix.sog_mps or 0) > MOVING_MPS and fix.cog_deg]
    return [_off(chance.choice(moving), chance, BESIDE_M) for _ in range(count)] if moving else []


def _off(fix: Fix, chance: random.Random, beside_m: tuple[float, float]) -> LatLon:
    """Some metres to the left or right of where `fix` heads for."""
    assert fix.lat_deg is not None
    assert fix.lon_deg is not None
    off_m = chance.uniform(*beside_m)
    side = radians((fix.cog_deg or chance.uniform(0, 360)) + chance.choice((90, -90)))
    north_m, east_m = off_m * cos(side), off_m * sin(side)
    return (
        fix.lat_deg + north_m / DEGREE_M,
        fix.lon_deg + east_m / DEGREE_M / cos(radians(fix.lat_deg)),
    )


def _pass_by(placed: list[tuple[Fix, int]], place: LatLon, passed: Passed) -> None:
    """Each time that it came near, an order to that place is held."""
    for visit in _visits(placed, place):
        stayed_ms = max((_stayed_ms(visit, first) for first, _ in _stops(visit)), default=0)
        if stayed_ms >= HALT_MS:
            passed.halts += 1
            continue
        passed.drive_bys += 1
        passed.false_by_minute += _claims(visit, place, by_minute=True)
        if _claims(visit, place):
            passed.false.append(f"false: stood {stayed_ms / 1000:.0f} s")


def _stayed_ms(visit: list[tuple[Fix, int]], first: int) -> int:
    """From the first to the last fix that is hardly away from there, outages included."""
    stop, at_ms = visit[first]
    stayed = [later_ms for fix, later_ms in visit[first:] if _apart_m(stop, fix) <= STAYS_M]
    return max(stayed) - at_ms


def _apart_m(one: Fix, other: Fix) -> float:
    return distance_m(one.lat_deg or 0, one.lon_deg or 0, other.lat_deg or 0, other.lon_deg or 0)


def _visits(placed: list[tuple[Fix, int]], place: LatLon) -> Iterator[list[tuple[Fix, int]]]:
    """Each time that it came near and drove on, with what came shortly before."""
    visit: list[tuple[Fix, int]] = []
    came = was_near = False
    for fix, at_ms in placed:
        if fix.lat_deg is None or fix.lon_deg is None:
            continue
        away_m = distance_m(fix.lat_deg, fix.lon_deg, *place)
        visit.append((fix, at_ms))
        was_near = was_near or away_m <= arrival.NEAR_M
        if away_m > LEFT_M:
            if came and was_near:
                yield visit
            visit, came, was_near = visit[-COMES_FIXES:], True, False


def _claims(visit: list[tuple[Fix, int]], place: LatLon, *, by_minute: bool = False) -> bool:
    """Whether it claims to be there, as an ignition that is off would have it `by_minute`."""
    tracker, cards = Arrival(), (_card(place),)
    for fix, at_ms in visit:
        tracker.feed(fix, at_ms)
        claims = tracker.claims(cards, at_ms, is_switched_off=by_minute)
        if any(claim.answer is Answer.ON_SCENE for claim in claims):
            return True
    return False


def _stops_seen(placed: list[tuple[Fix, int]], chance: random.Random) -> tuple[int, int]:
    """(seen, all) of the stops that last, each with a place somewhere beside it."""
    seen = count = 0
    for first, last in _stops(placed):
        if placed[last][1] - placed[first][1] < SEEN_MS:
            continue
        place = _off(placed[first][0], chance, STOPS_BESIDE_M)
        count += 1
        seen += _claims(placed[max(0, first - 60) : last + 1], place)
    return seen, count


def _stops(placed: list[tuple[Fix, int]]) -> Iterator[tuple[int, int]]:
    """First and last fix of each stand."""
    first: int | None = None
    for i, (fix, at_ms) in enumerate(placed):
        stands = fix.sog_mps is not None and fix.sog_mps <= STOP_MPS
        gap = i > 0 and at_ms - placed[i - 1][1] > arrival.GAP_MS
        if first is not None and (not stands or gap):
            yield first, i - 1
            first = None
        if stands and first is None:
            first = i
    if first is not None:
        yield first, len(placed) - 1


def _card(place: LatLon) -> Card:
    where = Place(round(place[0] * 1e7), round(place[1] * 1e7), "wgs84", "bench", 10, "")
    order = Order(
        order="o-1", revision=1, revision_class=0, incident="i-1", number="1", unit="u", logon=1,
        kind=OrderKind.ASSIGN, priority=1, incident_kind="theft", issued_ms=0, expires_ms=1,
        answer_s=10, issuer="bench", hazards=(), place=where, notes="", plan=Plan(1, 1, ("u",)),
        eta_s=60,
    )  # fmt: skip
    return Card(order, OrderState.EN_ROUTE, 1)
