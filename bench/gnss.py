"""`gnss`: a receiver at 10 Hz that fills 115,200 baud: what it costs the agent, beside gpsd.

Five constellations, eight kinds of sentences, 17 sentences an epoch. The agent's share is that of
the whole process: framing, gate, epochs, judging, track, sealing and sending. gpsd decodes only.
Sentences a second: the same captured bytes through our decoder and through others' parsers, each
alone on a core; theirs give no fixes. pynmeagps is measured where `pip install pynmeagps` was run.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final

import pynmea2

from agent.gnss_decode import Decoder
from bench.figure import Figure, number
from bench.machine import Usage
from bench.options import Options
from bench.small_world import SmallWorld, small_world
from demo.processes import until

CPU_PERCENT_MAX: Final = 8.0
LATE_MS_MAX: Final = 1000.0
WAIT_S: Final = 30.0
SETTLE_S: Final = 2.0
SENTENCES: Final = "RMC,GGA,GNS,VTG,GLL,ZDA,GSA,GSV"
FLOOD: Final = ("--hz", "10", "--baud", "115200", "--sentences", SENTENCES,
                "--constellations", "GP,GL,GA,GB,GQ")  # fmt: skip
_MEASURE_S: Final = 3.0


async def run(options: Options) -> list[Figure]:
    """Share of a core, lateness, sentences a second."""
    seconds = options.count(30, 8)
    async with small_world(options, 1) as world:
        figures = await _agent(world, options, seconds)
    captured = await asyncio.to_thread(_capture, options.count(5, 2))
    options.say("sentences a second")
    return [*figures, _rates(captured)]


async def _agent(world: SmallWorld, options: Options, seconds: int) -> list[Figure]:
    member = world.members[0]
    place = ",".join(map(str, world.quiet[member.unit].post))
    link = world.layout.gnss_port(member)
    await world.halt(f"gnss-{member.unit}")
    with _Emulator(link, place):
        await until(lambda: _age_ms(world) < LATE_MS_MAX, WAIT_S, "fixes at 10 Hz")
        await asyncio.sleep(SETTLE_S)
        running = world.process(f"agent-{member.unit}")
        assert running.pid is not None
        options.say(f"{seconds} s at 10 Hz")
        before, started_s = Usage.of(running.pid), time.monotonic()
        late_ms: list[float] = []
        while time.monotonic() - started_s < seconds:
            await asyncio.sleep(0.5)
            late_ms.append(_age_ms(world))
        percent = (
            (Usage.of(running.pid).cpu_s - before.cpu_s) / (time.monotonic() - started_s) * 100
        )
    beside = await asyncio.to_thread(_gpsd, seconds)
    return [
        Figure("gnss", "agent at 10 Hz, all talkers, 115,200 baud: share of a core", percent, "%",
               CPU_PERCENT_MAX, beside=(beside, "170 sentences a second")),
        Figure("gnss", "age of the newest fix on the crew's screen, worst (shown once a second)",
               max(late_ms), "ms", LATE_MS_MAX + 1000, beside=("a backlog would let it grow",)),
    ]  # fmt: skip


def _age_ms(world: SmallWorld) -> float:
    """By the receiver's own time in what the crew is shown, against ours."""
    fix = world.quiet[world.members[0].unit].state.get("fix") or {}
    shown_ms = fix.get("time_ms")
    return float("inf") if shown_ms is None else world.clock.utc_ms() - shown_ms


class _Emulator:
    """`hil gnss` on a pseudo-terminal behind `link`, until the block ends."""

    def __init__(self, link: Path, place: str) -> None:
        self._command = [sys.executable, "-m", "hil", "gnss", "--link", str(link), "--at", place,
                         *FLOOD]  # fmt: skip

    def __enter__(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()  # ready

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate()


def _capture(seconds: float) -> bytes:
    """What such a receiver sends in that time."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _Emulator(link := Path(folder) / "gnss", "24.5,117.6"),
    ):
        port = os.open(link, os.O_RDONLY | os.O_NOCTTY)
        try:
            captured, end_s = b"", time.monotonic() + seconds
            while time.monotonic() < end_s:
                captured += os.read(port, 4096)
        finally:
            os.close(port)
    return captured[captured.find(b"$") : captured.rfind(b"\n") + 1]


def _rates(captured: bytes) -> Figure:
    lines = captured.split(b"\r\n")[:-1]
    texts = [line.decode("ascii") for line in lines]
    epochs = captured.count(b"RMC")

    def ours() -> None:
        decoder = Decoder()
        found = len(decoder.feed(captured) + decoder.flush())
        if abs(found - epochs) > 1:
            raise ValueError(f"{found} fixes of {epochs} epochs")

    rate = _rate(ours, len(lines))
    beside = [f"pynmea2, sentences only: {number(_rate(lambda: _pynmea2(texts), len(lines)))} /s"]
    beside.append(_pynmeagps(lines))
    beside.append("gpsd: no such figure, it follows the port; its share of a core is above")
    return Figure(
        "gnss", "bytes → judged fixes, one core", rate, "sentences/s", beside=tuple(beside)
    )


def _rate(work: Callable[[], None], count: int) -> float:
    """Sentences a second of processor time."""
    rounds, begin_s = 0, time.process_time()
    while time.process_time() - begin_s < _MEASURE_S:
        work()
        rounds += 1
    return rounds * count / (time.process_time() - begin_s)


def _pynmea2(texts: list[str]) -> None:
    for text in texts:
        pynmea2.parse(text, check=True)


def _pynmeagps(lines: list[bytes]) -> str:
    try:
        parse = import_module("pynmeagps").NMEAReader.parse
    except ImportError:
        return "pynmeagps: not installed (pip install pynmeagps); its figure is not printed"

    def work() -> None:
        for line in lines:
            parse(line + b"\r\n")

    return f"pynmeagps, sentences only: {number(_rate(work, len(lines)))} /s"


def _gpsd(seconds: float) -> str:
    """gpsd on a port of its own with the same flood."""
    program = shutil.which("gpsd", path=f"{os.defpath}:/usr/sbin:/usr/local/sbin")
    program = program or _unpacked()
    if program is None:
        return "gpsd: not here (./run unpack gpsd gpsd); its figure is not printed"
    with (
        tempfile.TemporaryDirectory() as folder,
        _Emulator(link := Path(folder) / "gnss", "24.5,117.6"),
    ):
        process = subprocess.Popen(
            [program, "-N", "-n", "-b", "-S", str(_free_port()), str(link.resolve())],
            stderr=subprocess.DEVNULL,
        )
        try:
            time.sleep(SETTLE_S)
            before, begin_s = Usage.of(process.pid), time.monotonic()
            time.sleep(seconds)
            used_s, passed_s = (
                Usage.of(process.pid).cpu_s - before.cpu_s,
                time.monotonic() - begin_s,
            )
        except OSError as fault:
            return f"gpsd: could not be measured: {fault}"
        finally:
            process.kill()
            process.wait()
    said = subprocess.run([program, "-V"], capture_output=True, text=True, check=False).stdout
    name = re.search(r"([\d.]+) \(revision", said)
    version = name.group(1) if name else ""
    return (
        f"gpsd {version}: {number(used_s / passed_s * 100)} % over {passed_s:.0f} s (decodes only)"
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def _unpacked() -> str | None:
    """Debian's gpsd in the cache, where `./run unpack` has put it."""
    run = Path(__file__).resolve().parents[1] / "run"
    done = subprocess.run(
        [str(run), "unpack", "gpsd", "gpsd"], capture_output=True, text=True, check=False
    )
    return None if done.returncode else done.stdout.strip()
