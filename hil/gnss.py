"""The GNSS receiver emulator: replays a recorded log, or drives a vehicle and reports it.

What it sends goes through the sentence faults (hil/gnss_faults.py), then the line faults
(hil/faults.py), then the port. What it receives (configuration) is read and forgotten, as by a
receiver that does not understand it. Command line: hil/gnss_command.py.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from hil.control import Command, CommandError, Control, number
from hil.faults import FaultSchedule, FaultyOutput
from hil.gnss_faults import SentenceFaults
from hil.gnss_log import Anchor, epochs, restamp
from hil.nmea import GnssState, epoch_sentences
from hil.port import DevicePort
from hil.route import SPEED_MAX_MPS, Limits, Vehicle

MOVING_MPS: Final = 0.1  # below it the receiver has no course
NOISE_TIME_S: Final = 60.0  # how long a position error lasts
STEP_MAX_S: Final = 5.0  # the vehicle does not make up for a suspended machine


class Receiver:
    """Sends epochs to the port through all faults."""

    def __init__(
        self, port: DevicePort, faults: FaultSchedule, chance: random.Random, jump_m: float
    ) -> None:
        self.port = port
        self.output = FaultyOutput(port, faults, chance)
        self._faults = faults
        self._sentence_faults = SentenceFaults(faults, chance, jump_m)

    def send_epoch(self, lines: Sequence[bytes]) -> None:
        """Sends one epoch now; drops what nobody takes."""
        self.output.write(self._sentence_faults.apply(list(lines)))

    async def send_all(self, lines: Sequence[bytes]) -> None:
        """Sends one epoch, waiting for the reader while no fault is on."""
        data = self._sentence_faults.apply(list(lines))
        if self._faults.on_now():
            self.output.write(data)
            await asyncio.sleep(0.001)  # a fault takes time, even at full speed
        else:
            self.output.release()
            await self.port.send(data)

    async def begin(self, *, wait_reader: bool) -> None:
        """Waits for the reader where wanted; the fault plan counts from here."""
        if wait_reader:
            await self.port.wait_reader()
            self._faults.restart()

    async def forget_input(self) -> None:
        """Reads configuration commands and does nothing with them."""
        while True:
            await self.port.read()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """How a log is replayed."""

    rate: float = 1.0  # 0: as fast as the reader takes it
    loop: bool = False
    restamp: Anchor | None = None
    wait_reader: bool = True


async def replay(
    receiver: Receiver, lines: Sequence[bytes], options: ReplayOptions, control: Control
) -> None:
    """Sends the log by its own time stamps; tells `end` after each pass."""
    await receiver.begin(wait_reader=options.wait_reader)
    while True:
        stamped = lines
        if options.restamp:
            stamped = restamp(lines, datetime.now(UTC), options.restamp)
        await _replay_once(receiver, stamped, options.rate)
        await receiver.port.flushed()
        port = receiver.port
        control.tell(
            "end", lines=len(lines), bytes_sent=port.bytes_sent, bytes_dropped=port.bytes_dropped
        )
        if not options.loop:
            return


async def _replay_once(receiver: Receiver, lines: Sequence[bytes], rate: float) -> None:
    started_s = time.monotonic()
    for epoch in epochs(lines):
        if rate == 0:
            await receiver.send_all(epoch.lines)
            continue
        due_s = started_s + epoch.after.total_seconds() / rate
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        receiver.send_epoch(epoch.lines)


@dataclass(slots=True)
class Noise:
    """A position error that wanders slowly, as a receiver's does; metres, one sigma."""

    sigma_m: float
    chance: random.Random
    _error_m: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def next(self, dt_s: float) -> tuple[float, float]:
        """The error east and north, `dt_s` after the last one."""
        keep = 2.0 ** (-dt_s / NOISE_TIME_S)
        fresh = self.sigma_m * (1 - keep**2) ** 0.5
        self._error_m = [keep * old + self.chance.gauss(0, fresh) for old in self._error_m]
        return self._error_m[0], self._error_m[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteOptions:
    """How a driven vehicle is reported."""

    hz: float = 1.0
    talker: str = "GN"
    types: tuple[str, ...] = ("RMC", "GGA", "GSA", "VTG")
    constellations: tuple[str, ...] = ()  # each with GSA and GSV of its own
    latency_s: float = 0.0  # from the epoch to its first byte
    verbose: bool = False


class RouteDriver:
    """Drives as the control says, and reports each epoch of true UTC time."""

    def __init__(
        self,
        receiver: Receiver,
        options: RouteOptions,
        noise: Noise,
        control: Control,
        start: tuple[float, float] | None = None,
    ) -> None:
        self._receiver, self._options, self._noise, self._control = (
            receiver,
            options,
            noise,
            control,
        )
        self._vehicle = Vehicle(*start) if start else None
        control.on("route", self.take_route)
        control.on("stop", self._stop)

    def take_route(self, command: Command) -> None:
        """`{"do":"route","points":[[lat,lon],…],"speed_mps":14,"accel_mps2":2.5}`."""
        points = route_points(command)
        limits = Limits(
            number(command, "speed_mps", 0.5, SPEED_MAX_MPS, 14.0),
            number(command, "accel_mps2", 0.2, 3.0, 2.5),
        )
        if self._vehicle is None:
            self._vehicle = Vehicle(*points[0])
        self._vehicle.take_route(points, limits)

    def _stop(self, command: Command) -> None:
        del command
        if self._vehicle:
            self._vehicle.stop()

    async def run(self) -> None:
        """One epoch after the other, for ever; before the first place is known, without fix."""
        period = timedelta(seconds=1 / self._options.hz)
        last: datetime | None = None
        while True:
            epoch = _next_epoch(datetime.now(UTC), period, last)
            wait_s = (epoch - datetime.now(UTC)).total_seconds() + self._options.latency_s
            await asyncio.sleep(max(0.0, wait_s))
            step_s = (epoch - last).total_seconds() if last else 0.0
            self._drive(min(max(step_s, 0.0), STEP_MAX_S))
            self._report(epoch, step_s)
            last = epoch

    def _drive(self, step_s: float) -> None:
        ended = self._vehicle.advance(step_s) if self._vehicle else None
        if ended and self._vehicle:
            lat, lon = self._vehicle.position
            self._control.tell(ended, lat=round(lat, 7), lon=round(lon, 7), utc=_iso_now())

    def _report(self, epoch: datetime, step_s: float) -> None:
        options = self._options
        state = self._state(epoch, max(step_s, 0.0))
        self._receiver.send_epoch(
            epoch_sentences(options.talker, options.types, state, options.constellations)
        )
        if options.verbose and epoch.microsecond < 1e6 / options.hz:
            self._control.tell(
                "position",
                utc=epoch.isoformat(timespec="milliseconds"),
                lat=round(state.lat_deg, 7),
                lon=round(state.lon_deg, 7),
                sog_mps=round(state.sog_mps, 2),
                cog_deg=None if state.cog_deg is None else round(state.cog_deg, 1),
            )

    def _state(self, epoch: datetime, step_s: float) -> GnssState:
        vehicle = self._vehicle
        if vehicle is None:
            return GnssState(utc=epoch, lat_deg=0.0, lon_deg=0.0, has_fix=False)
        east_m, north_m = self._noise.next(step_s)
        lat, lon = vehicle.shifted(east_m, north_m)
        is_moving = vehicle.speed_mps >= MOVING_MPS
        return GnssState(
            utc=epoch,
            lat_deg=lat,
            lon_deg=lon,
            sog_mps=vehicle.speed_mps,
            cog_deg=vehicle.course_deg if is_moving else None,
        )


def route_points(command: Command) -> list[tuple[float, float]]:
    """`points` as (lat, lon) pairs; raises `CommandError` naming the first wrong one."""
    raw = command.get("points")
    if not isinstance(raw, list) or not raw:
        raise CommandError(f"points is {str(raw)[:60]}", "give [[lat, lon], ...]")
    points = []
    for place, pair in enumerate(raw):
        if not isinstance(pair, list) or len(pair) != 2:
            raise CommandError(f"points[{place}] is {str(pair)[:60]}", "give [lat, lon]")
        lat = number({f"points[{place}] lat": pair[0]}, f"points[{place}] lat", -89, 89)
        lon = number({f"points[{place}] lon": pair[1]}, f"points[{place}] lon", -180, 180)
        points.append((lat, lon))
    return points


def _next_epoch(now: datetime, period: timedelta, last: datetime | None) -> datetime:
    """The next whole multiple of the period in UTC, as receivers align their epochs."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    epoch = midnight + ((now - midnight) // period + 1) * period
    return epoch + period if epoch == last else epoch


def _iso_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
