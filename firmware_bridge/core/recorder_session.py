"""One recorder: newline-delimited JSON over a serial line (protocol/device.py).

In: `event`, `command_result`; out: `kept` and `refused` for events, `command`. A recorder speaks
for itself only: the name in a line must be that of the port's settings, the event one that a
recorder can have. It repeats an event until it hears `kept`, so nothing is remembered here.
Called by `bridge` and `port_task`.
"""

import json
import re
from collections import Counter, deque
from typing import Final

from firmware_bridge.core.command_desk import CommandDesk
from firmware_bridge.core.json_lines import JsonLines
from firmware_bridge.core.presence import Presence
from firmware_bridge.core.session import NEVER_MS, Output
from protocol import device
from protocol.device import Command, CommandResult, Event, Refusal
from protocol.refusal import Reason, Refused

NAMES: Final = frozenset({"recording_on", "recording_off", "mark", "file_closed", "sos"})
OUTBOX_LINES_MAX: Final = 256
WRITE_BYTES_MAX: Final = 4096  # and the rest of a line
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_REMEDY: Final = "do not repeat it; correct the recorder or the bridge's settings"


class RecorderSession:
    """See `session.Session`."""

    def __init__(self, name: str, now_ms: int) -> None:
        self.name, self.counts = name, Counter[str]()
        self._lines, self._desk = JsonLines(), CommandDesk(name)
        self._presence = Presence(name, "recorder", now_ms)
        self._outputs: list[Output] = []
        # Where too many wait the oldest goes: the recorder says its event again.
        self._outbox: deque[bytes] = deque(maxlen=OUTBOX_LINES_MAX)
        self._is_open, self._reason = False, "not connected"

    def opened(self, now_ms: int) -> None:
        self._is_open = True
        self._lines.reset()
        self._outputs += self._presence.seen(now_ms)

    def lost(self, reason: str, now_ms: int) -> None:
        if self._is_open:
            self._presence.seen(now_ms)  # the grace begins where the line ends
        self._is_open, self._reason = False, reason
        self._outbox.clear()
        self._outputs += self._presence.missing(reason, now_ms)

    def received(self, chunk: bytes, now_ms: int) -> None:
        del now_ms
        for line in self._lines.feed(chunk):
            try:
                self._take(device.decode(line))
            except Refused as refused:
                self.counts[f"line_{refused.reason}"] += 1
                self._tell_refused(line, refused.detail)
        if self._lines.too_long:
            self.counts["line_too_large"] += self._lines.too_long
            self._lines.too_long = 0

    def to_write(self, now_ms: int) -> bytes:
        if not self._is_open:
            self._outputs += self._presence.missing(self._reason, now_ms)
        again, given_up = self._desk.due(now_ms)
        self._outputs += given_up
        if not self._is_open:
            return b""
        self._outbox.extend(again)
        lines = bytearray()
        while self._outbox and len(lines) < WRITE_BYTES_MAX:
            lines += self._outbox.popleft()
        return bytes(lines)

    def wake_ms(self) -> int:
        if self._is_open:
            return -NEVER_MS if self._outbox else self._desk.wake_ms()
        return min(self._desk.wake_ms(), self._presence.wake_ms())

    def outputs(self) -> list[Output]:
        outputs, self._outputs = self._outputs, []
        return outputs

    def taken(self, event: Event) -> None:
        """The recorder hears of it when it is kept, not before."""

    def settled(self, event: Event, refusal: Refusal | None, now_ms: int) -> None:
        del now_ms
        kept = device.Kept(device=self.name, boot=event.boot, event=event.event)
        self._say(kept if refusal is None else refusal)

    def command(self, command: Command, now_ms: int) -> None:
        result = self._desk.take(command, now_ms) if self._is_open else self._not_there(command)
        if result is not None:
            self._outputs.append(result)

    def _not_there(self, command: Command) -> CommandResult:
        detail: device.Detail = {"reason": f"not connected: {self._reason[:200]}"}
        return CommandResult(device=self.name, id=command.id, ok=False, detail=detail)

    def _take(self, message: object) -> None:
        match message:
            case Event():
                self._check(message)
                self._outputs.append(message)
            case CommandResult(device=self.name):
                if self._desk.answered(message):
                    self._outputs.append(message)
                else:
                    self.counts["result_not_asked"] += 1
            case _:
                what = f"{type(message).__name__} is not for a recorder to say"
                raise Refused(Reason.WRONG_KIND, what)

    def _check(self, event: Event) -> None:
        """Raises Refused."""
        if event.device != self.name:
            what = f"device {event.device!r} on the line of {self.name!r}"
            raise Refused(Reason.UNKNOWN_SENDER, what)
        if event.device_kind != "recorder" or event.name not in NAMES:
            what = f"a recorder's line cannot carry {event.device_kind} {event.name}"
            raise Refused(Reason.WRONG_KIND, what)
        if event.name == "file_closed":
            _check_file(event.detail)

    def _tell_refused(self, line: bytes, reason: str) -> None:
        """So that it is not repeated; only where the line says which event it was."""
        number = _numbers(line)
        if number is not None:
            boot, event = number
            self._say(
                Refusal(
                    device=self.name, boot=boot, event=event, reason=reason[:200], remedy=_REMEDY
                )
            )

    def _say(self, message: device.Kept | Refusal) -> None:
        if self._is_open:
            self._outbox.append(device.encode(message))


def _check_file(detail: device.Detail) -> None:
    """What makes a file findable and its bytes provable must be there. Raises Refused."""
    sha256 = detail.get("sha256")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise Refused(Reason.MALFORMED, f"detail.sha256: {sha256!r:.40} is not 64 hex digits")
    if not isinstance(detail.get("file"), str):
        raise Refused(Reason.MALFORMED, "detail.file: no name")
    for key in ("bytes", "started_ms", "ended_ms"):
        value = detail.get(key)
        if type(value) is not int or value < 0:
            raise Refused(Reason.MALFORMED, f"detail.{key}: {value!r:.40} is no number")


def _numbers(line: bytes) -> tuple[int, int] | None:
    """(boot, event) of a line that is an event and still not a good one."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match said:
        case {"boot": int(boot), "event": int(event)}:
            small = abs(boot) < 1 << 53 and abs(event) < 1 << 53
            return (boot, event) if small else None
        case _:
            return None
