"""The agent's edges: settings, keys, socket, receiver, orderly stop."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent import crew_command
from protocol.entry import Alarm, Track
from protocol.track import unpack
from tests.agent.conftest import World
from tests.agent.process import REPOSITORY, RUN


def run_once(world: World) -> tuple[int, str]:
    """Exit code and stderr of an agent that must not start."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(world.agent.config)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_wrong_setting_is_one_line_and_78(world: World) -> None:
    world.agent.tables["report"] = "intervall_s = 5"
    world.agent.configure()
    code, said = run_once(world)
    assert code == 78
    assert "did you mean interval_s?" in said
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda keys: (keys / "seal.key").chmod(0o644), "others may read"),
        (lambda keys: (keys / "tls.key").unlink(), "does not exist"),
        (lambda keys: (keys / "seal.key").write_bytes(b""), "is empty"),
        (lambda keys: (keys / "trust.cbor").write_bytes(b"\xa0"), "no trust document"),
        (lambda keys: (keys / "root.pem").write_bytes(b"x"), "no certificate"),
    ],
)
def test_bad_keys_are_one_line_and_78(world: World, damage: object, said: str) -> None:
    damage(world.enrolment.keys)  # type: ignore[operator]
    world.agent.configure()
    code, line = run_once(world)
    assert code == 78
    assert said in line
    assert "Traceback" not in line


def test_certificate_of_another_terminal_is_78(world: World) -> None:
    world.agent.configure()
    text = world.agent.config.read_text().replace("car-1", "car-2")
    world.agent.config.write_text(text)
    code, line = run_once(world)
    assert code == 78
    assert "zz.car-2" in line


def test_orderly_stop_is_clean_and_keeps_the_last_fixes(world: World) -> None:
    agent, centre = world.agent, world.centre
    agent.tables["track"] = "entry_s = 60\nscratch_s = 60"
    agent.start()
    crew = agent.crew()
    crew.say(type="watch")
    crew.until(lambda s: s.get("fix"), "fix")
    assert agent.stop() == 0
    agent.start()
    track = centre.wait(lambda: centre.bodies(Track), "track of the first boot")[0]
    point = unpack(track.packed, track.count)[0]
    assert (point.lat_e6, point.lon_e6) == (24_513_000, 117_647_000)
    assert "unclean=false" in agent.log.read_text().split("event=stopping")[1]


def test_killed_agent_keeps_what_was_in_the_scratch_record(world: World) -> None:
    agent, centre = world.agent, world.centre
    agent.tables["track"] = "entry_s = 60\nscratch_s = 1"
    agent.start()
    crew = agent.crew()
    crew.say(type="watch")
    for _ in range(3):  # one a second
        crew.until(lambda s: s.get("fix"), "fix")
    agent.kill()
    assert not centre.bodies(Track)
    agent.start()
    track = centre.wait(lambda: centre.bodies(Track), "track from the scratch record")[0]
    assert track.count >= 5


def test_silent_receiver_is_told_and_comes_back(world: World) -> None:
    agent, centre, receiver = world.agent, world.centre, world.receiver
    agent.tables["gnss"] += "\nsilent_s = 1"
    receiver.noise = b"\xb5\x62\x00\xff$GNRMC,broken*00\r\n"
    agent.start()
    centre.wait(lambda: [p for p in centre.positions if p.lat_e7 is not None], "position")
    receiver.is_mute = True
    alarm = centre.wait(lambda: centre.bodies(Alarm), "alarm")[0]
    assert alarm.code == "gnss_silent"
    at = len(centre.positions)
    lost = centre.wait(lambda: [p for p in centre.positions[at:] if p.lat_e7 is None], "no fix")
    assert lost[0].next_s == 3
    receiver.is_mute = False
    at = len(centre.positions)
    centre.wait(lambda: [p for p in centre.positions[at:] if p.lat_e7 is not None], "fix again")


def test_lines_that_are_no_message_are_refused_and_the_next_one_works(world: World) -> None:
    world.agent.start()
    crew = world.agent.crew()
    for line in (
        b"\x00\xff", b"{}", b"[]", b'{"type":"event"}', b'{"type":"fly"}', b"x" * 20_000,
        b'{"type":"logon","unit":"A B","crew":[]}', b'{"type":"state"}',
        b'{"type":"event","device":"b-1","device_kind":"recorder","boot":1,"event":1,'
        b'"name":"sos","detail":{"n":99999999999999999999999999}}',
    ):  # fmt: skip
        crew._socket.sendall(line + b"\n")
        answer = crew.hear()
        assert answer["type"] == "refused", line
        assert answer["reason"]
        assert answer["remedy"]
    event = {
        "type": "event", "device": "b-1", "device_kind": "recorder", "boot": 1, "event": 1,
        "name": "mark",
    }  # fmt: skip
    for _ in range(3):
        assert crew.ask(**event) == {"type": "kept", "device": "b-1", "boot": 1, "event": 1}


def test_crews_command_line(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    agent = world.agent.start()

    def outrider(*arguments: str) -> tuple[int, str, str]:
        code = crew_command.main([*arguments, "--config", str(agent.config)])
        said = capsys.readouterr()
        return code, said.out, said.err

    assert outrider("logon", "--unit", "621", "--crew", "4711,4712") == (0, "done: entry 2\n", "")
    assert outrider("logon", "--unit", "621", "--crew", "4711,4712")[1] == "done: entry 2\n"
    code, out, _ = outrider("status", "--json")
    assert code == 0
    assert '"unit":"621"' in out
    assert "unit 621, available" in outrider("status")[1]
    assert outrider("set", "busy", "--reason", "stop")[0] == 0
    code, out, err = outrider("answer", "o-9", "accept")
    assert (code, out) == (1, "")
    assert err == "there is no order o-9 here – see `outrider agent status` for yours\n"
    assert outrider("answer", "o-9", "maybe")[0] == 2
    assert outrider("logon", "--unit", "A B", "--crew", "1")[0] == 2
    assert outrider("set", "flying")[0] == 2
    assert outrider("logoff")[0] == 0
    assert outrider("logoff")[2] == "nobody is logged on – nothing to do\n"
    agent.stop()
    code, _, err = outrider("status")
    assert code == 1
    assert "nobody listens" in err


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert crew_command.main(["--help"]) == 0
    assert "outrider agent logon --unit 621" in capsys.readouterr().out
    assert crew_command.main(["status", "--socket", str(Path("/does/not/exist"))]) == 1
