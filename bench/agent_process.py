"""`agent`: what one real agent costs at 1 Hz, and how soon its first position is known.

Memory is what the agent shares with nobody (Private_* of smaps_rollup); the processor's share is
over the whole time. First position: from the epoch of the receiver's first valid sentence to the
verified state at a manager; once on a fresh terminal, then again after the receiver was restarted.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime
from typing import Any, Final

from bench.figure import Figure, Spread, number
from bench.machine import Usage
from bench.options import Options
from bench.small_world import SmallWorld, small_world
from demo.processes import until

MEMORY_MIB_MAX: Final = 48.0
CPU_PERCENT_MAX: Final = 2.0
FIRST_S_MAX: Final = 3.0
MIB: Final = 1 << 20
WAIT_S: Final = 30.0
GPSD_S: Final = 10.0


async def run(options: Options) -> list[Figure]:
    """Memory, processor share, first position."""
    seconds = options.count(60, 15)
    async with small_world(options, 1, has_fix=False) as world:
        firsts = await _first_positions(world, options)
        running = world.process(f"agent-{world.members[0].unit}")
        assert running.pid is not None
        before, started_s = Usage.of(running.pid), time.monotonic()
        options.say(f"{seconds} s at 1 Hz")
        await asyncio.sleep(seconds)
        usage, passed_s = Usage.of(running.pid), time.monotonic() - started_s
        gpsd = await asyncio.to_thread(_gpsd, world)
    cpu_percent = (usage.cpu_s - before.cpu_s) / passed_s * 100
    first, later = firsts[0], Spread.of(firsts)
    return [
        Figure("agent", f"private memory after {seconds} s at 1 Hz", usage.private_bytes / MIB,
               "MiB", MEMORY_MIB_MAX, beside=(gpsd,)),
        Figure("agent", "share of a core at 1 Hz", cpu_percent, "%", CPU_PERCENT_MAX,
               beside=(f"{number(usage.cpu_s)} s since its start, start included",)),
        Figure("agent", "receiver's first fix → verified state at a manager, slowest",
               later.high, "s", FIRST_S_MAX,
               beside=(f"on the fresh terminal {number(first)} s", later.words("s"))),
    ]  # fmt: skip


async def _first_positions(world: SmallWorld, options: Options) -> list[float]:
    """Seconds, the fresh terminal's first."""
    count = options.count(5, 2)
    found = [await _first_position(world)]
    for _ in range(count - 1):
        world.process(f"gnss-{world.members[0].unit}").signal(
            signal.SIGTERM
        )  # takes its link along
        await until(lambda: not _has_position(world), WAIT_S, "a state without a fix")
        await asyncio.sleep(1.0)  # the restarted receiver gives epochs without a fix again
        found.append(await _first_position(world))
    return found


async def _first_position(world: SmallWorld) -> float:
    member = world.members[0]
    fixed: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def hear(_unit: str, event: dict[str, Any]) -> None:
        if event.get("event") == "position" and event.get("lat") and not fixed.done():
            fixed.set_result(datetime.fromisoformat(event["utc"]).timestamp())

    world.on_receiver = hear
    lat, lon = world.quiet[member.unit].post
    order = {"do": "route", "points": [[lat, lon]], "speed_mps": 10}
    world.process(f"gnss-{member.unit}").say(json.dumps(order).encode() + b"\n")
    epoch_s = await asyncio.wait_for(fixed, WAIT_S)
    await until(lambda: _has_position(world), WAIT_S, "the first position at a manager")
    return datetime.now(UTC).timestamp() - epoch_s


def _has_position(world: SmallWorld) -> bool:
    found = world.desk.picture.units.get(world.members[0].unit)
    return found is not None and found.geometry is not None and found.properties.fix != "none"


def _gpsd(world: SmallWorld) -> str:
    """gpsd on the same receiver's port, where it is installed."""
    program = shutil.which("gpsd", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        return "gpsd: not on the PATH; bench gnss prints its share at 10 Hz"
    port = str(world.layout.gnss_port(world.members[0]))
    process = subprocess.Popen([program, "-N", "-n", "-S", "0", port], stderr=subprocess.DEVNULL)
    try:
        time.sleep(GPSD_S)
        usage = Usage.of(process.pid)
    except OSError as fault:
        return f"gpsd: could not be measured: {fault}"
    finally:
        process.kill()
        process.wait()
    version = subprocess.run([program, "-V"], capture_output=True, text=True, check=False).stdout
    name = re.search(r"gpsd:? *\S* *(?:revision *)?([\d.]+)", version)
    return (
        f"gpsd {name.group(1) if name else ''}: {number(usage.private_bytes / MIB)} MiB private, "
        f"{number(usage.cpu_s / GPSD_S * 100)} % over {GPSD_S:.0f} s (decodes only)"
    )
