"""Act six: a button pressed by mistake, then one in earnest. Only the desk ends an SOS.

Played by demo/story.py. The press is `outrider device send sos` on the terminal's device socket.
"""

from __future__ import annotations

from typing import Final

from demo.processes import outrider, run
from demo.stage import Stage
from demo.story_crew import Script
from protocol.managers import IncidentState

BY_MISTAKE: Final = "621"
IN_EARNEST: Final = "619"
HELPERS: Final = 2
FREE_S: Final = 40.0
HELP_S: Final = 75.0


async def sos(stage: Stage) -> None:
    for crew in stage.world.cast.values():
        crew.script = Script(answers_s=0.5)
    await _false_one(stage)
    await _real_one(stage)


async def _false_one(stage: Stage) -> None:
    stage.say(
        f"{BY_MISTAKE}'s recorder button is pressed by mistake. Two units go at once; the crew says"
        " false alarm, and still only the desk may end it.",
        f"{BY_MISTAKE} 误触执法记录仪求助键。两组立即出动;民警报误触,仍须由指挥台解除。",
    )
    incident = await _pressed(stage, BY_MISTAKE, 1)
    words = ("set", "available", "--reason", "false_alarm")
    config = stage.world.layout.terminal_config(stage.world.member(BY_MISTAKE))
    await run(outrider("agent", *words, "--config", str(config)), stage.world.layout.folder)
    await stage.proves(
        lambda: _own(stage, incident).false_alarm, 10,
        "the crew's word is told to desk and helpers; it stays open", "误触说明已告知,警情仍未解除",
    )  # fmt: skip
    reply = await stage.desk.request("cancel", incident=incident)
    stage.check(
        "it cannot be cancelled as a mistake", "不能当作误操作直接撤销",
        ok=reply is not None and reply.outcome == "refused",
        figure=(reply.reason or "") if reply is not None else "",
    )  # fmt: skip
    await stage.desk.request("close", incident=incident, disposition="false_alarm")
    await stage.proves(
        lambda: _closed_as(stage, incident, "false_alarm"), 10,
        "the desk closes it: false alarm", "指挥台解除:误报",
    )  # fmt: skip


async def _real_one(stage: Stage) -> None:
    stage.say(f"{IN_EARNEST} is attacked.", f"{IN_EARNEST} 遇袭求助。")
    await stage.needs(lambda: _free(stage) >= HELPERS + 1, FREE_S, "crews free again")
    since_s = stage.world.elapsed_s
    incident = await _pressed(stage, IN_EARNEST, 1)
    stage.world.scenes.going_on.add(incident)
    await stage.proves(
        lambda: _there(stage, incident) >= 1, HELP_S, "the first helper is there", "首组支援到场"
    )
    took_s = stage.world.elapsed_s - since_s
    stage.time("sos", "SOS to the first helper there", "求助到首组支援到场", took_s)
    await stage.proves(
        lambda: _there(stage, incident) >= HELPERS, HELP_S,
        "two units with two officers or more are there", "两组、至少两名民警到场",
    )  # fmt: skip
    await stage.desk.request("close", incident=incident, disposition="handled")
    stage.world.scenes.going_on.discard(incident)
    await stage.proves(
        lambda: _closed_as(stage, incident, "handled"), 10, "the desk closes it", "指挥台解除求助"
    )


async def _pressed(stage: Stage, unit: str, event: int) -> str:
    """The incident of a press, once two units have orders and a named person has it."""
    known = set(stage.desk.picture.incidents)
    socket = stage.world.layout.socket(stage.world.member(unit))
    words = ("sos", "--device", f"body-{unit}", "--boot", "1", "--event", str(event))
    await run(outrider("device", "send", *words, "--socket", str(socket)), socket.parent)

    def raised() -> list[IncidentState]:
        new = (i for key, i in stage.desk.picture.incidents.items() if key not in known)
        return [i for i in new if i.sos is not None and unit in i.sos.units]

    await stage.needs(lambda: bool(raised()), 10, f"the SOS of {unit} at the desk")
    incident = raised()[0].id
    await stage.proves(
        lambda: len(_helpers(stage, incident)) >= HELPERS, 10,
        "two units have orders, in every mode", "两组已收到指令(任何模式下均立即派出)",
        f"{{s}}: {', '.join(_helpers(stage, incident)) or 'nobody yet'}",
    )  # fmt: skip
    await stage.proves(
        lambda: _own(stage, incident).acknowledged, 10,
        "a named dispatcher has it", "由具名调度员接收",
    )  # fmt: skip
    return incident


class _Own:
    """An SOS's own life, as far as the act asks."""

    def __init__(self, found: IncidentState | None) -> None:
        own = found.sos if found is not None else None
        self.acknowledged = own is not None and own.acknowledged_by is not None
        self.false_alarm = own is not None and own.false_alarm_by is not None
        self.is_open = own is not None and own.state != "resolved"


def _own(stage: Stage, incident: str) -> _Own:
    return _Own(stage.incident(incident))


def _helpers(stage: Stage, incident: str) -> list[str]:
    return [u for u, one in stage.on_it(incident).items() if one.kind != "alert"]


def _there(stage: Stage, incident: str) -> int:
    return sum(stage.is_on_scene(incident, unit) for unit in _helpers(stage, incident))


def _closed_as(stage: Stage, incident: str, disposition: str) -> bool:
    found = stage.incident(incident)
    return found is not None and found.state == "cleared" and found.disposition == disposition


def _free(stage: Stage) -> int:
    units = (u.properties for u in stage.desk.picture.units.values())
    return sum(p.status == "available" and p.order is None for p in units)
