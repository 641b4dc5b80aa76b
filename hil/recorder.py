"""An emulated officer's recorder: newline JSON over a serial line.

Each event is identified by (device, boot, event) and repeated, 2 s and doubling to 30 s, until
`kept` comes back, over restarts too; `refused` ends it as well. A command is done once per id
and answered each time it comes. Closing a recording makes a real file and gives its SHA-256.
Command line: hil/recorder_command.py.
"""

import asyncio
import hashlib
import json
import random
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hil.device_state import DeviceState
from hil.life import InputError

UNKEPT_MAX: Final = 1024
AT_ONCE_MAX: Final = 16  # of the oldest; the others wait for these to be kept
COMMANDS_REMEMBERED: Final = 64
LINE_BYTES_MAX: Final = 16 * 1024
PORT_BUSY_RETRY_S: Final = 0.2

Message = dict[str, object]
EventKey = tuple[object, object]  # boot, event


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderOptions:
    """What this recorder is."""

    device: str
    media: Path
    file_bytes: int = 65_536
    clock_offset_ms: int = 0
    has_clock: bool = True
    repeat_s: float = 2.0
    repeat_max_s: float = 30.0


@dataclass(slots=True)
class _Waiting:
    line: bytes
    due_s: float
    wait_s: float


class Recorder:
    """The recorder's state; `write` gives bytes to the port and returns how many it took."""

    def __init__(
        self,
        options: RecorderOptions,
        state: DeviceState,
        write: Callable[[bytes], int],
        tell: Callable[..., None],
        chance: random.Random,
    ) -> None:
        self._options, self._state, self._write, self._tell = options, state, write, tell
        self._chance = chance
        self.boot = state.next_boot()
        self._event = 0
        self._since_ms: int | None = None  # when the running recording began
        self._waiting: OrderedDict[EventKey, _Waiting] = OrderedDict()
        self._news = asyncio.Event()
        self._partial = b""
        self._results: OrderedDict[object, Message] = OrderedDict()
        self.foreign = 0
        self.malformed = 0
        for message in state.unkept:
            self._enqueue(message)

    @property
    def is_recording(self) -> bool:
        """Whether a recording runs."""
        return self._since_ms is not None

    # What the wearer, or a command, does. Each returns whether it could be done, and details.

    def record_on(self) -> Message:
        """Begins a recording; raises `ValueError` where one runs."""
        if self._since_ms is not None:
            raise ValueError("already recording")
        self._since_ms = self._clock_ms()
        self._emit("recording_on", {})
        return {}

    def record_off(self) -> Message:
        """Ends the recording and closes its file; raises `ValueError` where none runs."""
        if self._since_ms is None:
            raise ValueError("not recording")
        started_ms, self._since_ms = self._since_ms, None
        self._emit("recording_off", {})
        detail = self._close_file(started_ms)
        self._emit("file_closed", detail)
        return {"file": detail["file"]}

    def mark(self) -> Message:
        """Marks this moment; raises `ValueError` where nothing is recorded."""
        if self._since_ms is None:
            raise ValueError("not recording")
        self._emit("mark", {})
        return {}

    def _clock(self) -> Message:
        """What it is by its own clock at the instant of an answer."""
        return {"device_time_ms": self._clock_ms()} if self._options.has_clock else {}

    def _clock_ms(self) -> int:
        """The recorder's own clock, wrong by its offset."""
        return int(datetime.now(UTC).timestamp() * 1000) + self._options.clock_offset_ms

    def _close_file(self, started_ms: int) -> Message:
        content = self._chance.randbytes(self._options.file_bytes)
        name = f"{self._options.device}-{self.boot}-{self._event}.mp4"
        try:
            self._options.media.mkdir(parents=True, exist_ok=True)
            (self._options.media / name).write_bytes(content)
        except OSError as cause:
            raise InputError(f"{self._options.media}: {cause}; give a writable --media") from cause
        return {
            "file": name,
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "started_ms": started_ms,
            "ended_ms": self._clock_ms(),
        }

    # Events out, until kept.

    def _emit(self, name: str, detail: Message) -> None:
        self._event += 1
        message: Message = {
            "type": "event",
            "device": self._options.device,
            "device_kind": "recorder",
            "boot": self.boot,
            "event": self._event,
            "name": name,
            "device_time_ms": self._clock_ms() if self._options.has_clock else None,
            "detail": detail,
        }
        self._state.unkept = [*self._state.unkept, message][-UNKEPT_MAX:]
        self._state.save()
        self._tell("made", name=name, boot=self.boot, number=self._event)
        self._enqueue(message)

    def _enqueue(self, message: Message) -> None:
        line = _line(message)
        key = (message["boot"], message["event"])
        self._waiting[key] = _Waiting(line, time.monotonic(), self._options.repeat_s)
        while len(self._waiting) > UNKEPT_MAX:
            self._waiting.popitem(last=False)
        self._news.set()

    async def repeat(self) -> None:
        """Sends what is due, for ever."""
        while True:
            self._news.clear()
            wait_s = self.send_due(time.monotonic())
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                continue  # something is due

    def send_due(self, now_s: float) -> float | None:
        """Sends; returns seconds to the next one, None where nothing waits."""
        oldest = list(self._waiting.values())[:AT_ONCE_MAX]
        for waiting in oldest:
            if waiting.due_s <= now_s:
                self._send(waiting, now_s)
        return max(0.0, min(w.due_s for w in oldest) - now_s) if oldest else None

    def _send(self, waiting: _Waiting, now_s: float) -> None:
        if self._write(waiting.line) < len(waiting.line):
            waiting.due_s = now_s + PORT_BUSY_RETRY_S  # nobody there: this was no attempt
            return
        waiting.due_s = now_s + waiting.wait_s
        waiting.wait_s = min(waiting.wait_s * 2, self._options.repeat_max_s)

    # Lines in.

    def receive(self, chunk: bytes) -> None:
        """Takes bytes from the port; whole lines act, damaged ones are counted."""
        *lines, partial = (self._partial + chunk).split(b"\n")
        self._partial = partial if len(partial) <= LINE_BYTES_MAX else b""
        for line in lines:
            if line.strip():
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            self.malformed += 1
        elif message.get("device") != self._options.device:
            self.foreign += 1
        elif message.get("type") in {"kept", "refused"}:
            self._settle(message)
        elif message.get("type") == "command":
            self._command(message)
        else:
            self.malformed += 1

    def _settle(self, message: Message) -> None:
        key = (message.get("boot"), message.get("event"))
        if not all(isinstance(part, int) for part in key) or key not in self._waiting:
            return  # kept twice
        del self._waiting[key]
        self._state.unkept = [
            kept for kept in self._state.unkept if (kept["boot"], kept["event"]) != key
        ]
        self._state.save()
        self._tell(str(message["type"]), boot=key[0], number=key[1], reason=message.get("reason"))
        self._news.set()

    def _command(self, message: Message) -> None:
        number = message.get("id")
        if not isinstance(number, int):
            self.malformed += 1
            return
        if number not in self._results:
            self._results[number] = self._do(message)
            while len(self._results) > COMMANDS_REMEMBERED:
                self._results.popitem(last=False)
        self._write(_line(self._results[number]))

    def _do(self, message: Message) -> Message:
        does = {"record_on": self.record_on, "record_off": self.record_off, "mark": self.mark}
        name = message.get("name")
        result: Message = {
            "type": "command_result",
            "device": self._options.device,
            "id": message["id"],
        }
        if not isinstance(name, str) or name not in does:
            reason = f"a recorder cannot {name}"
            return {**result, "ok": False, "detail": {"reason": reason}}
        if name == "record_on" and self.is_recording:
            return {**result, "ok": True, "detail": self._clock() | {"already": True}}
        try:
            return {**result, "ok": True, "detail": self._clock() | does[name]()}
        except ValueError as cause:
            return {**result, "ok": False, "detail": {"reason": str(cause)}}


def _line(message: Message) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
