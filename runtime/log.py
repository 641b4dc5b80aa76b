"""One `key=value` line per event to stderr; a blocked stderr never blocks the loop.

Line: `time=2026-01-31T23:59:59.123Z level=info log=agent event=port_lost port=/dev/x`, always
one line; under journald `<6>` for the level and no time. Same event name, same keys. No keys,
positions or names of persons above DEBUG. Libraries that log through stdlib come out the same
way. `start()` is called once per process by `runtime.service`; `get_log` anywhere.
"""

import json
import logging
import os
import re
import select
import sys
import threading
from collections import deque
from datetime import UTC, datetime
from typing import Final

from runtime.clock import Clock, SystemClock

LINES_MAX: Final = 4096  # about 1 MB; what comes beyond is dropped and counted
LIMIT_INTERVAL_MS: Final = 10_000
_LIMIT_KEYS_MAX: Final = 256
_VALUE_CHARS_MAX: Final = 1000
_TRACEBACK_CHARS_MAX: Final = 8000
_PLAIN: Final = re.compile(r"[\w.:/@+,%*#\[\]{}()<>|;!?&~^$-]+", re.ASCII)
_SYSLOG: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_ROOT: Final = "outrider"


class Log:
    """Names events of one part of the product; the name is the `log=` value of its lines."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._logger = logging.getLogger(f"{_ROOT}.{name}")
        self._clock = clock
        self._limits: dict[tuple[str, str], tuple[int, int]] = {}  # key -> next_ms, suppressed

    def debug(self, event: str, cause: BaseException | None = None, **fields: object) -> None:
        self._write(logging.DEBUG, event, fields, cause)

    def info(self, event: str, **fields: object) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, cause: BaseException | None = None, **fields: object) -> None:
        """`cause` adds its traceback, in the same line."""
        self._write(logging.ERROR, event, fields, cause)

    def limited(
        self, event: str, reason: str = "", level: int = logging.WARNING, **fields: object
    ) -> None:
        """As `warning`, but per (event, reason) the first at once, then one per 10 s.

        The next line says how many were `suppressed` before it.
        """
        now_ms, key = self._clock.monotonic_ms(), (event, reason)
        next_ms, suppressed = self._limits.pop(key, (now_ms, 0))
        if now_ms < next_ms:
            self._limits[key] = (next_ms, suppressed + 1)
            return
        if len(self._limits) >= _LIMIT_KEYS_MAX:
            self._limits.pop(next(iter(self._limits)))
        self._limits[key] = (now_ms + LIMIT_INTERVAL_MS, 0)
        counts = {"suppressed": suppressed} if suppressed else {}
        reasons = {"reason": reason} if reason else {}
        self._write(level, event, {**reasons, **fields, **counts})

    def _write(
        self,
        level: int,
        event: str,
        fields: dict[str, object],
        cause: BaseException | None = None,
    ) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", pairs({"event": event, **fields}), exc_info=cause)


def get_log(name: str, clock: Clock | None = None) -> Log:
    """A log under `name`; `clock` paces `limited`."""
    return Log(name, clock or SystemClock())


def pairs(fields: dict[str, object]) -> str:
    """`key=value key="quoted value"`; never more than one line."""
    return " ".join(f"{key}={quoted(value)}" for key, value in fields.items())


def quoted(value: object, chars_max: int = _VALUE_CHARS_MAX) -> str:
    """One value as it stands in a line: plain if it can, else a JSON string without newlines."""
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case bytes() | bytearray():
            return value[: chars_max // 2].hex() or '""'
        case _:
            text = str(value)
    if len(text) > chars_max:
        text = text[:chars_max] + "…"
    if _PLAIN.fullmatch(text):
        return text
    escaped = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in escaped)


class LineFormatter(logging.Formatter):
    """A record of ours or of a library as one line."""

    def __init__(self, for_journald: bool) -> None:
        super().__init__()
        self._for_journald = for_journald

    def format(self, record: logging.LogRecord) -> str:
        ours = record.name.startswith(f"{_ROOT}.")
        name = record.name.removeprefix(f"{_ROOT}.")
        message = record.getMessage()
        text = message if ours else pairs({"event": "library", "message": message})
        if record.exc_info and record.exc_info[1]:
            traceback = self.formatException(record.exc_info)
            text += f" traceback={quoted(traceback[-_TRACEBACK_CHARS_MAX:], _TRACEBACK_CHARS_MAX)}"
        level = record.levelname.lower()
        head = f"level={level} log={quoted(name)}"
        if self._for_journald:
            return f"<{_SYSLOG.get(level, 6)}>{head} {text}"
        moment = datetime.fromtimestamp(record.created, UTC)
        return f"time={moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z {head} {text}"


class BoundedHandler(logging.Handler):
    """Hands lines to one thread that may block on the stream; holds at most `lines_max`."""

    def __init__(self, descriptor: int, lines_max: int = LINES_MAX) -> None:
        super().__init__()
        self.dropped = 0
        self._descriptor, self._lines_max = descriptor, lines_max
        self._lines: deque[bytes | threading.Event] = deque()  # an Event marks a drain
        self._some, self._said = threading.Event(), 0
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        self.put_line(self.format(record))

    def put_line(self, line: str) -> None:
        """A line as it is; dropped and counted where too many wait."""
        if len(self._lines) >= self._lines_max:
            self.dropped += 1
            return
        self._lines.append(line.encode(errors="backslashreplace") + b"\n")
        self._some.set()

    def drain(self, timeout_s: float) -> None:
        """Wait until all is written, at most `timeout_s`."""
        reached = threading.Event()
        self._lines.append(reached)
        self._some.set()
        reached.wait(timeout_s)

    def _run(self) -> None:
        while self._some.wait():
            self._some.clear()
            while self._lines:
                line = self._lines.popleft()
                if isinstance(line, threading.Event):
                    line.set()
                elif self._put(line):
                    self._tell_dropped()
                else:
                    self.dropped += 1

    def _tell_dropped(self) -> None:
        if self.dropped > self._said:
            count, self._said = self.dropped - self._said, self.dropped
            self._put(f"level=warning log=log event=log_lines_dropped count={count}\n".encode())

    def _put(self, line: bytes) -> bool:
        try:
            while line:
                select.select((), (self._descriptor,), ())  # some share stderr as non-blocking
                line = line[os.write(self._descriptor, line) :]
        except OSError:  # the reader is gone: a daemon lives on without a log
            return False
        return True


def start(level: str = "info", descriptor: int | None = None) -> BoundedHandler:
    """Send this process's log to stderr (or `descriptor`); replaces an earlier start."""
    handler = BoundedHandler(sys.stderr.fileno() if descriptor is None else descriptor)
    handler.setFormatter(LineFormatter(for_journald="JOURNAL_STREAM" in os.environ))
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h, BoundedHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)  # libraries: only what went wrong
    set_level(level)
    return handler


def set_level(level: str) -> None:
    """From now on: `debug`, `info`, `warning` or `error`."""
    logging.getLogger(_ROOT).setLevel(level.upper())
