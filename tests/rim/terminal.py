"""One terminal of a world: where it stands, its files, its processes, its crew's socket."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.authority.fleet import FLEET
from tests.rim.crew import Crew
from tests.rim.daemon import Daemon, outrider

PLACE = (24.513, 117.647)
_STEP = 0.003  # degrees of latitude between the terminals' places, about 330 m

Setting = str | int | float | Path


@dataclass(slots=True)
class Terminal:
    """One terminal: its unit, where it stands, its processes and its crew's socket."""

    unit: str
    place: tuple[float, float]
    folder: Path
    agent: Daemon
    receiver: Daemon
    settings: dict[str, dict[str, Setting]]
    crews: list[Crew] = field(default_factory=list)

    @property
    def device(self) -> str:
        return f"t-{self.unit}"

    @property
    def socket(self) -> Path:
        return self.folder / f"{self.unit}.sock"

    @property
    def config(self) -> Path:
        return self.folder / f"{self.device}.toml"

    @property
    def store(self) -> Path:
        return self.folder / "stores" / f"{self.unit}.db"

    def crew(self) -> Crew:
        """A connection to the socket, closed with the world."""
        self.crews.append(Crew(self.socket))
        return self.crews[-1]

    def write_config(self) -> None:
        self.config.write_text(toml({"fleet": FLEET, "device": self.device}, self.settings))

    def start(self, ready: str | None = "event=ready") -> None:
        self.write_config()
        self.agent.start(ready)


def make_terminal(folder: Path, unit: str, at: int, broker_port: int) -> Terminal:
    """A terminal's files and processes, not started; `at`: its place in the row."""
    place = (PLACE[0] + at * _STEP, PLACE[1])
    link = folder / f"{unit}.gnss"
    config = folder / f"t-{unit}.toml"
    receiver = [sys.executable, "-m", "hil", "gnss", "--link", str(link), "--hz", "5",
                "--at", f"{place[0]},{place[1]}"]  # fmt: skip
    settings: dict[str, dict[str, Setting]] = {
        "gnss": {"port": link, "baud": 115200},
        "broker": {"host": "127.0.0.1", "port": broker_port, "keepalive_s": 2,
                   "backoff_base_s": 0.1, "backoff_cap_s": 0.5, "handshake_interval_s": 0},
        "keys": {"folder": folder / "k" / f"t-{unit}"},
        "store": {"file": folder / "stores" / f"{unit}.db"},
        "devices": {"socket": folder / f"{unit}.sock"},
        "report": {"interval_s": 1.0, "lease_s": 3},
        "track": {"entry_s": 2.0, "scratch_s": 1.0},
    }  # fmt: skip
    agent = Daemon(f"agent {unit}", outrider("agent", "run", "--config", config))
    return Terminal(unit, place, folder, agent, Daemon(f"receiver {unit}", receiver), settings)


def toml(top: Mapping[str, Setting], tables: Mapping[str, Mapping[str, Setting]]) -> str:
    """A settings file's text; folders and files as text."""

    def value(one: Setting) -> str:
        return json.dumps(str(one) if isinstance(one, Path) else one)

    text = "".join(f"{key} = {value(one)}\n" for key, one in top.items())
    for name, table in tables.items():
        text += f"[{name}]\n" + "".join(f"{key} = {value(one)}\n" for key, one in table.items())
    return text
