"""A terminal for the doctor: spoilt in one place, looked at by the real command."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import tty
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.agent.receiver import line
from tests.authority.fleet import FLEET
from tests.rim.daemon import outrider, run
from tests.rim.terminal import Setting, toml

LIMIT_S = 20.0
Settings = dict[str, dict[str, Setting]]


@dataclass(frozen=True)
class Report:
    """What the command said, by the name of the check, and its exit code."""

    code: int
    findings: dict[str, dict[str, str]]

    def fault(self, name: str, *words: str, level: str = "fault") -> None:
        """`name` is at `level`, says `words` in finding or remedy, and everything else is ok."""
        found = self.findings[name]
        assert found["level"] == level, self.findings
        said = f"{found['found']} -> {found['remedy']}"
        assert found["remedy"]
        for word in words:
            assert word in said, said
        assert self.others(name) == [], self.findings
        assert self.code == 1

    def others(self, *names: str) -> list[str]:
        """Which other checks are not ok."""
        return [
            name
            for name, one in self.findings.items()
            if one["level"] != "ok" and name not in names
        ]


def doctor(config: Path, *options: str) -> Report:
    """`outrider doctor --config FILE --json`."""
    done = run(outrider("doctor", "--config", config, "--json", *options), timeout_s=LIMIT_S)
    assert not done.stderr, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["well"] == (done.returncode == 0)
    return Report(done.returncode, {one["name"]: one for one in said["findings"]})


def write(path: Path, device: str, settings: Settings, **changes: Mapping[str, Setting]) -> Path:
    """The terminal's settings file with `changes` in its tables."""
    tables = {name: {**table, **changes.get(name, {})} for name, table in settings.items()}
    path.write_text(toml({"fleet": FLEET, "device": device}, tables))
    return path


def copied(keys: Path, target: Path) -> Path:
    """A key folder of its own, to be spoilt."""
    shutil.copytree(keys, target)
    return target


class Line:
    """A pseudo-terminal that says `speech` every 0.2 s; only the reader holds its far end."""

    def __init__(self) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self.master, False)
        self.path = Path(os.ttyname(slave))
        os.close(slave)

    def say(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError, OSError):  # nobody reads
            os.write(self.master, data)


@contextlib.contextmanager
def receiver(*, ahead: timedelta = timedelta(), silent: bool = False) -> Iterator[Path]:
    """A receiver whose clock is `ahead`, or one that says nothing."""
    told, over = Line(), threading.Event()

    def speak() -> None:
        while not over.wait(0.2):
            if not silent:
                told.say(_epoch(datetime.now(UTC) + ahead))

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        yield told.path
    finally:
        over.set()
        thread.join()
        os.close(told.master)


def _epoch(at: datetime) -> bytes:
    time_text = f"{at:%H%M%S}.{at.microsecond // 10000:02d}"
    place = "2430.78000,N,11738.82000,E"
    return line(f"GNRMC,{time_text},A,{place},0.0,,{at:%d%m%y},,,A") + line(
        f"GNGGA,{time_text},{place},1,09,0.9,12.0,M,0.0,M,,"
    )
