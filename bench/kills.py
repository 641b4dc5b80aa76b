"""`kills`: the whole system, parts killed (SIGKILL) at seeded moments, what holds after.

Used by the bench, which prints it, and by the chaos test, which asserts it.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import invariants
from bench.figure import Figure, Spread
from bench.invariants import Journal
from bench.options import Options
from bench.watched_crew import WatchedCrew
from demo import city
from demo.crew import Crew
from demo.processes import outrider, until
from demo.world import World
from runtime.clock import SystemClock

TARGETS: Final = {"matcher": 6, "broker": 4, "agent": 10}  # shares of the kills
CALL_EVERY_S: Final = (0.6, 2.0)
NEAR_M: Final = (40.0, 160.0)
DRAIN_S: Final = 90.0
UP_AGAIN_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How many terminals, how many kills in how long, drawn from which seed."""

    terminals: int
    kills: int
    seconds: float
    seed: int


@dataclass(slots=True)
class Outcome:
    """What happened, and every fault that was found."""

    killed: Counter[str] = field(default_factory=Counter)
    welcomed_s: list[float] = field(default_factory=list)  # kill of an agent → welcomed again
    asked: dict[str, str | None] = field(default_factory=dict)
    orders: Counter[str] = field(default_factory=Counter)
    drained_s: float = 0.0
    terms: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    stale_at_desk: list[str] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)


class WatchedWorld(World):
    """The demo's world with watched crews."""

    def _post_crews(self) -> None:
        """Neighbouring crossings in the middle: no drive is long, even to another's beat."""
        for n, member in enumerate(self.members):
            rng, post = random.Random(self.rng.random()), city.Node(4 + n % 4, 4 + n // 4)
            self.crews[member.unit] = WatchedCrew(member, self.layout, post.place, rng)

    @property
    def watched(self) -> list[WatchedCrew]:
        return [crew for crew in self.crews.values() if isinstance(crew, WatchedCrew)]


class Chaos:
    """One run of a plan in a folder."""

    def __init__(self, plan: Plan, folder: Path, options: Options) -> None:
        self.plan, self.folder, self._options = plan, folder, options
        self.world = WatchedWorld(folder, plan.seed, SystemClock(), options.say)
        self.world.members = self.world.members[: plan.terminals]
        self.outcome = Outcome()
        self._rng = random.Random(plan.seed)
        self._waits: list[asyncio.Task[None]] = []

    async def run(self) -> Outcome:
        """Start, call, kill, let it settle, stop, check."""
        world, outcome = self.world, self.outcome
        try:
            await world.start()
            await world.ready()
            calls = asyncio.create_task(self._call())
            await self._kill_at_drawn_moments()
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
        asking: set[asyncio.Task[None]] = set()
        while True:
            asking.add(asyncio.create_task(self._one_call()))
            await asyncio.sleep(self._rng.uniform(*CALL_EVERY_S))

    async def _one_call(self) -> None:
        """A report near some crew; the reply may need many repeats. Its id is kept either way."""
        rng, desk = self._rng, self.world.desk
        units = 2 if rng.random() < 0.2 else 1
        scene = self._scene(units)
        if scene is None:
            return
        key = f"call {len(self.outcome.asked) + 1}"
        self.outcome.asked[key] = None
        incident = await desk.report(
            "theft", rng.choice((1, 1, 2, 3)), scene, units, officers=units
        )
        self.outcome.asked[key] = incident

    def _scene(self, units: int) -> city.Point | None:
        """On a street by the post of a crew that is free as far as the desk knows, if any is."""
        free = [crew for crew in self.world.crews.values() if self._is_free(crew)]
        if len(free) < units:
            return None
        east_m, north_m = city.metres(self._rng.choice(free).post)
        along_m = self._rng.choice((-1, 1)) * self._rng.uniform(*NEAR_M)
        if self._rng.random() < 0.5:
            return city.place(east_m + along_m, north_m)
        return city.place(east_m, north_m + along_m)

    def _is_free(self, crew: Crew) -> bool:
        found = self.world.desk.picture.units.get(crew.member.unit)
        return (
            crew.member.kind in ("car", "motorcycle")
            and found is not None
            and found.properties.status == "available"
            and found.properties.order is None
        )

    async def _kill_at_drawn_moments(self) -> None:
        started_s = time.monotonic()
        moments_s = sorted(self._rng.uniform(0, self.plan.seconds) for _ in range(self.plan.kills))
        for moment_s in moments_s:
            await asyncio.sleep(max(0.0, started_s + moment_s - time.monotonic()))
            await self._kill(self._draw())
            self.world.check()

    def _draw(self) -> str:
        kind = self._rng.choices(list(TARGETS), list(TARGETS.values()))[0]
        return f"agent-{self._rng.choice(self.world.members).unit}" if kind == "agent" else kind

    async def _kill(self, name: str) -> None:
        """Now, or as soon as it is up again after the last one."""
        running = self.world.process(name)
        deadline_s = time.monotonic() + UP_AGAIN_S
        while not running.kill():
            if time.monotonic() > deadline_s:
                self._fault("crashes", f"{name}: not up again {UP_AGAIN_S:.0f} s after its kill")
                return
            await asyncio.sleep(0.02)
        self._options.say(f"killed {name}")
        self.outcome.killed[name] += 1
        if name.startswith("agent-"):
            crew = self.world.crews[name.removeprefix("agent-")]
            self._waits.append(asyncio.create_task(self._time_welcome(crew)))

    async def _time_welcome(self, crew: object) -> None:
        assert isinstance(crew, WatchedCrew)
        started_s, dead = time.monotonic(), crew.state
        await until(
            lambda: crew.state is not dead and bool(crew.state.get("welcomed")), DRAIN_S, "welcome"
        )
        self.outcome.welcomed_s.append(time.monotonic() - started_s)

    def _fault(self, what: str, text: str) -> None:
        self.outcome.faults.setdefault(what, []).append(text)

    # --- afterwards ------------------------------------------------------------------------------

    async def _drain(self) -> Journal:
        """Until no incident is open and every call is answered, by the journal's word."""
        journal, started_s = Journal(self.world.layout.journal), time.monotonic()
        while True:
            await asyncio.sleep(0.5)
            self.world.check()
            journal.follow()
            waiting = [key for key, incident in self.outcome.asked.items() if incident is None]
            self.outcome.drained_s = time.monotonic() - started_s
            if not journal.open_incidents and not waiting:
                break
            if self.outcome.drained_s > DRAIN_S:
                break
        for task in self._waits:
            task.cancel()
        return journal

    async def _check(self, journal: Journal) -> None:
        outcome, layout = self.outcome, self.world.layout
        journal.follow()
        outcome.orders, outcome.terms = journal.states(), journal.terms
        stores = [self.folder / "stores" / f"{m.device}.db" for m in self.world.members]
        for what, faults in (
            ("lost orders", invariants.lost_orders(journal)),
            ("double holdings", journal.double),
            ("doubled requests", invariants.doubled_requests(journal, outcome.asked)),
            ("open incidents", [f"{i} is open" for i in journal.open_incidents]),
            ("shown twice", self._shown_twice()),
            ("never shown", self._never_shown()),
            ("numbers taken twice", invariants.delivered_twice(layout.journal)),
            ("logbooks", invariants.gaps(layout.journal, stores)),
            ("crashes", self._crashes()),
            ("verify", await self._verify()),
        ):
            for text in faults:
                self._fault(what, text)

    def _shown_twice(self) -> list[str]:
        return [
            f"{crew.member.unit}: order {order} revision {revision} came new {count} times"
            for crew in self.world.watched
            for (order, revision), count in crew.screen.showings.items()
            if count > 1
        ] + [
            f"{crew.member.unit}: {text}"
            for crew in self.world.watched
            for text in crew.screen.went_back
        ]

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
            if running.restarts > self.outcome.killed[name]:
                faults.append(
                    f"{name}: started again {running.restarts} times, killed "
                    f"{self.outcome.killed[name]} times; see {running.log}"
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


async def run(options: Options) -> list[Figure]:
    """A world of 16 terminals and 20 kills; the folder stays where something did not hold."""
    plan = Plan(
        terminals=options.count(16, 6), kills=options.count(20, 8),
        seconds=options.count(60, 20), seed=options.seed,
    )  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="outrider-kills-"))
    outcome = await Chaos(plan, folder, options).run()
    if outcome.faults:
        options.say(f"journal, stores and logs stay in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return _figures(plan, outcome)


def _figures(plan: Plan, outcome: Outcome) -> list[Figure]:
    faults = [f"{what}: {text}" for what, texts in outcome.faults.items() for text in texts]
    kinds = Counter(name.partition("-")[0] for name in outcome.killed.elements())
    beside = [
        f"{plan.terminals} terminals, {sum(kinds.values())} kills in {plan.seconds:.0f} s "
        f"(seed {plan.seed}): {', '.join(f'{kind} {n}' for kind, n in sorted(kinds.items()))}",
        f"{len(outcome.asked)} calls, orders: "
        + ", ".join(f"{state} {n}" for state, n in sorted(outcome.orders.items())),
        f"last incident closed {outcome.drained_s:.0f} s after the last kill; "
        f"term {outcome.terms}; refused messages {outcome.refused or 'none'}",
        f"closed incidents that the desk still shows open: {len(outcome.stale_at_desk)}",
        *faults[:12],
    ]
    figures = [
        Figure("kills", "invariants broken after random kills", len(faults), "", 0,
               beside=tuple(beside))
    ]  # fmt: skip
    if outcome.welcomed_s:
        times = Spread.of(outcome.welcomed_s)
        figures.append(
            Figure("kills", "agent killed → welcomed again, among other kills, p50", times.p50,
                   "s", beside=(times.words("s"),))
        )  # fmt: skip
    return figures
