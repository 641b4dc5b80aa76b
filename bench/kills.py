"""`kills`: random kills in a world of 16 terminals: what broke, how long it took to settle."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from bench.chaos import Chaos, Plan
from bench.figure import Figure, Spread
from bench.options import Options


async def run(options: Options) -> list[Figure]:
    """A world of 16 terminals and 20 kills; the folder stays where something did not hold."""
    plan = Plan(
        terminals=options.count(16, 6), strikes=options.count(20, 10),
        seconds=options.count(60, 20), seed=options.seed,
    )  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="outrider-kills-"))
    chaos = Chaos(plan, folder, options)
    outcome = await chaos.run()
    if outcome.faults:
        options.say(f"journal, stores and logs stay in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return _figures(chaos)


def _figures(chaos: Chaos) -> list[Figure]:
    plan, outcome, strikes = chaos.plan, chaos.outcome, chaos.strikes
    faults = [f"{what}: {text}" for what, texts in outcome.faults.items() for text in texts]
    kinds = Counter(name.partition("-")[0] for name in strikes.killed.elements())
    beside = [
        f"{plan.terminals} terminals, {sum(kinds.values())} kills "
        f"(seed {plan.seed}): {', '.join(f'{kind} {n}' for kind, n in sorted(kinds.items()))}",
        f"strikes: {', '.join(f'{kind} {n}' for kind, n in sorted(strikes.struck.items()))}",
        f"{len(chaos.world.asked)} calls, orders: "
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
    if strikes.welcomed_s:
        times = Spread.of(strikes.welcomed_s)
        figures.append(
            Figure("kills", "agent killed → welcomed again, among other kills, p50", times.p50,
                   "s", beside=(times.words("s"),))
        )  # fmt: skip
    return figures
