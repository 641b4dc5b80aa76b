"""The story's first three acts: ordered, overheard, taken, reached; the suspect runs; four by plan.

Played by demo/story.py. Every step is the product's: a caller's sealed report, the rule, the crews'
own answers, a dispatcher's requests. The story's times are those of the night that it tells.
"""

from __future__ import annotations

from typing import Final

from demo.stage import Stage, StepFailed, between_s, reported, seconds
from demo.story_crew import Script
from protocol.geodesy import distance_m

FIRST: Final = "624"
TAKES: Final = "621"
NEIGHBOURS: Final = ("618", "621", "625")
STORY_ARRIVAL_S: Final = 24.0
STORY_OVER_S: Final = 135.0
LATE_S: Final = 6.0  # 624's crew is at a shop's counter
TAKE_S: Final = 0.6
DRIVE_S: Final = 110.0
THERE_M: Final = 75.0
DISPOSITION: Final = "arrest"
KIND: Final = "fight"


async def ordered(stage: Stage) -> None:
    """624 is ordered, its neighbours hear it, 621 takes it and is there first."""
    world, street = stage.world, stage.world.street
    stage.say(
        "A caller: two men fight in the street. The nearest unit is ordered, whoever else is near"
        " hears it in the same moment. 624's crew answers late; 621 takes it with one touch.",
        "报警:街头两人斗殴。系统派最近警组,附近警组同时听到。624 应答稍迟,621 一键接警。",
    )
    for unit in NEIGHBOURS:
        stage.crew(unit).script = Script(takes_s=TAKE_S if unit == TAKES else None)
    stage.crew(FIRST).script = Script(answers_s=LATE_S)
    called_s = world.elapsed_s
    plan = {"alert": True, "notes": "two men, one on the ground 两名男子,一人倒地"}
    answer = await stage.desk.report(KIND, 1, street.scene, 1, 1, **plan)
    incident = await reported(answer)
    stage.knife = incident
    world.scenes.going_on.add(incident)
    await _heard(stage, incident, called_s)
    await stage.proves(
        lambda: stage.is_on_scene(incident, TAKES), DRIVE_S,
        f"{TAKES} took it and is there first", f"{TAKES} 接警并首先到场",
    )  # fmt: skip
    first_there = not stage.is_on_scene(incident, FIRST)
    stage.check(f"{FIRST} is not there yet", f"{FIRST} 尚未到场", ok=first_there)
    found = stage.incident(incident)
    assert found is not None
    arrived = found.times.on_scene or found.times.reported
    stage.time(
        "first_on_scene", "report to first unit on scene", "接警到首组到场",
        between_s(found.times.reported, arrived), STORY_ARRIVAL_S,
    )  # fmt: skip
    stage.order = stage.on_it(incident)[TAKES].order


async def _heard(stage: Stage, incident: str, called_s: float) -> None:
    everyone = (FIRST, *NEIGHBOURS)

    def heard_s() -> list[float]:
        shown = {u: stage.crew(u).orders_of(incident) for u in everyone}
        found = [stage.crew(u).saw_s(o["order"]) for u, os in shown.items() for o in os]
        return [one - called_s for one in found if one is not None]

    took_s = await stage.comes(lambda: len(heard_s()) >= len(everyone), 20)
    worst_s = max(heard_s(), default=0.0)
    kinds = {u: [o["kind"] for o in stage.crew(u).orders_of(incident)] for u in everyone}
    stage.check(
        f"{FIRST} is ordered by the rule", f"系统按规则派 {FIRST}",
        ok="assign" in kinds[FIRST], figure=_rank(stage, incident),
    )  # fmt: skip
    names = ", ".join(NEIGHBOURS)
    stage.check(
        f"{names} hear it at once, as an alert", f"{names} 同时听到(同播)",
        ok=took_s is not None and all("alert" in kinds[u] for u in NEIGHBOURS),
        figure=f"last screen {seconds(worst_s)} after the call",
    )  # fmt: skip
    stage.time("heard", "call to the last screen", "报警到最后一块屏", worst_s)
    if took_s is None:
        raise StepFailed("heard")


def _rank(stage: Stage, incident: str) -> str:
    units = stage.on_it(incident)
    etas = {u: units[u].eta_s for u in (FIRST, TAKES) if u in units}
    return ", ".join(f"{unit} {eta_s} s" for unit, eta_s in etas.items())


async def flees(stage: Stage) -> None:
    """The place moves, a knife is seen: shown again, as loudly as it is meant, and read."""
    incident, street = stage.first_incident(), stage.world.street
    stage.say(
        "One of them draws a knife and runs round the corner. The desk moves the place and tells"
        " the danger: crews must say that they have read it.",
        "其中一人掏出刀具,拐弯逃跑。指挥台更新地点并下发安全提示,民警须确认已读。",
    )
    lat, lon = street.fled_to
    place = {"lat": lat, "lon": lon, "text": "up the side street 支路向北"}
    since_s = stage.world.elapsed_s
    await stage.desk.request("update", incident=incident, place=place, revision="place")
    going = [u for u, one in stage.on_it(incident).items() if one.state in _GOING]
    await stage.proves(
        lambda: all(_shows(stage, u, incident, stage.world.street.fled_to) for u in going), 10,
        f"the new place is on the screens of {', '.join(going)}",
        f"{', '.join(going)} 屏上已是新地点",
    )  # fmt: skip
    await stage.desk.request("update", incident=incident, hazards=("knife",), revision="safety")
    await stage.proves(
        lambda: all(_has_read(stage, u, incident) for u in going), 15,
        "the safety update is read by all on it", "安全提示全员已读",
    )  # fmt: skip
    took_s = stage.world.elapsed_s - since_s
    stage.time("safety", "flight told to danger read by all", "改点到安全提示全员已读", took_s)


_GOING: Final = frozenset({"confirmed", "en_route", "on_scene"})


def _shows(stage: Stage, unit: str, incident: str, place: tuple[float, float]) -> bool:
    return any(
        abs(o["place"]["lat_e7"] / 1e7 - place[0]) < 1e-6
        for o in stage.crew(unit).orders_of(incident)
    )


def _has_read(stage: Stage, unit: str, incident: str) -> bool:
    orders = [o for o in stage.crew(unit).orders_of(incident) if o["state"] in _GOING]
    return bool(orders) and all(o["read_revision"] and "knife" in o["hazards"] for o in orders)


async def surrounded(stage: Stage) -> None:
    """Four units by plan, all where the suspect is; it ends with its disposition."""
    incident, world = stage.first_incident(), stage.world
    stage.say(
        "The desk wants four. The rule sends three more; 621 stays with them without a place.",
        "指挥台将预案增至四组,系统再派三组;621 随同处置。",
    )
    await stage.desk.request("add", incident=incident, units=3)
    await stage.proves(
        lambda: len(_by_plan(stage, incident)) >= 4, 20,
        "four units hold the plan's places", "四个警组按预案就位",
    )  # fmt: skip
    everyone = sorted({*_by_plan(stage, incident), TAKES})
    await stage.proves(
        lambda: all(_is_there(stage, incident, u) for u in everyone), DRIVE_S,
        f"all where the suspect is: {', '.join(everyone)}",
        f"全部到达嫌疑人处:{', '.join(everyone)}",
    )  # fmt: skip
    world.scenes.over[incident] = DISPOSITION
    world.scenes.going_on.discard(incident)
    await stage.proves(
        lambda: _disposition(stage, incident) == DISPOSITION, 20,
        f"cleared, disposition {DISPOSITION}", "处置完毕,结果:已抓获嫌疑人",
    )  # fmt: skip
    found = stage.incident(incident)
    assert found is not None
    over = between_s(found.times.reported, found.times.cleared or found.times.reported)
    stage.time("over", "report to cleared", "接警到处置完毕", over, STORY_OVER_S)
    first = stage.times.get("first_on_scene")  # none, where that check has failed
    ours, theirs = "–" if first is None else seconds(first.ours_s), seconds(over)
    stage.say(
        f"First unit there after {ours} (the story: 24 s), over after {theirs}"
        " (the story: 2 min 15 s).",
        f"首组 {ours} 到场(原案 24 秒),{theirs} 处置完毕(原案 2 分 15 秒)。",
    )


def _by_plan(stage: Stage, incident: str) -> list[str]:
    units = stage.on_it(incident).items()
    return [u for u, one in units if one.state in _GOING and not one.attached]


def _is_there(stage: Stage, incident: str, unit: str) -> bool:
    """On scene by its own answer, and at the moved place by its own receiver."""
    feature = stage.desk.picture.units.get(unit)
    if feature is None or feature.geometry is None or not stage.is_on_scene(incident, unit):
        return False
    lon, lat = feature.geometry.coordinates
    return distance_m(lat, lon, *stage.world.street.fled_to) <= THERE_M


def _disposition(stage: Stage, incident: str) -> str | None:
    found = stage.incident(incident)
    return found.disposition if found is not None and found.state == "cleared" else None
