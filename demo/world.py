"""The whole system as processes: authority, broker, matcher, terminals with their receivers, crews.

Used by `outrider demo`, by the chaos tests and by the bench: all start the same world.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from demo import city
from demo.crew import Crew
from demo.desk import Desk
from demo.layout import CALLER, DESK, FLEET, Layout, Member, fleet
from demo.processes import Gone, Processes, Running, outrider, run, until
from protocol.words import Freshness
from runtime.clock import Clock

READY_S = 30.0
RELOAD_LOOK_S = 0.2
STARTS_AT_ONCE = 3  # the first terminal reports while the others still start


class World:
    """`start` brings everything up; `stop` ends it in order and keeps the files."""

    def __init__(self, folder: Path, seed: int, clock: Clock, say: Callable[[str], None]) -> None:
        self.layout = Layout.make(folder)
        self.rng = random.Random(seed)
        self.clock, self._say = clock, say
        root = Path(__file__).resolve().parents[1]
        self.processes = Processes(folder, {"PYTHONPATH": str(root)})
        self.members = fleet()
        self.crews: dict[str, Crew] = {}
        self.started_s = clock.monotonic_ms() / 1000
        self._tasks: list[asyncio.Task[None]] = []
        self._stamps: list[int] = []  # of the broker's lists

    @property
    def elapsed_s(self) -> float:
        return self.clock.monotonic_ms() / 1000 - self.started_s

    async def start(self) -> None:
        """Everything up and the first crews logged on."""
        folder = self.layout.folder
        self._say("authority, keys and certificates (throw-away)")
        members = self.layout.write_members()
        self.layout.write_settings()
        await run(
            outrider("authority", "provision", str(members), "--fleet", FLEET,
                     "--out", str(folder / "authority")),
            folder,
        )  # fmt: skip
        await self._start_centre()
        self._say(f"{len(self.members)} terminals with their receivers")
        self._post_crews()
        at_once = asyncio.Semaphore(STARTS_AT_ONCE)

        async def start(member: Member) -> None:
            async with at_once:
                await self._start_terminal(member)
                await until(self.layout.socket(member).exists, READY_S, f"agent {member.unit}")

        await asyncio.gather(*(start(member) for member in self.members))

    async def _start_centre(self) -> None:
        self._say("matcher, mosquitto with mutual TLS and the generated access list")
        lists = self.layout.folder / "broker"
        config = self.layout.write_broker()
        await self.processes.start(
            "matcher", outrider("matcher", "run", "--config", str(self.layout.matcher_config))
        )
        await until((lists / "acl").exists, READY_S, "access list from the matcher")
        await self.processes.start("broker", [find_mosquitto(), "-c", str(config)])
        self.desk = Desk(
            self.layout.manager_config(DESK), self.layout.manager_config(CALLER), self.clock,
            random.Random(self.rng.random()),
        )  # fmt: skip
        self._tasks.append(asyncio.create_task(self.desk.run(), name="desk"))
        self._tasks.append(asyncio.create_task(self._reload_broker(), name="reload"))

    def _post_crews(self) -> None:
        posts = city.posts(len(self.members), self.rng)
        for member, post in zip(self.members, posts, strict=True):
            rng = random.Random(self.rng.random())
            self.crews[member.unit] = Crew(member, self.layout, post.place, rng)

    async def _start_terminal(self, member: Member) -> None:
        crew = self.crews[member.unit]
        lat, lon = crew.post
        emulator = await self.processes.start(
            f"gnss-{member.unit}",
            [sys.executable, "-m", "hil", "gnss", "--link", str(self.layout.gnss_port(member)),
             "--at", f"{lat},{lon}", "--verbose"],
            crew.on_vehicle,
        )  # fmt: skip
        crew.take_wheel(emulator)
        await self.processes.start(
            f"agent-{member.unit}",
            outrider("agent", "run", "--config", str(self.layout.terminal_config(member))),
        )
        self._tasks.append(asyncio.create_task(crew.run(), name=f"crew-{member.unit}"))

    async def _reload_broker(self) -> None:
        """As the systemd path unit does: lists that changed are checked, then SIGHUP."""
        folder = self.layout.folder
        lists = [folder / "broker" / name for name in ("acl", "crl.pem")]
        root = folder / "authority" / "centre" / "root.pem"
        check = outrider("matcher", "lists", "--folder", str(lists[0].parent), "--root", str(root))
        while True:
            await asyncio.sleep(RELOAD_LOOK_S)
            stamps = [path.stat().st_mtime_ns for path in lists if path.exists()]
            if stamps == self._stamps:
                continue
            is_first, self._stamps = not self._stamps, stamps
            if is_first:
                continue  # the broker read them when it started
            try:
                await run(check, folder)
            except Gone as refusal:
                self._say(f"lists not for the broker: {refusal}")
            else:
                self.processes.all["broker"].signal(signal.SIGHUP)

    async def ready(self, share: float = 1.0) -> None:
        """Until that share of the units shows live positions."""
        picture = self.desk.picture

        def live() -> int:
            found = (u.properties for u in picture.units.values())
            return sum(1 for p in found if p.freshness is Freshness.LIVE and p.logon is not None)

        await until(lambda: live() >= share * len(self.members), READY_S, "live positions")

    async def first_position(self) -> float:
        """Seconds from the start until the first verified position showed."""
        picture = self.desk.picture
        await until(lambda: picture.first_position_ms is not None, READY_S, "first position")
        return (picture.first_position_ms or 0) / 1000 - self.started_s

    def check(self) -> None:
        """Raises Gone when a part is gone for good."""
        failed = self.processes.failed()
        if failed:
            raise Gone(failed)
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                raise Gone(f"{task.get_name()}: {task.exception()!r}")

    def refused(self) -> dict[str, int]:
        """Refused messages by reason, at the centre and at the terminals."""
        counts: Counter[str] = Counter()
        if self.desk.picture.statistics is not None:
            for reason, count in self.desk.picture.statistics.refused.items():
                counts[reason.value] += count
        for crew in self.crews.values():
            counts.update(crew.refused)
        return dict(counts)

    def process(self, name: str) -> Running:
        return self.processes.all[name]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.processes.stop()

    def keep(self, target: Path) -> None:
        """Journal, logbooks, public documents and logs; no private key leaves the folder."""
        folder = self.layout.folder
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.layout.journal, target / "journal.db")
        shutil.copy(folder / "authority" / "root.pem", target / "root.pem")
        for name in ("trust.cbor", "identities.cbor"):
            shutil.copy(folder / "authority" / "centre" / name, target / name)
        for name in ("logs", "stores", "config"):
            shutil.copytree(folder / name, target / name, dirs_exist_ok=True)
        order = self.desk.picture.whole_order() if hasattr(self, "desk") else None
        if order is not None:
            self._export_evidence(order, target / "evidence.cbor")

    def _export_evidence(self, order: str, out: Path) -> None:
        """One whole order as a court would get it: `outrider evidence verify --trust root.pem`."""
        argv = outrider(
            "evidence", "export", "--order", order, "--out", str(out), "--reason", "demo",
            "--config", str(self.layout.matcher_config),
        )  # fmt: skip
        done = subprocess.run(
            argv, env=self.processes.environment, capture_output=True, text=True, check=False
        )
        self._say(done.stderr.strip().splitlines()[-1] if done.stderr else "no evidence")


def find_mosquitto() -> str:
    """The unpacked broker of `./run setup`, or one on the PATH. Raises Gone."""
    cache = os.environ.get("OUTRIDER_CACHE") or str(
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "outrider"
    )
    for found in (os.environ.get("OUTRIDER_MOSQUITTO"), f"{cache}/bin/mosquitto"):
        if found and os.access(found, os.X_OK):
            return found
    on_path = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if on_path is None:
        raise Gone("mosquitto: not found; run ./run setup")
    return on_path
