"""The hub: events to the agent, its answers to the right device, commands, the bridge's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from firmware_bridge.core.bridge import Bridge
from firmware_bridge.core.presence import GRACE_MS
from firmware_bridge.core.recorder_session import RecorderSession

NOW = 1_000_000


class World:
    def __init__(self) -> None:
        self.body = RecorderSession("body-1", NOW)
        self.other = RecorderSession("body-2", NOW)
        self.bridge = Bridge(99, [self.body, self.other])
        for session in (self.body, self.other):
            session.opened(NOW)
            self.bridge.collect(session, NOW)
        self.bridge.agent_opened(NOW)
        self.serves, *self.present = self.told()

    def told(self, now_ms: int = NOW) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.bridge.to_agent(now_ms)]

    def says(self, session: RecorderSession, name: str, number: int, **more: Any) -> None:
        fields = {"type": "event", "device": session.name, "device_kind": "recorder", "boot": 1,
                  "event": number, "name": name} | more  # fmt: skip
        session.received(json.dumps(fields).encode() + b"\n", NOW)
        self.bridge.collect(session, NOW)

    def agent(self, **message: Any) -> str | None:
        return self.bridge.agent_line(json.dumps(message).encode(), NOW)


def test_each_connection_begins_with_the_devices_that_take_commands() -> None:
    world = World()
    assert world.serves == {"type": "serves", "devices": ["body-1", "body-2"]}
    assert not [one for one in world.told() if one["type"] == "serves"]


def test_presence_is_the_bridges_own_event() -> None:
    world = World()
    assert [(one["device"], one["boot"], one["event"], one["name"]) for one in world.present] == [
        ("bridge", 99, 1, "present"), ("bridge", 99, 2, "present"),
    ]  # fmt: skip
    assert world.present[0]["detail"] == {"device": "body-1"}
    world.body.lost("hung up", NOW)
    world.body.to_write(NOW + GRACE_MS)
    world.bridge.collect(world.body, NOW + GRACE_MS)
    absent = [one for one in world.told(NOW + 1) if one["name"] == "absent"]
    assert not absent
    absent = [one for one in world.told(NOW + GRACE_MS) if one["name"] == "absent"]
    assert absent[0]["detail"] == {"device": "body-1", "reason": "hung up"}


def test_kept_reaches_the_device_whose_event_it_was() -> None:
    world = World()
    world.says(world.body, "mark", 5)
    world.says(world.other, "mark", 5)
    assert [one["device"] for one in world.told()] == ["body-1", "body-2"]
    assert world.agent(type="kept", device="body-2", boot=1, event=5) == "body-2"
    assert json.loads(world.other.to_write(NOW))["type"] == "kept"
    assert world.body.to_write(NOW) == b""
    assert world.agent(type="kept", device="body-2", boot=1, event=5) is None
    assert world.other.to_write(NOW) == b""


def test_refused_reaches_the_device_and_ends_the_repeats() -> None:
    world = World()
    world.says(world.body, "mark", 5)
    world.told()
    fields = {"device": "body-1", "boot": 1, "event": 5, "reason": "no", "remedy": "stop"}
    assert world.agent(type="refused", **fields) == "body-1"
    assert json.loads(world.body.to_write(NOW)) == {"type": "refused", **fields}
    assert not [one for one in world.told(NOW + 60_000) if one["device"] == "body-1"]
    assert world.bridge.counts["event_refused"] == 1


def test_command_and_result() -> None:
    world = World()
    assert world.agent(type="command", device="body-1", id=3, name="record_on") == "body-1"
    assert json.loads(world.body.to_write(NOW))["name"] == "record_on"
    result = {"type": "command_result", "device": "body-1", "id": 3, "ok": True, "detail": {}}
    world.body.received(json.dumps(result).encode() + b"\n", NOW)
    world.bridge.collect(world.body, NOW)
    assert world.bridge.has_results
    assert world.told() == [result]
    assert world.told() == []


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"[]",
        b'{"type":"command","device":"body-9","id":3,"name":"mark"}',
        b'{"type":"refused","reason":"bad line","remedy":"mend it"}',
        b'{"type":"kept","device":"body-1","boot":1,"event":"x"}',
        b'{"type":"done","entry":4}',
    ],
)
def test_what_the_agent_says_to_nobody_is_counted(line: bytes) -> None:
    world = World()
    assert world.bridge.agent_line(line, NOW) is None
    assert sum(world.bridge.counts.values()) == 1


def test_an_event_too_large_for_a_line_is_refused_to_its_device() -> None:
    world = World()
    fields: dict[str, Any] = {"type": "event", "device": "body-1", "device_kind": "recorder",
              "boot": 1, "event": 5, "name": "mark", "detail": {}}  # fmt: skip

    def line() -> bytes:
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()

    for number in range(16):
        fields["detail"][f"{number:02}"] = ""
    for key in fields["detail"]:
        room = 16_384 - len(line())
        fields["detail"][key] = "🚓" * min(255, room // 4) + "x" * min(1, room % 4)
    while len(line()) < 16_384:
        fields["detail"]["15"] += "x"
    world.body.received(line() + b"\n", NOW)
    world.bridge.collect(world.body, NOW)
    assert world.body.counts == {"event_too_large": 1}
    assert json.loads(world.body.to_write(NOW))["type"] == "refused"
    assert len(world.bridge.relay) == 2  # the bridge's own


def test_a_device_beyond_its_share_is_put_off_not_dropped() -> None:
    world = World()
    for number in range(1, 101):
        world.says(world.body, "mark", number)
    assert world.body.counts["event_put_off"] > 0
    world.says(world.other, "sos", 1)
    assert world.told()[0]["name"] == "sos"


def test_the_agents_absence_loses_no_event() -> None:
    world = World()
    world.says(world.body, "mark", 1)
    world.told()
    world.bridge.agent_lost()
    world.says(world.body, "mark", 2)
    assert world.told() == []
    world.bridge.agent_opened(NOW + 1)
    serves, *events = world.told(NOW + 1)
    assert serves == world.serves
    again = [one["event"] for one in events if one["device"] == "body-1"]
    assert again == [1, 2]
