"""`outrider gnss decode`: receiver bytes in, one JSON object per navigation epoch out.

Keys: `time` (ISO 8601 UTC with ms, or null), `lat`, `lon`, `alt_m`, `sog_mps`, `cog_deg`, `fix`
(`none`, `2d`, `3d`), `satellites`, `hdop`, `flags`. The same parts that the agent uses, without a
clock: arrival is taken to follow the receiver's own time of day, so a date that leaps still shows.
Leading `#` lines (notes in front of a recorded log) are skipped. Called by `outrider.py`.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from agent.core import integrity
from agent.core.dating import NOT_BEFORE_MAX
from agent.core.epoch import EpochAssembler
from agent.core.fix import DAY_MS, Fix
from agent.core.framing import SentenceFramer
from agent.core.nmea import SentenceGate

CHUNK_BYTES: Final = 65_536

_UNIX: Final = datetime(1970, 1, 1, tzinfo=UTC)


class HeaderSkipper:
    """Drops the lines that start with `#` before the first that does not; keeps no line."""

    def __init__(self) -> None:
        self._in_header = True
        self._in_line = False

    def feed(self, chunk: bytes) -> bytes:
        """Return what of `chunk` is not header."""
        while self._in_header and chunk:
            if self._in_line:
                _, newline, chunk = chunk.partition(b"\n")
                self._in_line = not newline
            elif chunk.startswith(b"#"):
                self._in_line = True
            else:
                self._in_header = False
        return chunk


class Decoder:
    """One receiver's bytes to judged fixes; the same fixes however the bytes are cut."""

    def __init__(self, not_before: date | None = None) -> None:
        self.framer = SentenceFramer()
        self.gate = SentenceGate()
        self.assembler = EpochAssembler(not_before)
        self._header = HeaderSkipper()
        self._track = integrity.Track()
        self._now_ms = 0
        self._time_of_day_ms: int | None = None

    def feed(self, chunk: bytes) -> list[Fix]:
        """Return the fixes that `chunk` completes."""
        return self._fixes(self.framer.feed(self._header.feed(chunk)))

    def flush(self) -> list[Fix]:
        """Return what the end of the stream completes."""
        fixes = self._fixes(self.framer.flush())
        return fixes + [self._judge(fix) for fix in self.assembler.flush()]

    def _fixes(self, sentences: list[bytes]) -> list[Fix]:
        fixes: list[Fix] = []
        for raw in sentences:
            sentence = self.gate.accept(raw)
            if sentence is not None:
                fixes += [self._judge(fix) for fix in self.assembler.feed(sentence)]
        return fixes

    def _judge(self, fix: Fix) -> Fix:
        if fix.time_of_day_ms is not None:
            if self._time_of_day_ms is not None:
                self._now_ms += self._passed_ms(fix.time_of_day_ms - self._time_of_day_ms)
            self._time_of_day_ms = fix.time_of_day_ms
        judged, self._track = integrity.check(fix, self._track, self._now_ms)
        return judged

    @staticmethod
    def _passed_ms(step_ms: int) -> int:
        """Time of day runs forward over midnight; a step back of under half a day is no time."""
        forward_ms = step_ms % DAY_MS
        return forward_ms if forward_ms <= DAY_MS // 2 else 0


def main(argv: list[str]) -> int:
    """`outrider gnss decode`: 2 for wrong usage, else what `run` returns."""
    parser = argparse.ArgumentParser(
        prog="outrider gnss decode",
        description="Receiver bytes in; one JSON object for each navigation epoch out.",
        epilog="example: outrider gnss decode --not-before 2024-01-01 drive.nmea",
    )
    parser.add_argument("file", metavar="FILE|-", help="recorded bytes; - is standard input")
    parser.add_argument(
        "--not-before",
        metavar="DATE",
        help="YYYY-MM-DD; an earlier date is moved forward by whole 1,024 weeks",
    )
    parser.add_argument("--json", action="store_true", help="the output is JSON in any case")
    try:
        options = parser.parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    return run(options.file, options.not_before, sys.stdout)


class UnreadableError(Exception):
    """The input cannot be read; the text says why."""


def run(path: str, not_before: str | None, out: TextIO, err: TextIO | None = None) -> int:
    """Decode the file at `path` (`-`: standard input) to `out`; return the exit code.

    0 also where the sentences hold no fix. 1 with one line on `err` where the input cannot be
    read, holds no NMEA sentence at all, or `not_before` is no date (YYYY-MM-DD).
    """
    complaints = sys.stderr if err is None else err
    try:
        decoder = Decoder(None if not_before is None else date.fromisoformat(not_before))
    except ValueError:
        return _fail(
            complaints,
            f"--not-before: {not_before!r} is no usable date;"
            f" give YYYY-MM-DD, {NOT_BEFORE_MAX} at the latest",
        )
    try:
        for chunk in _chunks(path):
            _write(decoder.feed(chunk), out)
        _write(decoder.flush(), out)
    except UnreadableError as fault:
        return _fail(complaints, f"{path}: {fault}; give a readable file, or - for standard input")
    except BrokenPipeError:
        return _close_quietly(out)
    if not decoder.gate.accepted + decoder.gate.ignored:
        return _fail(
            complaints,
            f"{path}: no NMEA sentence in it ({summary(decoder)});"
            " check the baud rate and that the receiver speaks NMEA 0183",
        )
    print(summary(decoder), file=complaints)
    return 0


def to_json(fix: Fix) -> str:
    """One epoch as one JSON object on one line; an absent value is null."""
    return json.dumps(
        {
            "time": None if fix.epoch_ms is None else _iso(fix.epoch_ms),
            "lat": _rounded(fix.lat_deg, 9),
            "lon": _rounded(fix.lon_deg, 9),
            "alt_m": _rounded(fix.alt_m, 3),
            "sog_mps": _rounded(fix.sog_mps, 4),
            "cog_deg": _rounded(fix.cog_deg, 3),
            "fix": fix.kind.value,
            "satellites": fix.satellites,
            "hdop": fix.hdop,
            "flags": list(fix.flags),
        }
    )


def summary(decoder: Decoder) -> str:
    """One line for the technician: what was taken, what was not and why."""
    counts = {
        "sentences": decoder.gate.accepted,
        "others": decoder.gate.ignored,
        **{f"refused {reason}": n for reason, n in sorted(decoder.gate.refused.items())},
        **{f"dropped {reason}": n for reason, n in sorted(decoder.framer.dropped.items())},
    }
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _write(fixes: list[Fix], out: TextIO) -> None:
    for fix in fixes:
        out.write(to_json(fix) + "\n")
    if fixes:
        out.flush()


def _fail(complaints: TextIO, message: str) -> int:
    print(message, file=complaints)
    return 1


def _close_quietly(out: TextIO) -> int:
    """The reader of `out` has seen enough (`| head`): nothing is left to say on exit either."""
    with suppress(OSError, ValueError):  # not every stream has a descriptor
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, out.fileno())
        os.close(null)
    return 0


def _chunks(path: str) -> Iterator[bytes]:
    """Yield what is there as it comes: a live pipe is not held back until a chunk is full."""
    stream = sys.stdin.buffer if path == "-" else _open(path)
    with stream:
        read = getattr(stream, "read1", stream.read)
        while True:
            try:
                chunk = read(CHUNK_BYTES)
            except OSError as fault:
                raise UnreadableError(f"cannot be read ({fault.strerror})") from fault
            if not chunk:
                return
            yield chunk


def _open(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except (OSError, ValueError) as fault:  # ValueError: a NUL in the name
        reason = getattr(fault, "strerror", None) or fault
        raise UnreadableError(f"cannot be opened ({reason})") from fault


def _iso(epoch_ms: int) -> str:
    moment = _UNIX + timedelta(milliseconds=epoch_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
