"""Act five: the broker dies mid-order, its administrator forges, a disk is full, a crew has only
the radio; then all are back, and nothing was lost or done twice.

Played by demo/story.py. The kill is SIGKILL, the disk is really full.
"""

from __future__ import annotations

import asyncio
from typing import Final

from demo.acts_books import doubled, lost
from demo.forger import forge_cancel
from demo.layout import FLEET
from demo.stage import Stage, reported
from demo.story_crew import Script
from demo.story_world import SMALL_DISK_UNIT
from protocol import device
from protocol.refusal import Refused
from protocol.words import Freshness
from runtime.faults import LinkLost
from runtime.local_client import request

SCENE_M: Final = (60.0, 0.0)
TOUCHES_MAX: Final = 400
TOUCH_S: Final = 10.0
BACK_S: Final = 75.0
RADIO_WORDS: Final = ("accept", "en-route", "on-scene", "clear")


async def broken(stage: Stage) -> None:
    """All of it in one act."""
    order, unit = await _broker_killed(stage)
    await _cancel_forged(stage, order, unit)
    full = await _disk_filled(stage)
    await _by_radio(stage)
    if full:
        await _disk_freed(stage)
    await _all_back(stage)


async def _broker_killed(stage: Stage) -> tuple[str, str]:
    """SIGKILL between the order on the screen and the crew's answer; (order, unit)."""
    world = stage.world
    stage.say(
        "The broker is killed (SIGKILL) while an order is on a screen and not yet answered.",
        "指令已上屏、民警尚未应答时,消息服务器被强制杀死(SIGKILL)。",
    )
    for crew in world.cast.values():
        crew.script = Script(answers_s=1.0)
    answer = await stage.desk.report("robbery", 1, world.street.at(*SCENE_M), 1, 1)
    incident = await reported(answer)

    def shown() -> list[tuple[str, str]]:
        found = ((c.orders_of(incident), u) for u, c in world.cast.items())
        return [(o["order"], u) for orders, u in found for o in orders if o["state"] == "delivered"]

    await stage.needs(lambda: bool(shown()), 10, "an order on a screen")
    order, unit = shown()[0]
    killed = world.process("broker").kill()
    stage.check("the broker is dead", "消息服务器已死", ok=killed)
    await stage.proves(
        lambda: _state(stage, unit, order) in ("confirmed", "en_route", "on_scene"), BACK_S,
        f"{unit}'s answer came through, the centre confirmed", f"{unit} 的应答已到中心并获确认",
        "{s} after the kill",
    )  # fmt: skip
    return order, unit


def _state(stage: Stage, unit: str, order: str) -> str:
    found = stage.crew(unit).order(order)
    return "" if found is None else str(found["state"])


async def _cancel_forged(stage: Stage, order: str, unit: str) -> None:
    world = stage.world
    stage.say(
        "The broker's own administrator sends that crew a cancel, through a door that only they"
        " have. It is sealed with a key that the centre never had.",
        "消息服务器管理员经自己的后门伪造撤销指令,但封签密钥并非中心所有。",
    )
    crew, member = stage.crew(unit), world.member(unit)
    found = crew.order(order)
    if found is None:
        stage.check("an order to forge a cancel for", "没有可伪造的指令", ok=False)
        return
    before = sum(crew.refused.values())
    certificate = world.layout.folder / "keys" / member.device / "tls.pem"
    await forge_cancel(
        found, FLEET, member.device, certificate, world.admin_port, world.clock.utc_ms()
    )
    await stage.needs(lambda: sum(crew.refused.values()) > before, 15, "the refusal is counted")
    state = _state(stage, unit, order)
    stage.check(
        "the forged cancel is refused and counted; the order goes on",
        "伪造撤销被拒并计数,指令照常",
        ok=crew.refused == {"unknown_key": 1} and state not in ("cancelled", "superseded"),
        figure=f"refused {crew.refused}, order {state}",
    )  # fmt: skip


async def _disk_filled(stage: Stage) -> bool:
    """One terminal's disk, to the last byte; whether it could be done here."""
    world = stage.world
    if world.disk is None:
        stage.say(
            "A full disk: skipped, a small disk needs root and the right to mount one.",
            "磁盘写满:本机无权挂载小磁盘,跳过。",
        )
        return False
    stage.say(
        f"{SMALL_DISK_UNIT}'s disk is full: what it cannot keep it does not promise.",
        f"{SMALL_DISK_UNIT} 终端磁盘写满:存不下的,绝不谎称已存。",
    )
    world.disk.fill()
    kept, said = await asyncio.to_thread(_touched, stage)
    stage.check(
        "it says so to its crew, and to use the radio", "终端明确告知民警:磁盘已满,改用电台",
        ok="disk is full" in said and "radio" in said, figure=f"after {kept} touches: {said}",
    )  # fmt: skip
    unit = stage.desk.picture.units.get(SMALL_DISK_UNIT)
    stage.check(
        "its position goes on", "定位照常上报",
        ok=unit is not None and unit.properties.freshness is Freshness.LIVE,
    )  # fmt: skip
    return True


async def _disk_freed(stage: Stage) -> None:
    """The same touch is kept as soon as there is room, without a restart."""
    assert stage.world.disk is not None
    stage.world.disk.free()
    kept, said = await asyncio.to_thread(_touched, stage, 1)
    stage.check("with room again the same touch is kept", "腾出空间后,同一操作即被保存",
                ok=kept == 1, figure=said)  # fmt: skip


def _touched(stage: Stage, touches_max: int = TOUCHES_MAX) -> tuple[int, str]:
    """A crew touches until the terminal cannot keep it: how many were kept, and what it says then.

    Room that the terminal makes by itself takes some of them.
    """
    path = stage.world.layout.socket(stage.world.member(SMALL_DISK_UNIT))
    line = device.encode(device.SetStatus(status="available")).rstrip(b"\n")
    for kept in range(touches_max):
        try:
            said = device.decode(request(path, line, TOUCH_S), device.TO_CLIENT)
        except (LinkLost, Refused) as fault:
            return kept, str(fault)
        if isinstance(said, device.Refusal):
            return kept, f"{said.reason}; {said.remedy}"
    return touches_max, "kept"


async def _by_radio(stage: Stage) -> None:
    """One incident that no terminal ever shows: the desk enters what is said by voice."""
    desk, unit = stage.desk, SMALL_DISK_UNIT
    stage.say(
        f"So {unit} works by radio; the desk enters every word it says.",
        f"{unit} 改用电台,指挥台逐项代录。",
    )
    place = stage.crew(unit).post
    incident = await reported(
        await desk.report("lost_child", 2, place, 1, 1, by_radio=True, channel="desk")
    )
    reply = await desk.request("assign", incident=incident, unit=unit, by_radio=True)
    order = reply.order if reply is not None else None
    for word in RADIO_WORDS if order is not None else ():
        more = {"disposition": "person_found"} if word == "clear" else {}
        await desk.request("answer", order=order, answer=word, **more)

    def is_cleared() -> bool:
        found = stage.incident(incident)
        return found is not None and found.state == "cleared"

    await stage.proves(
        is_cleared, 10, f"{unit}'s incident is run and cleared by voice", f"{unit} 警情全程语音办结"
    )
    heard = stage.crew(unit).orders_of(incident)
    stage.check("no terminal showed it", "没有终端显示该指令", ok=not heard)


async def _all_back(stage: Stage) -> None:
    """Every terminal live and empty-handed towards the centre; the books agree."""
    world, desk = stage.world, stage.desk
    stage.say("Then everything mends by itself.", "随后一切自行恢复。")

    def back() -> int:
        units = (u.properties for u in desk.picture.units.values())
        live = {u.unit for u in units if u.freshness is Freshness.LIVE}
        states = ((u, c.state) for u, c in world.cast.items())
        empty = {u for u, s in states if s.get("link") == "up" and s.get("waiting_entries") == 0}
        return len(live & empty)

    await stage.proves(
        lambda: back() == len(world.members) and not desk.picture.open_incidents(), BACK_S,
        f"all {len(world.members)} are live, nothing waits, no incident is open",
        f"{len(world.members)} 台终端全部在线,无积压,无未结警情",
    )  # fmt: skip
    missing, twice = lost(world), doubled(world)
    stage.check(f"{len(missing)} lost", f"丢失 {len(missing)}", ok=not missing,
                figure="; ".join(missing[:3]))  # fmt: skip
    stage.check(f"{len(twice)} doubled", f"重复 {len(twice)}", ok=not twice,
                figure="; ".join(twice[:3]))  # fmt: skip
    config = str(world.layout.matcher_config)
    found = await stage.verdict("matcher", "verify", "--config", config)
    stage.check("matcher verify: the journal is whole", "日志核验完整", ok=found["whole"],
                figure="; ".join(found["faults"][:3]))  # fmt: skip
