"""The whole system, its parts killed (SIGKILL) at seeded moments, and what must hold after them.

Used by the bench (bench/kills.py), which prints it, and by the chaos test, which asserts it.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import invariants
from bench.checker import Evidence, find_faults
from bench.invariants import Journal
from bench.options import Options
from bench.strikes import KINDS, Strikes
from bench.watched_world import WatchedWorld
from demo.processes import outrider
from runtime.clock import SystemClock

CALL_EVERY_S: Final = (2.0, 6.0)
DRAIN_S: Final = 150.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How many terminals, how many strikes in how long at least, drawn from which seed."""

    terminals: int
    strikes: int
    seconds: float
    seed: int


@dataclass(slots=True)
class Outcome:
    """What happened, and every fault that was found."""

    orders: Counter[str] = field(default_factory=Counter)
    drained_s: float = 0.0
    terms: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    stale_at_desk: list[str] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)


class Chaos:
    """One run of a plan in a folder."""

    def __init__(self, plan: Plan, folder: Path, options: Options) -> None:
        self.plan, self.folder = plan, folder
        self.world = WatchedWorld(folder, plan.seed, SystemClock(), options.say)
        self.world.members = self.world.members[: plan.terminals]
        self.outcome = Outcome()
        self._rng = random.Random(plan.seed)
        self.strikes = Strikes(self.world, self._rng, options.say)

    async def run(self) -> Outcome:
        """Start, call, kill, let it settle, stop, check."""
        world, outcome = self.world, self.outcome
        try:
            await world.start()
            await world.ready()
            calls = asyncio.create_task(self._call())
            await self._strike()
            calls.cancel()
            await asyncio.gather(calls, return_exceptions=True)
            for crew in world.crews.values():
                crew.whims = 0.0
            journal = await self._drain()
            outcome.refused = world.refused()
            shown = world.desk.picture.open_incidents()
            outcome.stale_at_desk = [i.id for i in shown if i.id not in journal.open_incidents]
        finally:
            await world.stop()
        await self._check(journal)
        return outcome

    # --- calls and kills -------------------------------------------------------------------------

    async def _call(self) -> None:
        """Ordinary calls beside those of the strikes."""
        while True:
            await asyncio.sleep(self._rng.uniform(*CALL_EVERY_S))
            crew = await self.world.free_crew(self._rng)
            if crew is not None:
                self.world.call(self._rng, crew)

    async def _strike(self) -> None:
        """As many of each kind, in drawn order, at drawn moments."""
        kinds = [KINDS[n % len(KINDS)] for n in range(self.plan.strikes)]
        self._rng.shuffle(kinds)
        started_s = time.monotonic()
        moments_s = sorted(self._rng.uniform(0, self.plan.seconds) for _ in kinds)
        for kind, moment_s in zip(kinds, moments_s, strict=True):
            await asyncio.sleep(max(0.0, started_s + moment_s - time.monotonic()))
            await self.strikes.strike(kind)
            self.world.check()
        await self.strikes.settle()

    # --- afterwards ------------------------------------------------------------------------------

    async def _drain(self) -> Journal:
        """Until no incident is open and every call is answered, by the journal's word."""
        journal, started_s = Journal(self.world.layout.journal), time.monotonic()
        while True:
            await asyncio.sleep(0.5)
            self.world.check()
            journal.follow()
            waiting = [key for key, incident in self.world.asked.items() if incident is None]
            self.outcome.drained_s = time.monotonic() - started_s
            if not journal.open_incidents and not waiting:
                break
            if self.outcome.drained_s > DRAIN_S:
                break
        return journal

    async def _check(self, journal: Journal) -> None:
        outcome, layout = self.outcome, self.world.layout
        journal.follow()
        outcome.orders, outcome.terms = journal.states(), journal.terms
        evidence = Evidence(
            journal=layout.journal,
            stores={
                m.device: self.folder / "stores" / f"{m.device}.db" for m in self.world.members
            },
            screens={crew.member.unit: crew.screen for crew in self.world.watched},
            asked=self.world.asked,
        )
        outcome.faults = find_faults(evidence)
        for what, faults in (
            ("never shown", self._never_shown()),
            ("crashes", self._crashes()),
            ("verify", await self._verify()),
        ):
            if faults:
                outcome.faults[what] = faults

    def _never_shown(self) -> list[str]:
        """Orders that a terminal journaled as shown, and no officer saw."""
        seen = {key for crew in self.world.watched for key in crew.screen.showings}
        claimed = {
            (body.order, body.revision)
            for _, body in invariants.delivered_entries(self.world.layout.journal)
            if body.outcome == "shown" and body.order is not None and body.revision is not None
        }
        return [f"order {o} revision {r}" for o, r in sorted(claimed - seen)]

    def _crashes(self) -> list[str]:
        """A daemon that ended by itself, or said why it could not go on."""
        faults = []
        for name, running in self.world.processes.all.items():
            if running.restarts > self.strikes.killed[name]:
                faults.append(
                    f"{name}: started again {running.restarts} times, killed "
                    f"{self.strikes.killed[name]} times; see {running.log}"
                )
            if "Traceback" in running.log.read_text(errors="replace"):
                faults.append(f"{name}: a traceback in {running.log}")
        return faults

    async def _verify(self) -> list[str]:
        command = [*outrider("matcher", "verify", "--json"), "--config",
                   str(self.world.layout.matcher_config)]  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            *command, cwd=Path(__file__).resolve().parents[1],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        if not out:
            return [f"no verdict: {err.decode(errors='replace')[-300:]}"]
        return list(json.loads(out)["faults"])
