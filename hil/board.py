"""An emulated vehicle board: firmware with SMP on its serial console, and inputs that change.

Answers the groups OS (0), image (1, reading only) and inputs (64, the first user group): command
0 of 64 takes `{"after": n}` and gives `{"boot", "inputs", "events": [[n, name, 1|0, ms ago]]}`,
the events numbered above n of the last 64. All else gets error 8 (not supported). Further groups
and commands register in `Board.commands`. Command line: hil/board_command.py.
"""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from hil.smp_codec import READ, WRITE, Frame, SmpError
from hil.tiny_cbor import Value

OS_GROUP, IMAGE_GROUP, INPUT_GROUP = 0, 1, 64
EVENTS_HELD: Final = 64
INPUTS: Final = ("ignition", "sos")
BUFFER_BYTES: Final = 2048
BUFFER_COUNT: Final = 4

RC_BAD_VALUE: Final = 3
RC_NOT_SUPPORTED: Final = 8
OS_BAD_FORMAT: Final = 2  # the OS group's own error, second protocol version

Body = dict[str, Value]


class Refused(Exception):
    """A request that gets an error: `rc`, and the group's own error where it has one."""

    def __init__(self, rc: int, group_rc: int | None = None) -> None:
        super().__init__(f"rc {rc}")
        self.rc, self.group_rc = rc, group_rc


class Board:
    """The firmware's state and its answers; knows no port."""

    def __init__(self, boot: int = 1, clock_offset: timedelta = timedelta(0)) -> None:
        self.boot = boot
        self.inputs = dict.fromkeys(INPUTS, False)
        self.slots: list[Body] = [_slot(0, "1.4.0", running=True), _slot(1, "1.3.2")]
        self.reset_asked = False
        self.answered = 0
        self._clock_offset = clock_offset
        self._event = 0
        self._events: deque[tuple[int, str, bool, float]] = deque(maxlen=EVENTS_HELD)
        self.commands: dict[tuple[int, int, int], Callable[[Body], Body]] = {
            (OS_GROUP, READ, 0): self._echo,
            (OS_GROUP, WRITE, 0): self._echo,
            (OS_GROUP, READ, 4): self._read_clock,
            (OS_GROUP, WRITE, 4): self._set_clock,
            (OS_GROUP, WRITE, 5): self._reset,
            (OS_GROUP, READ, 6): self._parameters,
            (OS_GROUP, READ, 8): self._bootloader,
            (IMAGE_GROUP, READ, 0): self._image_state,
            (INPUT_GROUP, READ, 0): self._read_inputs,
        }

    def set_input(self, name: str, is_on: bool) -> None:
        """An input's level changes; the same level again is no event."""
        if self.inputs[name] == is_on:
            return
        self.inputs[name] = is_on
        self._event += 1
        self._events.append((self._event, name, is_on, time.monotonic()))

    def reboot(self, boot: int) -> None:
        """A new boot: event numbers begin again, what was held in memory is gone."""
        self.boot = boot
        self.reset_asked = False
        self._event = 0
        self._events.clear()

    def answer(self, request: Frame) -> Frame | None:
        """The answer; None for what is no request."""
        if request.operation not in {READ, WRITE}:
            return None
        self.answered += 1
        try:
            return request.answer(self._do(request))
        except Refused as refused:
            return request.answer(_error(request, refused))

    def _do(self, request: Frame) -> Body:
        command = self.commands.get((request.group, request.operation, request.command))
        if command is None:
            raise Refused(RC_NOT_SUPPORTED)
        try:
            body = request.body()
        except SmpError as cause:
            raise Refused(RC_BAD_VALUE) from cause
        return command(body)

    def _echo(self, body: Body) -> Body:
        said = body.get("d")
        if not isinstance(said, str):
            raise Refused(RC_BAD_VALUE)
        return {"r": said}

    def _read_clock(self, body: Body) -> Body:
        del body
        now = datetime.now(UTC) + self._clock_offset
        return {"datetime": now.replace(tzinfo=None).isoformat(timespec="milliseconds")}

    def _set_clock(self, body: Body) -> Body:
        said = body.get("datetime")
        try:
            wanted = datetime.fromisoformat(said if isinstance(said, str) else "")
        except ValueError as cause:
            raise Refused(RC_BAD_VALUE, OS_BAD_FORMAT) from cause
        wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
        self._clock_offset = wanted - datetime.now(UTC)
        return {}

    def _reset(self, body: Body) -> Body:
        del body
        self.reset_asked = True
        return {}

    def _parameters(self, body: Body) -> Body:
        del body
        return {"buf_size": BUFFER_BYTES, "buf_count": BUFFER_COUNT}

    def _bootloader(self, body: Body) -> Body:
        if "query" not in body:
            return {"bootloader": "MCUboot"}
        if body["query"] != "mode":
            raise Refused(RC_NOT_SUPPORTED, 3)  # the query yields no answer
        return {"mode": 1}  # swap using scratch

    def _image_state(self, body: Body) -> Body:
        del body
        return {"images": self.slots, "splitStatus": 0}

    def _read_inputs(self, body: Body) -> Body:
        after = body.get("after", 0)
        if isinstance(after, bool) or not isinstance(after, int) or after < 0:
            raise Refused(RC_BAD_VALUE)
        now_s = time.monotonic()
        events: list[Value] = [
            [number, name, int(is_on), int((now_s - at_s) * 1000)]
            for number, name, is_on, at_s in self._events
            if number > after
        ]
        return {"boot": self.boot, "inputs": dict(self.inputs), "events": events}


def _error(request: Frame, refused: Refused) -> Body:
    if request.version and refused.group_rc is not None:
        return {"err": {"group": request.group, "rc": refused.group_rc}}
    return {"rc": refused.rc}


def _slot(number: int, version: str, *, running: bool = False) -> Body:
    """A slot as MCUboot's state says it; the hash stands for an image of that version."""
    image_hash = hashlib.sha256(f"board image {version}".encode()).digest()
    state: Mapping[str, bool] = {
        "bootable": True,
        "pending": False,
        "confirmed": running,
        "active": running,
        "permanent": False,
    }
    return {"slot": number, "version": version, "hash": image_hash, **state}
