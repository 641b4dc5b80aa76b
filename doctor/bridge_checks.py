"""Every check of a bridge: its devices' ports, and the agent's socket that it speaks to."""

import asyncio
from dataclasses import replace
from typing import Final

from doctor.core.finding import Finding, fault, ok
from doctor.core.port import judge_port
from doctor.port_probe import port_of
from firmware_bridge.settings import Board, BridgeSettings, Recorder
from protocol import device
from runtime.faults import LinkLost
from runtime.local_client import request

DAEMON_USER: Final = "outrider-bridge"
ANSWER_S: Final = 3.0


async def check_bridge(settings: BridgeSettings) -> list[Finding]:
    """Ports are looked at, never opened: a bridge may be using them."""
    devices: tuple[Board | Recorder, ...] = (*settings.board, *settings.recorder)
    ports = await asyncio.gather(
        *(asyncio.to_thread(port_of, one.port, own=None) for one in devices)
    )
    found = [  # whoever holds one is most likely the bridge itself
        judge_port(f"port {one.name}", replace(facts, holder=""))
        for one, facts in zip(devices, ports, strict=True)
    ]
    return [*found, await asyncio.to_thread(_agent, settings)]


def _agent(settings: BridgeSettings) -> Finding:
    """As the bridge's user: whether the agent answers it."""
    socket = settings.agent.socket
    try:
        request(socket, device.encode(device.Status()).rstrip(b"\n"), ANSWER_S, 65_536)
    except LinkLost as why:
        remedy = "start the agent; its [devices] allowed_uids must name this user"
        return fault("agent", str(why), remedy)
    return ok("agent", f"answers on {socket}")
