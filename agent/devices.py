"""The local socket: device events in, `kept` out; the crew's commands; the watchers' feed.

Newline-delimited JSON (protocol/device.py). `kept` is said only after the entry is synced; with a
full disk nothing is said, so the device repeats. A line that is no message is refused by one line
that names the field. Watchers get a `State` at once after each change of orders or status.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from pydantic import BaseModel

from agent.core.answers import CrewRefused
from agent.core.ignition import Ignition
from agent.core.silence import Silence
from agent.recorders import Recorders
from agent.terminal import Terminal
from protocol import device
from protocol.refusal import Reason, Refused
from runtime.faults import StoreBusy, StoreFull
from runtime.local_socket import Client
from runtime.log import get_log

log = get_log("devices")

IDLE_STATES_MS: Final = 1000  # a new fix alone shows at most so often
WATCHERS_MAX: Final = 8


class Devices:
    """`handle` serves one line of a client; `view` gives the present `State`."""

    def __init__(
        self,
        terminal: Terminal,
        view: Callable[[], device.State],
        ignition: Ignition,
        check: Callable[[BaseModel], None],
        recorders: Recorders,
    ) -> None:
        """`check` raises CrewRefused for a command with a code that is none."""
        self._terminal, self._view, self._ignition = terminal, view, ignition
        self._check, self.recorders = check, recorders
        self._silence = Silence()
        self.on_event: list[Callable[[device.Event], None]] = []
        self._watching: dict[int, Client] = {}
        self._shown_ms = 0
        self._later: asyncio.TimerHandle | None = None
        terminal.on_change(self._show)
        terminal.on_stir(self.show_soon)

    async def handle(self, client: Client, line: bytes) -> None:
        try:
            message = device.decode(line)
        except Refused as refused:
            log.limited("line_refused", refused.detail, pid=client.pid)
            _send(client, device.Refusal(
                reason=refused.detail, remedy="send one message of protocol/device.py a line"
            ))  # fmt: skip
            return
        match message:
            case device.Event():
                await self._event(client, message)
            case device.Status():
                _send(client, self.state())
            case device.Watch():
                self._watch(client)
            case device.CommandResult():
                self.recorders.answered(message)
            case device.Serves():
                self.recorders.serves(client, message.devices)
            case _:
                _send(client, await self.obey(message))

    def refused_line(self, client: Client, reason: str) -> None:
        """A line was too long to be read."""
        _send(client, device.Refusal(reason=reason, remedy="send shorter lines"))

    def closed(self, client: Client) -> None:
        self._watching.pop(client.number, None)
        self.recorders.closed(client)

    def show_soon(self) -> None:
        """A new fix, a figure: watchers see it, but such changes once a second at most."""
        if not self._watching or self._later is not None:
            return
        left_ms = self._shown_ms + IDLE_STATES_MS - self._terminal.timekeeper.uptime_ms()
        if left_ms <= 0:
            self._show()
        else:
            self._later = asyncio.get_running_loop().call_later(left_ms / 1000, self._show)

    async def _event(self, client: Client, event: device.Event) -> None:
        self._ignition.heard(event)  # true whether or not there is room to keep it
        for hear in self.on_event:
            hear(event)
        try:
            await self._terminal.event(event)
            self._silence.raised(event, self._terminal.timekeeper.uptime_ms())
        except Refused as refused:
            remedy = "do not repeat it; correct the device"
            refusal = device.Refusal(
                device=event.device, boot=event.boot, event=event.event,
                reason=refused.detail, remedy=remedy,
            )  # fmt: skip
            _send(client, refusal)
        except (StoreFull, StoreBusy):
            log.limited("event_not_kept", "disk full", device=event.device)
        else:
            kept = device.Kept(device=event.device, boot=event.boot, event=event.event)
            _send(client, kept)

    async def obey(self, command: BaseModel) -> device.Done | device.Refusal:
        """A crew's command, from the socket or the screen: synced, or refused with the remedy."""
        try:
            self._check(command)
            match command:
                case device.Logon():
                    entry = await self._terminal.log_on(command)
                case device.Logoff() | device.SetStatus() | device.Answer() | device.Reply():
                    entry = await self._terminal.crew(command)
                    if isinstance(command, device.SetStatus):
                        self._silence.said(command, self._terminal.timekeeper.uptime_ms())
                case device.Chimed():
                    await self._terminal.chimed(command.order, command.revision)
                    entry = 0  # there is none: it is a note of this terminal's own
                case _:
                    raise Refused(
                        Reason.MALFORMED, f"{type(command).__name__} is not for the agent"
                    )
        except CrewRefused as refused:
            return device.Refusal(reason=refused.reason, remedy=refused.remedy)
        except Refused as refused:
            return device.Refusal(reason=refused.detail, remedy="shorten or correct it")
        except (StoreFull, StoreBusy) as fault:
            remedy = f"{fault.remedy}; until then use the radio"
            return device.Refusal(reason="the terminal's disk is full", remedy=remedy)
        return device.Done(entry=entry)

    def state(self) -> device.State:
        """The terminal as its crew sees it now."""
        silent = self._silence.holds(self._terminal.timekeeper.uptime_ms())
        return self._view().model_copy(update={"silent": silent, **self.recorders.view()})

    def _watch(self, client: Client) -> None:
        if client.number not in self._watching and len(self._watching) >= WATCHERS_MAX:
            reason = f"{WATCHERS_MAX} clients watch already"
            _send(client, device.Refusal(reason=reason, remedy="end one of them"))
            return
        self._watching[client.number] = client
        _send(client, self.state())

    def _show(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if not self._watching:
            return
        self._shown_ms = self._terminal.timekeeper.uptime_ms()
        line = device.encode(self.state()).rstrip(b"\n")
        for client in tuple(self._watching.values()):
            client.send(line)


def _send(client: Client, message: BaseModel) -> None:
    client.send(device.encode(message).rstrip(b"\n"))
