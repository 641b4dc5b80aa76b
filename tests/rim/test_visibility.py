"""A covert unit at work: everything that anybody may hear is dumped, as every role.

Nobody outside its group hears its name, its place, or the incident that it alone is on; its group
hears all three. Then it becomes known and hidden again, by a person and by changed settings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from manager.client import NoReply
from tests.rim.daemon import outrider, run, until
from tests.rim.desk import Desk, Json
from tests.rim.raw_peer import Peer
from tests.rim.terminal import PLACE
from tests.rim.world import DESK, World, is_live

pytestmark = [pytest.mark.xdist_group("rim-visibility"), pytest.mark.timeout(180)]

COVERT, GROUP, MEMBER = "zq9", "drugs", "g01-desk"
OUTSIDERS = {
    "x-intake": ("intake",), "x-dispatcher": ("dispatcher",), "x-supervisor": ("supervisor",),
    "x-technician": ("technician",), "x-other": ("dispatcher", "group-drug", "group-drugs2"),
}  # fmt: skip
MEMBERS = {"y-member": ("dispatcher", f"group-{GROUP}")}
MANAGERS = {
    DESK: ("dispatcher", "supervisor"), MEMBER: ("dispatcher", "supervisor", f"group-{GROUP}"),
    **OUTSIDERS, **MEMBERS,
}  # fmt: skip
COVERT_PLACE = (PLACE[0] + 0.006, PLACE[1])  # the third of the row
ALONE_AT = (24.5421, 117.6823)
NEAR = 1e-4


class VisibilityWorld(World):
    """The third unit is covert by the settings; `restricted`: another one, from then on."""

    restricted: str | None = None

    def write_matcher_config(self, mode: str = "recommend", **units: str) -> None:
        super().write_matcher_config("recommend", **units)
        text = self.matcher_config.read_text()
        hidden = {COVERT: "covert"} | ({self.restricted: "restricted"} if self.restricted else {})
        for unit, visibility in hidden.items():
            head = f'unit = "{unit}"\n'
            assert head in text
            line = f'{head}visibility = "{visibility}"\ngroup = "{GROUP}"\n'
            text = text.replace(head, line)
        self.matcher_config.write_text(text)


@dataclass
class Dump:
    """All that one identity hears of everything, what is retained first."""

    peer: Peer

    def take(self) -> list[tuple[str, bytes]]:
        self.peer.barrier()
        return self.peer.heard

    def says(self, word: str) -> bool:
        return any(word in topic or word.encode() in said for topic, said in self.take())

    def places(self, lat: float) -> bool:
        """Whether any number in it lies within 1e-4 degrees of a latitude or longitude."""
        texts = (said.decode(errors="replace") for _, said in self.take())
        numbers = (float(n) for text in texts for n in re.findall(r"\d{2,3}\.\d{3,}", text))
        return any(abs(number - lat) < NEAR for number in numbers)


def dump(world: World, name: str) -> Dump:
    keys = world.keys(name)
    peer = Peer(world.broker.port, keys / "root.pem", keys / "tls", client_id=name)
    world.keep(peer)
    found = Dump(peer)
    peer.listen("#", "outrider/v1/fleet/+/group/+/+/+")
    return found


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with VisibilityWorld("621", "622", COVERT, managers=MANAGERS) as world:
        world.start_centre()
        world.add_desk(MEMBER).connected()
        world.desk.connected()
        yield world


@pytest.fixture(scope="module")
def member(world: World) -> Desk:
    return world._desks[1]


@pytest.fixture(scope="module")
def ears(world: World) -> dict[str, Dump]:
    return {name: dump(world, name) for name in (*OUTSIDERS, *MEMBERS)}


def listen_on(member: Desk, positions: int = 12) -> None:
    """Until so many further positions of the covert unit have shown: alerts are repeated too."""

    def count() -> int:
        return sum(kind == "unit" and one["id"] == COVERT for kind, one in member.history)

    before = count()
    member.wait(lambda: count() >= before + positions or None, "more of the covert unit", 60)


@dataclass(frozen=True)
class Worked:
    alone: str
    number: str
    order: str
    shared: str
    own: str


@pytest.fixture(scope="module")
def worked(world: World, member: Desk, ears: dict[str, Dump]) -> Worked:
    """What a covert unit does in a day: an incident alone, one of its own, one with others."""
    assert ears
    world.start_terminals()
    world.log_on("621")
    crew = world.terminals[COVERT].crew()
    crew.log_on(COVERT)
    member.unit(COVERT, is_live)

    reply = crew.command(type="set_status", status="busy", reason="traffic_stop")
    assert reply["type"] == "done"
    busy = member.unit(COVERT, lambda p: p["incident"] is not None)
    own = str(busy["properties"]["incident"])
    crew.command(type="set_status", status="available")
    member.incident(own, "cleared")

    alone = member.report(ALONE_AT, priority=2)
    number = str(member.incident(alone, "pending")["number"])
    order = member.done("assign", incident=alone, unit=COVERT).order
    assert order is not None
    member.order(alone, COVERT)
    for name in OUTSIDERS:  # what was a call for all is theirs alone now: from here on
        ears[name].take()
        ears[name].peer.heard.clear()
    crew.order(order)
    crew.answer(order, "accept")
    crew.order(order, "confirmed", "held")
    for word in ("en-route", "on-scene"):
        crew.answer(order, word)
    member.incident(alone, "on_scene")
    outside: dict[str, Json] = {
        "assign": {"incident": alone, "unit": "622"}, "update": {"incident": alone, "notes": "x"},
        "hold": {"unit": COVERT, "on": True}, "answer": {"order": order, "answer": "decline"},
    }  # fmt: skip
    for verb, fields in outside.items():
        refused = world.desk.ask(verb, **fields)
        assert (refused.outcome, str(refused.reason)[:8]) == ("refused", "unknown_"), refused
    crew.answer(order, "clear", disposition="handled")
    member.incident(alone, "cleared")

    shared = member.report((PLACE[0] + 0.02, PLACE[1]), priority=2, units=2)
    second = member.done("assign", incident=shared, unit=COVERT).order
    member.done("assign", incident=shared, unit="621")
    first = member.order(shared, "621", "delivered")
    world.crew("621").order(first)
    assert second is not None
    crew.order(second)
    crew.answer(second, "accept")
    member.order(shared, COVERT, "confirmed")
    assert COVERT not in json.dumps(world.crew("621").state), "no crew outside reads of it"
    member.done("release", incident=shared, unit=COVERT)
    listen_on(member)
    return Worked(alone, number, order, shared, own)


@pytest.mark.parametrize("name", OUTSIDERS)
def test_nobody_outside_hears_of_it(name: str, ears: dict[str, Dump], worked: Worked) -> None:
    ear = ears[name]
    assert ear.says("unit/621"), sorted({topic for topic, _ in ear.take()})
    assert ear.says(worked.shared), "it did hear the fleet"
    for word in (COVERT, worked.alone, worked.own, worked.order, "/group/"):
        assert not ear.says(word), [s for s in ear.take() if word in s[0] or word.encode() in s[1]]
    assert not ear.says(f'"{worked.number}"')
    assert not ear.places(COVERT_PLACE[0])
    assert not ear.places(ALONE_AT[0])
    assert not ear.places(ALONE_AT[1])


@pytest.mark.parametrize("name", OUTSIDERS)
def test_what_is_retained_tells_no_more(name: str, world: World, worked: Worked) -> None:
    """Who comes later, with another connection of the same identity."""
    later = dump(world, name)
    assert later.says("unit/621")
    for word in (COVERT, worked.alone, worked.own, "/group/"):
        assert not later.says(word)
    assert not later.places(COVERT_PLACE[0])


def test_its_group_hears_all_of_it(world: World, ears: dict[str, Dump], worked: Worked) -> None:
    ear = ears["y-member"]
    for word in (COVERT, worked.alone, worked.own, worked.order):
        assert ear.says(word)
    assert ear.places(COVERT_PLACE[0])
    assert ear.places(ALONE_AT[0])
    later = dump(world, "y-member")
    assert not [topic for topic, _ in later.take() if "/group/" in topic], "covert: none is kept"
    until(lambda: later.says(f"group/{GROUP}/unit/{COVERT}"), "said again each 10 s", 15)


def test_statistics_do_not_count_it(world: World, worked: Worked) -> None:
    """Two open units, and of the orders only the one to 621."""
    assert worked
    said = world.desk.wait(
        lambda: world.desk.statistics if world.desk.statistics.get("orders_by_state") else None,
        "statistics",
    )
    assert sum(said["units_by_status"].values()) == 2
    assert sum(said["orders_by_state"].values()) == 1


def test_the_journals_answers_count_it_and_name_it_to_its_group_only(
    world: World, worked: Worked
) -> None:
    mine = ("--group", GROUP)
    assert COVERT not in world.ask_journal("board")
    assert "not open to all, not shown: 1 units" in world.ask_journal("board")
    assert COVERT in world.ask_journal("board", *mine)
    for words in ((), ("--json",), ("--lang", "zh")):
        said = world.ask_journal("explain", worked.order, *words)
        assert COVERT not in said
        assert worked.alone not in said
        assert COVERT in world.ask_journal("explain", worked.order, *words, *mine)
    assert COVERT not in world.ask_journal("statistics")


def test_a_request_for_it_is_for_supervisors_only(world: World, worked: Worked) -> None:
    assert worked
    clerk = world.add_desk("x-dispatcher").connected()
    with pytest.raises(NoReply):
        clerk.ask("visibility", life_s=1, unit="622", visibility="covert", group=GROUP)


def test_it_becomes_known_and_hidden_again(world: World, member: Desk, worked: Worked) -> None:
    assert worked
    ear = dump(world, "x-intake")
    member.done("visibility", unit=COVERT, visibility="open")
    until(lambda: ear.says(f"unit/{COVERT}"), "it is known")
    assert ear.places(COVERT_PLACE[0])
    ear.peer.heard.clear()
    member.done("visibility", unit=COVERT, visibility="covert")

    def cleared() -> bool:
        return any(t.endswith(f"/unit/{COVERT}") and not said for t, said in ear.take())

    until(cleared, "its topic is cleared")
    assert not dump(world, "x-other").says(COVERT), "nothing is kept"
    at = next(at for at, (topic, said) in enumerate(ear.take()) if topic.endswith(COVERT))
    ear.peer.heard[: at + 1] = []
    listen_on(member, 3)
    assert not ear.says(COVERT), "after the clearing not a word"


def test_changed_settings_hide_a_unit_at_a_start(world: World, worked: Worked) -> None:
    """What an earlier process left at the broker is read back and cleared."""
    assert worked
    assert isinstance(world, VisibilityWorld)
    assert dump(world, "x-other").says("unit/622")
    world.restricted = "622"
    world.write_matcher_config()
    assert world.matcher.stop() == 0
    world.matcher.start()
    until(lambda: not dump(world, "x-other").says("unit/622"), "cleared")
    until(lambda: dump(world, "y-member").says(f"group/{GROUP}/unit/622"), "it is kept there")
    assert dump(world, "x-other").says("unit/621")


def test_a_unit_without_a_group_is_a_fault_of_the_settings(world: World) -> None:
    path = world.folder / "bad.toml"
    path.write_text('fleet = "zz"\n[[unit]]\nunit = "7"\nvisibility = "covert"\n')
    done = run(outrider("matcher", "run", "--config", path))
    assert done.returncode == 78
    assert "needs group" in done.stderr
