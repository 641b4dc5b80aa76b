"""The officers' and the vehicle's recorders: commands out, what they did in, the alarm of one off.

What must be on is `core/recording`'s, what a file belongs to `core/recorded`'s. Commands go to the
client that serves the recorder: a bridge says so at each connection. Its task runs in the agent's
group; the device socket hands it results.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from agent.codebook import Codes
from agent.core import recorded
from agent.core.ignition import Ignition
from agent.core.recorded import Recorded, Recordings
from agent.core.recording import Acts, Recording, Rules, bound
from agent.settings import RecordingSettings
from agent.terminal import Terminal
from agent.waiting import wait_at_most
from protocol import device
from protocol.codebook_model import Codebook
from protocol.refusal import Refused
from runtime.local_socket import Client
from runtime.log import get_log

log = get_log("recorders")

ID_BITS = 20  # of the commands of one boot


class Recorders:
    """One terminal's. `kept`: the rows of its store."""

    def __init__(
        self,
        terminal: Terminal,
        ignition: Ignition,
        settings: RecordingSettings,
        kept: Mapping[str, object],
        codes: Codes,
    ) -> None:
        self._terminal, self._ignition, self._codes = terminal, ignition, codes
        self._recording = Recording(_rules(settings), terminal.logbook.boot << ID_BITS)
        self._recordings = Recordings(_kept(kept.get(recorded.ROW)))
        self._serving: dict[str, Client] = {}
        self._told = self.view()
        self._wake = asyncio.Event()
        self._recording.seen(terminal.state)
        terminal.complete = self._complete
        terminal.on_change(self._changed)
        terminal.on_status(self._said)

    def use(self, settings: RecordingSettings) -> None:
        """Other settings from now on."""
        self._recording.rules = _rules(settings)
        self._changed()

    def view(self) -> dict[str, Any]:
        """The fields of `device.State` that are ours."""
        return {
            "recorders": self._recording.view(),
            "recorder_not_on": self._recording.sounds,
        }

    def serves(self, client: Client, names: tuple[str, ...]) -> None:
        """`client` takes commands to these devices; what it said before holds no more."""
        self.closed(client)
        self._serving.update(dict.fromkeys(names, client))
        self._wake.set()

    def closed(self, client: Client) -> None:
        self._serving = {
            name: one for name, one in self._serving.items() if one.number != client.number
        }

    def answered(self, result: device.CommandResult) -> None:
        now = self._terminal.timekeeper.now()
        log.info("command_result", device=result.device, id=result.id, ok=result.ok)
        self._recordings.answered(result.device, result.detail.get("device_time_ms"), now)
        self._recording.answered(result, now.uptime_ms)
        self._wake.set()

    async def run(self) -> None:
        """What is due, when it is."""
        while True:
            self._wake.clear()
            uptime_ms = self._terminal.timekeeper.uptime_ms()
            self._recording.ignition_is_on = self._ignition.is_on
            acts = self._recording.due(uptime_ms)
            await self._do(acts, uptime_ms)
            if self._told != (told := self.view()):
                self._told = told
                self._terminal.changed()
            wait_ms = self._recording.wake_ms(uptime_ms) - uptime_ms
            await wait_at_most(self._wake, max(20, wait_ms) / 1000)

    async def _do(self, acts: Acts, uptime_ms: int) -> None:
        for command in acts.commands:
            client = self._serving.get(command.device)
            if client is None or not client.send(device.encode(command).rstrip(b"\n")):
                self._recording.answered(_nobody(command), uptime_ms)
            else:
                log.info("command", device=command.device, name=command.name, id=command.id)
        for alarm in acts.alarms:
            log.warning(alarm.code, text=alarm.text)
            await self._terminal.note(alarm)

    def _complete(self, event: device.Event) -> tuple[device.Event, Mapping[str, object]]:
        """A device's event with what its entry is to name; the recorders' state follows it."""
        state, now = self._terminal.state, self._terminal.timekeeper.now()
        self._recording.heard(event, now.uptime_ms)
        self._wake.set()
        if event.device_kind != "recorder":
            return event, {}
        officers = bound(state.crew, self._recording.rules.vehicle)
        completed = self._recordings.heard(event, state, officers, now)
        return completed, self._recordings.row()

    def _said(self, command: device.SetStatus) -> None:
        self._recording.said(command, is_work=_is_work(self._codes.book, command.reason))
        self._wake.set()

    def _changed(self) -> None:
        self._recording.seen(self._terminal.state)
        self._recordings.seen(self._terminal.state)
        self._wake.set()


def _is_work(book: Codebook | None, reason: str | None) -> bool:
    """Whether `busy` for that reason is what incidents are made of; in doubt it is."""
    if book is None or reason is None:
        return True
    kind = book.kind(reason)
    return kind is not None and kind.dispatched


def _rules(settings: RecordingSettings) -> Rules:
    return Rules(
        settings.on_accept, settings.on_ignition, round(settings.stop_after_s * 1000),
        settings.vehicle,
    )  # fmt: skip


def _kept(row: object) -> dict[str, Recorded]:
    """What an unreadable row said is forgotten: a file then names what holds when it is closed."""
    if not isinstance(row, bytes):
        return {}
    try:
        return recorded.decode(row)
    except Refused as refused:
        log.warning("recordings_unreadable", reason=refused.detail)
        return {}


def _nobody(command: device.Command) -> device.CommandResult:
    return device.CommandResult(
        device=command.device, id=command.id, ok=False, detail={"reason": "no bridge serves it"}
    )
