"""`outrider device send`: exit codes, the answer's forms, the same number twice is one event."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_bridge.device_command import main
from tests.firmware_bridge.fake_agent import FakeAgent
from tests.hil.helpers import REPOSITORY


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[FakeAgent]:
    with FakeAgent(tmp_path / "devices.sock") as agent:
        yield agent


def test_sos_by_hand(agent: FakeAgent, capsys: pytest.CaptureFixture[str]) -> None:
    send = ["sos", "--device", "body-1", "--event", "1", "--socket", str(agent.path)]
    assert main(send) == 0
    assert "kept: sos" in capsys.readouterr().out
    assert main([*send, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "type": "kept", "device": "body-1", "boot": 0, "event": 1,
    }  # fmt: skip
    (sos,) = agent.events(name="sos")
    assert agent.sendings(sos) == 2
    assert (sos["device_kind"], sos["device_time_ms"]) == ("recorder", None)


def test_without_a_number_it_is_a_new_event(agent: FakeAgent) -> None:
    assert main(["mark", "--socket", str(agent.path)]) == 0
    (mark,) = agent.events(name="mark", device="by-hand")
    assert mark["boot"] > 1_700_000_000
    assert mark["event"] == 1


def test_details_boot_time_and_kind(agent: FakeAgent) -> None:
    arguments = [
        "ignition", "--device", "board-1", "--boot", "7", "--event", "3", "--time-ms", "17",
        "--detail", "on=true", "--detail", "n=-4", "--detail", "text=a=b", "--detail", "x=null",
    ]  # fmt: skip
    assert main([*arguments, "--socket", str(agent.path)]) == 0
    (event,) = agent.events(name="ignition")
    assert event["detail"] == {"on": True, "n": -4, "text": "a=b", "x": None}
    assert (event["device_kind"], event["boot"], event["event"]) == ("board", 7, 3)
    assert event["device_time_ms"] == 17


@pytest.mark.parametrize("table", ["agent", "devices"])
def test_socket_from_the_bridges_or_the_agents_file(
    agent: FakeAgent, tmp_path: Path, table: str
) -> None:
    config = tmp_path / "some.toml"
    config.write_text(f'fleet = "zz"\n[{table}]\nsocket = "devices.sock"\n[other]\nx = 1\n')
    assert main(["mark", "--config", str(config)]) == 0
    assert agent.events(name="mark")


def test_refused_is_1(agent: FakeAgent, capsys: pytest.CaptureFixture[str]) -> None:
    agent.refuses = lambda _: True
    assert main(["mark", "--socket", str(agent.path)]) == 1
    assert capsys.readouterr().err == "outrider device send: no – none\n"
    assert main(["mark", "--socket", str(agent.path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["type"] == "refused"


def test_nobody_there_or_no_answer_is_1(
    agent: FakeAgent, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.keeps = False
    assert main(["mark", "--socket", str(agent.path), "--timeout", "0.1"]) == 1
    assert "no answer" in capsys.readouterr().err
    assert main(["mark", "--socket", str(tmp_path / "none")]) == 1
    assert "nobody listens" in capsys.readouterr().err
    assert main(["mark", "--config", str(tmp_path / "none.toml")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["sos", "--event", "0"],
        ["sos", "--event", "x"],
        ["sos", "--boot", "-1"],
        ["sos", "--device", "Body 1"],
        ["sos", "--detail", "on"],
        ["sos", "--detail", f"text={'x' * 300}"],
        ["sos", "--timeout", "0"],
        ["sos", "--timeout", "x"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err


def test_through_the_outrider_command(agent: FakeAgent) -> None:
    command = [sys.executable, "outrider.py", "device", "send"]
    sent = subprocess.run(
        [*command, "sos", "--device", "body-1", "--event", "1", "--socket", str(agent.path)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert (sent.returncode, sent.stderr) == (0, "")
    shown = subprocess.run(
        [*command, "--help"], cwd=REPOSITORY, capture_output=True, text=True, timeout=20,
        check=False,
    )  # fmt: skip
    assert shown.returncode == 0
    assert "outrider device send sos --device body-1 --event 1" in shown.stdout
