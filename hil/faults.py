"""Which fault is on at which time: a plan from the command line, and orders as they come.

Times are seconds from the emulator's start. Every device knows `hangup` (the port vanishes and
comes back), `stall` (bytes stop, the port stays open), `gap` (what would be sent is never sent)
and `garbage` (random bytes between and over good ones); a device may know more.
"""

import argparse
import asyncio
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hil.control import Command, CommandError, Control, number, text
from hil.port import DevicePort, PortError

PORT_KINDS: Final = frozenset({"hangup", "stall", "gap", "garbage"})
FAULTS_MAX: Final = 1000
SECONDS_MAX: Final = 86_400.0
STALL_BYTES_MAX: Final = 64 * 1024
LOOK_EVERY_S: Final = 0.04

_PLAN = re.compile(r"([a-z_-]+)@(\d+(?:\.\d+)?)(?:\+(\d+(?:\.\d+)?))?")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault and when it is on, in seconds from the emulator's start."""

    kind: str
    start_s: float
    seconds: float

    def is_on(self, now_s: float) -> bool:
        """Whether it is on at `now_s`."""
        return self.start_s <= now_s < self.start_s + self.seconds


def plain_kind(kind: str) -> str:
    """`hang-up`, `hang_up` and `hangup` are one kind."""
    return kind.replace("-", "").replace("_", "")


def parse_plan(plan: str) -> Fault:
    """`kind@start_s+duration_s`, e.g. `gap@10+5`; for argparse. Duration 1 s where left out."""
    parts = _PLAN.fullmatch(plan)
    if not parts:
        raise argparse.ArgumentTypeError(f"{plan!r}: give kind@start_s+duration_s, e.g. gap@10+5")
    return Fault(plain_kind(parts[1]), float(parts[2]), float(parts[3] or 1))


class FaultSchedule:
    """Answers which kinds are on now; takes more at any time."""

    def __init__(
        self,
        kinds: frozenset[str],
        planned: list[Fault],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`planned` counts from now; raises `CommandError` for a kind the device does not know."""
        self._kinds, self._now_s, self._start_s = kinds, now_s, now_s()
        self._faults: list[Fault] = []
        for fault in planned:
            self._add(fault)

    def _add(self, fault: Fault) -> None:
        if fault.kind not in self._kinds:
            known = ", ".join(sorted(self._kinds))
            raise CommandError(f"no fault {fault.kind!r}", f"give one of {known}")
        now_s = self.elapsed_s()
        self._faults = [kept for kept in self._faults if kept.start_s + kept.seconds > now_s][
            -FAULTS_MAX:
        ]
        self._faults.append(fault)

    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return self._now_s() - self._start_s

    def restart(self) -> None:
        """Counts the plan from now on."""
        self._start_s = self._now_s()

    def begin(self, kind: str, seconds: float) -> None:
        """Turns `kind` on from now, 0 s: off where it is on; raises `CommandError`."""
        kind, now_s = plain_kind(kind), self.elapsed_s()
        if seconds == 0:
            self._faults = [
                fault for fault in self._faults if fault.kind != kind or not fault.is_on(now_s)
            ]
        self._add(Fault(kind, now_s, seconds))

    def take(self, command: Command) -> None:
        """`{"do": "fault", "kind": ..., "seconds": ...}`; raises `CommandError`."""
        self.begin(text(command, "kind"), number(command, "seconds", 0.0, SECONDS_MAX, 1.0))

    def on(self, kind: str) -> bool:
        """Whether `kind` is on now."""
        now_s = self.elapsed_s()
        return any(fault.kind == kind and fault.is_on(now_s) for fault in self._faults)

    def on_now(self) -> set[str]:
        """All kinds that are on now."""
        now_s = self.elapsed_s()
        return {fault.kind for fault in self._faults if fault.is_on(now_s)}


class FaultyOutput:
    """Writes to the port through the faults that every device knows."""

    def __init__(self, port: DevicePort, faults: FaultSchedule, chance: random.Random) -> None:
        self._port, self._faults, self._chance = port, faults, chance
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        """Sends, holds or loses `data`; returns the bytes that the port took or that are held."""
        if self._faults.on("gap"):
            return 0
        if self._faults.on("garbage"):
            data = spoil(data, self._chance)
        if self._faults.on("stall"):
            half = 0 if self._held else len(data) // 2  # the line freezes in the middle
            self._port.write(data[:half])
            self._held += data[half:]
            del self._held[STALL_BYTES_MAX:]
            return len(data)
        self.release()
        return self._port.write(data)

    def release(self) -> None:
        """After a stall: what was held comes in one burst."""
        if self._held and not self._faults.on("stall"):
            self._port.write(bytes(self._held))
            self._held.clear()


def spoil(data: bytes, chance: random.Random) -> bytes:
    """Random bytes before `data`, and about one byte in twenty of it overwritten."""
    noise = chance.randbytes(chance.randint(1, 64))
    hit = bytes(chance.randrange(256) if chance.random() < 0.05 else byte for byte in data)
    return noise + hit


async def run_faults(
    port: DevicePort, faults: FaultSchedule, output: FaultyOutput, control: Control
) -> None:
    """Hangs the port up and brings it back, ends stalls, tells when faults begin and end."""
    before: set[str] = set()
    while True:
        now = faults.on_now()
        for kind in sorted(now - before):
            control.tell("fault", kind=kind)
        for kind in sorted(before - now):
            control.tell("fault_end", kind=kind)
        before = now
        if "hangup" in now:
            port.hang_up()
        elif not port.is_up:
            _reappear(port, control)
        output.release()
        await asyncio.sleep(LOOK_EVERY_S)


def _reappear(port: DevicePort, control: Control) -> None:
    try:
        port.reappear()
    except PortError as fault:
        control.tell("port_error", reason=str(fault))
    else:
        control.tell("ready", port=port.line.path)
