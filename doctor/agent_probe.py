"""What a running agent says of itself over its device socket; the way that disturbs nothing."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from doctor.disk_probe import holder_of
from doctor.who import user_name
from protocol import device
from protocol.refusal import Refused
from runtime.clock import Clock
from runtime.faults import LinkLost
from runtime.local_client import request

ANSWER_S: Final = 2.0
SETTLE_S: Final = 4.0  # an agent that has just started, or is between two connections
_LOOK_S: Final = 0.4
_LINE_BYTES_MAX: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFacts:
    """`process`: who holds the store; 0: it runs, who is not known; None: no agent runs.

    `state` None: `silence` says why.
    """

    process: int | None
    state: device.State | None = None
    silence: str = ""
    asked_utc_ms: int = 0  # system clock as the state came


async def ask_agent(socket: Path, store: Path, clock: Clock) -> AgentFacts:
    """The state once link, welcome and fix are there, or as it is after a few seconds."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + SETTLE_S
    while True:
        facts = await asyncio.to_thread(_ask, socket, store, clock)
        state = facts.state
        if state is None or (state.link == "up" and state.welcomed and state.fix is not None):
            return facts
        if loop.time() > deadline_s:
            return facts
        await asyncio.sleep(_LOOK_S)


def _ask(socket: Path, store: Path, clock: Clock) -> AgentFacts:
    process = holder_of(store)
    line = device.encode(device.Status()).rstrip(b"\n")
    try:
        answer = request(socket, line, ANSWER_S, _LINE_BYTES_MAX)
        state = device.decode(answer, device.TO_CLIENT)
    except (LinkLost, Refused) as why:
        if process is None and not (isinstance(why, LinkLost) and why.what == "nobody listens"):
            process = 0  # somebody listens, and does not talk to us
        return AgentFacts(process=process, silence=str(why))
    if not isinstance(state, device.State):
        return AgentFacts(process=process or 0, silence=f"{socket}: answered {state!r:.60}")
    return AgentFacts(process=process or 0, state=state, asked_utc_ms=clock.utc_ms())


def silence_remedy() -> str:
    """For an agent that does not answer this user."""
    if os.geteuid() != 0:
        return f"sudo outrider doctor, or add uid {os.geteuid()} ({user_name()}) to allowed_uids"
    return "see journalctl -u outrider-agent, then systemctl restart outrider-agent"
