"""One car for the browser: broker, fake centre, a receiver with a speed, an agent with a screen."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tests.agent.centre import Centre
from tests.agent.enrolled import Enrolment
from tests.agent.process import AgentProcess, Crew, Receiver
from tests.agent.receiver import line
from tests.broker import Broker, free_port

DEADLINE_S = 15.0
KMH_OF_KNOT = 1.852
UNIT, CREW = "621", ("4711", "4712")


class Wheels(Receiver):
    """A receiver that says how fast it goes, to the north."""

    kmh = 0.0

    def _epoch(self, at: datetime) -> bytes:
        time_text = f"{at:%H%M%S}.{at.microsecond // 10000:02d}"
        lat = f"{int(self.lat):02d}{self.lat % 1 * 60:08.5f}"
        lon = f"{int(self.lon):03d}{self.lon % 1 * 60:08.5f}"
        knots = self.kmh / KMH_OF_KNOT
        return line(f"GNRMC,{time_text},A,{lat},N,{lon},E,{knots:.1f},0.0,{at:%d%m%y},,,A") + line(
            f"GNGGA,{time_text},{lat},N,{lon},E,1,09,0.9,12.0,M,0.0,M,,"
        )


class Car:
    """`agent` with its screen at `url`; `crew` is a connection to the device socket."""

    def __init__(self, folder: Path, broker: Broker, enrolment: Enrolment) -> None:
        self.broker, self.enrolment = broker, enrolment
        self.centre = Centre(enrolment, broker.port, enrolment.client("centre"))
        self.wheels = Wheels(hz=10)
        self.agent = AgentProcess(folder, enrolment.keys, broker.port, self.wheels.path)
        self.port = free_port()
        self.spoken = folder / "spoken.txt"
        self.screen = {
            "enabled": "true", "port": str(self.port), "units": f'["{UNIT}"]',
            "officers": '["4711", "4712", "4713"]',
        }  # fmt: skip
        voice = folder / "voice"
        voice.write_text(f"#!/bin/sh\ncat >> {self.spoken}\necho >> {self.spoken}\n")
        voice.chmod(0o755)
        self.speech = f'program = "{voice}"'
        self.crew: Crew

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self, *, waits: bool = True) -> None:
        """The agent; with `waits` until its screen listens."""
        lines = "\n".join(f"{key} = {value}" for key, value in self.screen.items())
        self.agent.tables["screen"] = lines
        self.agent.tables["screen.speech"] = self.speech
        self.agent.start()
        if waits:
            self._wait_for_screen()
        self.crew = self.agent.crew()

    def _wait_for_screen(self) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except ConnectionRefusedError:
                assert time.monotonic() < deadline_s, self.agent.log.read_text()[-2000:]
                time.sleep(0.01)
            else:
                return

    def log_on(self, crew: tuple[str, ...] = CREW) -> int:
        """The log-on number, once the terminal has a place and its time is trusted."""
        watcher = self.agent.crew()
        watcher.say(type="watch")
        watcher.until(lambda s: s["type"] == "state" and s["welcomed"] and s["fix"], "welcome")
        reply = self.crew.ask(type="logon", unit=UNIT, crew=crew)
        assert reply["type"] == "done", reply
        return int(reply["entry"])

    def close(self) -> None:
        with contextlib.ExitStack() as ends:
            ends.callback(self.wheels.close)
            ends.callback(self.centre.close)
            ends.callback(self.agent.stop)


@contextlib.contextmanager
def car_in(folder: Path) -> Iterator[Car]:
    """A car, its agent not started."""
    enrolment = Enrolment(folder / "pki")
    with Broker(folder / "broker", enrolment) as broker:
        car = Car(folder, broker, enrolment)
        try:
            yield car
        finally:
            car.close()
