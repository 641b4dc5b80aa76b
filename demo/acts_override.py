"""Act four: the rule proposes, a supervisor sends another unit, and `explain` says who and why.

Played by demo/story.py.
"""

from __future__ import annotations

from typing import Final

from demo.processes import outrider, run
from demo.stage import Stage, reported

PRIORITY: Final = 2
REASON: Final = "known_case"
CHOSEN: Final = "619"
SCENE_M: Final = (-150.0, 0.0)


async def overridden(stage: Stage) -> None:
    """Priority 2 waits for a person; the person's choice is not one of the three."""
    desk, layout = stage.desk, stage.world.layout
    stage.say(
        "At priority 2 the rule now only proposes the nearest three. The supervisor sends a car"
        " instead: two officers who follow this case. No rule stops a person; why is kept.",
        "二级警情改为只推荐最近三组。值班长改派一辆警车:车上两名民警正在跟进该案。"
        "系统不阻拦,但留存原因。",
    )
    await desk.request("mode", priority=PRIORITY, mode="recommend")
    answer = await desk.report("burglary", PRIORITY, stage.world.street.at(*SCENE_M), 1, 1)
    incident = await reported(answer)

    def proposed() -> list[str]:
        found = stage.incident(incident)
        return [one.unit for one in found.recommended] if found is not None else []

    await stage.proves(
        lambda: len(proposed()) == 3, 10, "the best three are proposed, nobody is sent",
        "推荐前三名,未自动派出",
    )  # fmt: skip
    first = proposed()[0]
    reply = await desk.request("assign", incident=incident, unit=CHOSEN, reason=REASON)
    order = reply.order if reply is not None else None
    stage.check(
        f"the supervisor sends {CHOSEN}, not {first}", f"值班长派 {CHOSEN},而非 {first}",
        ok=order is not None and first != CHOSEN, figure=reply.detail or "" if reply else "",
    )  # fmt: skip
    if order is None:
        return
    said = [
        (await run(
            outrider("matcher", "explain", order, "--lang", language, "--config",
                     str(layout.matcher_config)), layout.folder,
        )).splitlines()[0]
        for language in ("zh", "en")
    ]  # fmt: skip
    for line in said:
        stage.quote(line)
    stage.check(
        "explain names the person, and the unit that was nearer", "explain 写明决定人与更近警组",
        ok=f"Sent {CHOSEN} by demo dispatcher" in said[1] and f"{first} was" in said[1],
    )  # fmt: skip
    await desk.request("mode", priority=PRIORITY, mode="auto")
