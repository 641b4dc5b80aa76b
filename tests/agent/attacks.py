"""Made-up attacks on a receiver: a drive of our own, and what an attacker makes its NMEA say.

The drive is honest until ATTACK_S; each attack changes from there on what it names. `SEEN_S` is
how soon it must be suspected where that is solid; None: it is printed, not promised.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import atan2, cos, degrees, hypot, pi, radians, sin

from tests.agent.receiver import line

ATTACK_S = 120
SECONDS = 300
START = datetime(2026, 11, 2, 10, 0, 0, tzinfo=UTC)
LAT, LON = 24.513, 117.647
METRE_DEG = 1 / 111_195
LEVELS = (44, 41, 38, 47, 35, 42, 29, 45, 33, 40, 37, 43)


@dataclass(frozen=True, slots=True)
class Epoch:
    """What the receiver says in one second; metres from the start of the drive."""

    clock_s: float
    north_m: float
    east_m: float
    sog_mps: float
    cog_deg: float
    satellites: int = 12
    hdop: float = 0.8
    levels: tuple[int, ...] = LEVELS
    is_void: bool = False
    apart_m: float | None = None  # of another receiver, not NMEA


@dataclass(frozen=True, slots=True)
class Attack:
    name: str
    make: Callable[[list[Epoch], int], Epoch]  # the honest drive, second
    seen_s: int | None


def drive(seconds: int = SECONDS, seed: int = 7) -> list[Epoch]:
    """Streets with turns and halts, up to 14 m/s, with metres of correlated error."""
    rng = random.Random(seed)
    north = east = error_north = error_east = speed = 0.0
    heading, epochs = 0.0, []
    for second in range(seconds):
        wanted = 0.0 if second % 90 >= 80 else 14.0 if second % 45 < 35 else 6.0
        speed += max(-3.0, min(2.0, wanted - speed))
        if second % 45 >= 40 and speed > 2:
            heading += 18.0
        north += speed * cos(radians(heading))
        east += speed * sin(radians(heading))
        error_north += -error_north / 60 + rng.gauss(0, 0.25)
        error_east += -error_east / 60 + rng.gauss(0, 0.25)
        epochs.append(
            Epoch(
                second, north + error_north, east + error_east,
                max(0.0, speed + rng.gauss(0, 0.1)), (heading + rng.gauss(0, 1)) % 360,
                levels=tuple(level + rng.randrange(-2, 3) for level in LEVELS),
            )
        )  # fmt: skip
    return epochs


def sentences(epoch: Epoch) -> bytes:
    """RMC, GGA and GSV of one second."""
    at = START + timedelta(seconds=epoch.clock_s)
    time = f"{at:%H%M%S}.{at.microsecond // 10_000:02d}"
    lat = LAT + epoch.north_m * METRE_DEG
    lon = LON + epoch.east_m * METRE_DEG / cos(radians(LAT))
    place = f"{int(lat):02d}{lat % 1 * 60:08.5f},N,{int(lon):03d}{lon % 1 * 60:08.5f},E"
    knots = epoch.sog_mps * 3600 / 1852
    if epoch.is_void:
        said = line(f"GNRMC,{time},V,,,,,,,{at:%d%m%y},,,N")
        said += line(f"GNGGA,{time},,,,,0,{epoch.satellites:02d},99.9,,M,,M,,")
    else:
        said = line(f"GNRMC,{time},A,{place},{knots:.3f},{epoch.cog_deg % 360:.1f},{at:%d%m%y},,,A")
        said += line(
            f"GNGGA,{time},{place},1,{epoch.satellites:02d},{epoch.hdop:.1f},12.0,M,0.0,M,,"
        )
    return _gsv(epoch.levels) + said


def _gsv(levels: tuple[int, ...]) -> bytes:
    parts = [levels[n : n + 4] for n in range(0, len(levels), 4)] or [()]
    said = b""
    for number, part in enumerate(parts, 1):
        fields = "".join(f",{n + 4 * number:02d},45,120,{snr}" for n, snr in enumerate(part))
        said += line(f"GPGSV,{len(parts)},{number},{len(levels):02d}{fields}")
    return said


def moved(epoch: Epoch, north_m: float = 0.0, east_m: float = 0.0) -> Epoch:
    return replace(epoch, north_m=epoch.north_m + north_m, east_m=epoch.east_m + east_m)


def leap(by_m: float) -> Callable[[list[Epoch], int], Epoch]:
    return lambda honest, n: moved(honest[n], by_m)


def dragged(mps: float, *, along: bool = False) -> Callable[[list[Epoch], int], Epoch]:
    """The place alone is drawn off; speed and course stay the true ones."""

    def make(honest: list[Epoch], n: int) -> Epoch:
        off_m = mps * (n - ATTACK_S)
        course = radians(honest[ATTACK_S].cog_deg + (0 if along else 90))
        return moved(honest[n], off_m * cos(course), off_m * sin(course))

    return make


def dragged_whole(mps: float) -> Callable[[list[Epoch], int], Epoch]:
    """A good simulator: place, speed and course are drawn off together."""

    def make(honest: list[Epoch], n: int) -> Epoch:
        course = radians(honest[n].cog_deg)
        north, east = honest[n].sog_mps * cos(course), honest[n].sog_mps * sin(course)
        north += mps
        found = moved(honest[n], mps * (n - ATTACK_S))
        cog_deg = degrees(atan2(east, north)) % 360
        return replace(found, sog_mps=hypot(north, east), cog_deg=cog_deg)

    return make


def clock(step_s: float, creep: float = 0.0) -> Callable[[list[Epoch], int], Epoch]:
    return lambda honest, n: replace(
        honest[n], clock_s=round(n + step_s + creep * (n - ATTACK_S), 2)
    )


def repeated(at_m: float) -> Callable[[list[Epoch], int], Epoch]:
    """A repeater's aerial at a fixed place: whoever hears it stands there."""

    def make(honest: list[Epoch], n: int) -> Epoch:
        there = moved(honest[ATTACK_S], at_m)
        return replace(there, clock_s=n, sog_mps=0.0, levels=honest[n].levels)

    return make


def replayed(late_s: int) -> Callable[[list[Epoch], int], Epoch]:
    """Recorded signals played again: place and time are those of before."""
    return lambda honest, n: honest[n - late_s]


def alike(
    make: Callable[[list[Epoch], int], Epoch],
) -> Callable[[list[Epoch], int], Epoch]:
    """One transmitter for all satellites: all at one level."""
    return lambda honest, n: replace(make(honest, n), levels=(46,) * 12)


def jammed(over_s: int) -> Callable[[list[Epoch], int], Epoch]:
    """Levels and satellites go down over `over_s`, then no fix at all."""

    def make(honest: list[Epoch], n: int) -> Epoch:
        share = min(1.0, (n - ATTACK_S + 1) / over_s)
        used = round(12 * (1 - share))
        levels = tuple(round(level - 25 * share) for level in honest[n].levels[:used])
        return replace(
            honest[n], satellites=used, hdop=0.8 + 98 * share**2, levels=levels, is_void=used < 3
        )

    return make


def jammed_at_once(honest: list[Epoch], n: int) -> Epoch:
    """A receiver that holds its last place for a while."""
    last = honest[ATTACK_S - 1]
    return replace(last, clock_s=n, satellites=0, hdop=99.0, levels=())


def frozen(honest: list[Epoch], n: int) -> Epoch:
    last = honest[ATTACK_S - 1]
    return replace(honest[n], north_m=last.north_m, east_m=last.east_m, sog_mps=12.0)


def another_receiver(honest: list[Epoch], n: int) -> Epoch:
    """Drawn off whole; a second receiver is not (its place is compared elsewhere)."""
    off_m = 5.0 * (n - ATTACK_S)
    return replace(dragged_whole(5.0)(honest, n), apart_m=off_m if off_m > 50 else None)


def circled(honest: list[Epoch], n: int) -> Epoch:
    """Sent round in a circle of 100 m at 10 m/s, whatever the car does."""
    turn = 2 * pi * (n - ATTACK_S) * 10 / (2 * pi * 100)
    there = moved(honest[ATTACK_S - 1], 100 * sin(turn), 100 * (1 - cos(turn)))
    return replace(there, clock_s=n, sog_mps=honest[n].sog_mps, cog_deg=honest[n].cog_deg)


ATTACKS = (
    Attack("leap of 100 km", leap(100_000), 1),
    Attack("leap of 2 km", leap(2_000), 1),
    Attack("leap of 300 m", leap(300), 1),
    Attack("leap of 60 m", leap(60), None),
    Attack("drawn aside at 5 m/s, speed left", dragged(5), 20),
    Attack("drawn ahead at 5 m/s, speed left", dragged(5, along=True), 20),
    Attack("drawn aside at 2 m/s, speed left", dragged(2), 90),
    Attack("circle of 100 m, speed left", circled, 30),
    Attack("drawn off at 5 m/s, speed and all", dragged_whole(5), None),
    Attack("drawn off at 0.5 m/s, speed and all", dragged_whole(0.5), None),
    Attack("the same at 5 m/s, a second receiver honest", another_receiver, 30),
    Attack("clock 1 h ahead", clock(3600), 1),
    Attack("clock 5 s ahead", clock(5), 5),
    Attack("clock creeps ahead by 0.1 s each second", clock(0, 0.1), 30),
    Attack("clock 3 s late", clock(-3), None),
    Attack("repeater 400 m off, while driving", repeated(400), 1),
    Attack("repeater 40 m off, while driving", repeated(40), 1),
    Attack("recording of 30 s ago", replayed(30), 1),
    Attack("all signals alike, place true", alike(lambda honest, n: honest[n]), 10),
    Attack("all alike, drawn off at 5 m/s, speed and all", alike(dragged_whole(5)), 10),
    Attack("jammed within 60 s", jammed(60), 60),
    Attack("jammed at once, last place held", jammed_at_once, 2),
    Attack("frozen place under way", frozen, 12),
)
