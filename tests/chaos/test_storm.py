"""N15: a thousand terminals lose their broker at once; all are back within a minute, not at once.

The thousand are links of the product in four processes, with the times of service; only what the
links carry is left out.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.broker import Broker
from tests.chaos.network_faults import pause
from tests.chaos.scene import FIGURES
from tests.pki import Pki
from tests.rim.daemon import Daemon

pytestmark = [pytest.mark.xdist_group("chaos-storm"), pytest.mark.timeout(300)]

LINKS, PROCESSES = 1000, 4
BACK_S = 60.0
AWAY_S = 2.0
HANDSHAKE_EVERY_S = 5.0
_LATE_S = 2.5  # between a handshake's start and the word "connected", on two busy cores


class Crowd:
    """The four processes; what they said is read from their output."""

    def __init__(self, folder: Path, port: int) -> None:
        self._daemons = []
        for at in range(PROCESSES):
            settings = folder / f"crowd{at}.json"
            links = list(range(at, LINKS, PROCESSES))
            settings.write_text(json.dumps({"folder": str(folder), "port": port, "links": links}))
            argv = [sys.executable, "-m", "tests.chaos.crowd", str(settings)]
            self._daemons.append(Daemon(f"crowd {at}", argv).start(ready=None))

    def said(self) -> list[dict[str, float | str]]:
        """Everything so far, in the order of time."""
        events = [json.loads(line) for daemon in self._daemons for line in tuple(daemon.said)]
        return sorted(events, key=lambda one: float(one["at_s"]))

    def connected(self, since_s: float) -> dict[int, float]:
        """First connection of each link after that instant."""
        first: dict[int, float] = {}
        for one in self.said():
            if one["event"] == "connected" and float(one["at_s"]) > since_s:
                first.setdefault(int(one["link"]), float(one["at_s"]))
        return first

    def all_connected(self, since_s: float, timeout_s: float) -> dict[int, float]:
        deadline_s = time.monotonic() + timeout_s
        while len(found := self.connected(since_s)) < LINKS:
            assert time.monotonic() < deadline_s, f"{len(found)} of {LINKS} after {timeout_s:g} s"
            pause(0.25)
        return found

    def stop(self) -> None:
        for daemon in self._daemons:
            daemon.kill()


@pytest.fixture
def storm(tmp_path: Path) -> Iterator[tuple[Broker, Crowd]]:
    pki = Pki(tmp_path)
    for number in range(LINKS):
        identity = pki.client(f"c{number}")
        identity.cert_file.rename(tmp_path / f"c{number}.pem")
        identity.key_file.rename(tmp_path / f"c{number}.key")
    with Broker(tmp_path / "broker", pki) as broker:
        crowd = Crowd(tmp_path, broker.port)
        yield broker, crowd
        crowd.stop()


def test_n15_a_thousand_come_back(storm: tuple[Broker, Crowd]) -> None:
    broker, crowd = storm
    crowd.all_connected(0.0, 120.0)
    broker.kill()
    killed_s = time.monotonic()
    pause(AWAY_S)
    broker.start()
    back = crowd.all_connected(killed_s, BACK_S + AWAY_S)
    waits_s = sorted(at_s - killed_s for at_s in back.values())
    told = os.environ.get(FIGURES)
    if told:
        line = {"fault": "N15", "what": f"all {LINKS} back, p50 {waits_s[LINKS // 2]:.1f} s",
                "s": round(waits_s[-1], 2), "limit_s": BACK_S}  # fmt: skip
        with Path(told).open("a") as file:
            file.write(json.dumps(line) + "\n")
    assert waits_s[-1] <= BACK_S
    seconds = Counter(int(wait_s) for wait_s in waits_s)
    assert max(seconds.values()) <= LINKS * 0.8, f"all came at once: {sorted(seconds.items())}"
    assert len(seconds) >= 3, f"no jitter: {sorted(seconds.items())}"
    _keeps_handshakes_apart(crowd)


def _keeps_handshakes_apart(crowd: Crowd) -> None:
    """No link makes more than one TLS handshake in five seconds."""
    times: dict[int, list[float]] = {}
    for one in crowd.said():
        if one["event"] == "connected":
            times.setdefault(int(one["link"]), []).append(float(one["at_s"]))
    shortest_s = min(later - sooner for of in times.values() for sooner, later in pairwise(of))
    assert shortest_s >= HANDSHAKE_EVERY_S - _LATE_S, f"{shortest_s:.1f} s apart"
