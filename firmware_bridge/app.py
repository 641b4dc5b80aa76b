"""`outrider bridge run`: boards and recorders on serial ports, the agent on its local socket.

Main tasks: two loops per port (`port_task`), the agent's connection in and out, a report. One
TaskGroup; what a device or the agent does wrong is counted and never ends a task.
"""

import asyncio
import secrets
import sys
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Final

from firmware_bridge.core.board_session import BoardSession
from firmware_bridge.core.bridge import Bridge
from firmware_bridge.core.recorder_session import RecorderSession
from firmware_bridge.core.session import Session
from firmware_bridge.port_task import PROMISE_S, PortTask
from firmware_bridge.settings import BridgeSettings
from runtime import settings
from runtime.faults import LinkLost, OutriderFault
from runtime.local_client import Line, LocalClient, Lost, Opened
from runtime.log import get_log
from runtime.serial_port import SerialPort
from runtime.service import Service, run_daemon

REPORT_S: Final = 10.0
LOOK_S_MAX: Final = 1.0

log = get_log("bridge")


def main(config: Path) -> int:
    """Run the daemon with the settings in `config`; returns the exit code (78: settings)."""
    try:
        bridge_settings = settings.load(config, BridgeSettings)
    except OutriderFault as fault:
        sys.stderr.write(f"{fault}\n")
        return fault.exit_code
    return run_daemon(
        lambda service: App(bridge_settings, service).run(), log_level=bridge_settings.log_level
    )


class App:
    """Wires ports and socket to the hub."""

    def __init__(self, bridge_settings: BridgeSettings, service: Service) -> None:
        self._service, self._clock = service, service.clock
        self._client = LocalClient(bridge_settings.agent.socket)
        self._agent_wake = asyncio.Event()
        now_ms = self._clock.monotonic_ms()
        pairs: list[tuple[Session, SerialPort]] = [
            (
                BoardSession(one.name, now_ms, baud=one.baud, poll_ms=one.poll_ms),
                SerialPort(one.port, one.baud),
            )
            for one in bridge_settings.board
        ]
        pairs += [
            (RecorderSession(one.name, now_ms), SerialPort(one.port, one.baud))
            for one in bridge_settings.recorder
        ]
        # Chance, not time: without a battery clock two starts may show the same second, and the
        # agent would take the second start's events for the first's.
        self._bridge = Bridge(secrets.randbits(32), [session for session, _ in pairs])
        self._tasks = {
            session.name: PortTask(session, port, self._clock, self._collect)
            for session, port in pairs
        }

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for name, task in self._tasks.items():
                tasks.create_task(task.read(), name=f"{name}-read")
                mark = self._service.watch(name, PROMISE_S)
                tasks.create_task(task.ask(mark), name=f"{name}-ask")
            tasks.create_task(self._hear_agent(), name="agent-hear")
            tasks.create_task(self._tell_agent(), name="agent-tell")
            tasks.create_task(self._report(), name="report")
            self._service.ready()

    def _collect(self, session: Session) -> None:
        events = self._bridge.collect(session, self._clock.monotonic_ms())
        for event in events:
            log.info("event", device=event.device, name=event.name, boot=event.boot,
                     number=event.event, of=session.name)  # fmt: skip
        if events or self._bridge.has_results:
            self._agent_wake.set()

    async def _hear_agent(self) -> None:
        async with aclosing(self._client.events()) as events:
            async for event in events:
                now_ms = self._clock.monotonic_ms()
                match event:
                    case Opened():
                        log.info("agent_there")
                        self._bridge.agent_opened(now_ms)
                    case Lost():
                        log.warning("agent_lost", reason=event.reason)
                        self._bridge.agent_lost()
                    case Line():
                        self._take(event.data, now_ms)
                self._agent_wake.set()

    def _take(self, line: bytes, now_ms: int) -> None:
        counts = self._bridge.counts.copy()
        name = self._bridge.agent_line(line, now_ms)
        if name is not None and name in self._tasks:
            self._tasks[name].wake.set()
        for reason in self._bridge.counts - counts:
            log.limited("agent_line_refused", reason, line=line[:200].decode(errors="replace"))

    async def _tell_agent(self) -> None:
        mark = self._service.watch("agent", PROMISE_S)
        while True:
            mark.made()
            now_ms = self._clock.monotonic_ms()
            await self._send(self._bridge.to_agent(now_ms))
            wait_s = (self._bridge.wake_ms() - self._clock.monotonic_ms()) / 1000
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, min(LOOK_S_MAX, wait_s))):
                    await self._agent_wake.wait()
            self._agent_wake.clear()

    async def _send(self, lines: list[bytes]) -> None:
        try:
            for line in lines:
                await self._client.send(line)
        except LinkLost as fault:  # `_hear_agent` will see it; then the relay sends all again
            log.limited("agent_send_failed", str(fault))

    async def _report(self) -> None:
        """What `systemctl status` shows."""
        while True:
            agent = "agent there" if self._bridge.is_connected else "agent absent"
            refused = {
                name: sum(task.session.counts.values()) for name, task in self._tasks.items()
            }
            devices = ", ".join(f"{name}: {count} faults" for name, count in refused.items())
            self._service.status(f"{agent}, {len(self._bridge.relay)} events wait; {devices}")
            await asyncio.sleep(REPORT_S)
