"""One terminal's world: broker, fake centre, receiver and the agent's process, not started."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.agent.centre import Centre
from tests.agent.enrolled import Enrolment
from tests.agent.process import AgentProcess, Receiver
from tests.broker import Broker


@dataclass
class World:
    enrolment: Enrolment
    broker: Broker
    centre: Centre
    receiver: Receiver
    agent: AgentProcess


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    enrolment = Enrolment(tmp_path / "pki")
    with Broker(tmp_path / "broker", enrolment) as broker:
        centre = Centre(enrolment, broker.port, enrolment.client("centre"))
        receiver = Receiver()
        agent = AgentProcess(tmp_path, enrolment.keys, broker.port, receiver.path)
        try:
            yield World(enrolment, broker, centre, receiver, agent)
        finally:
            agent.stop()
            centre.close()
            receiver.close()
