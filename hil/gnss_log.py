"""A recorded log of a receiver: its lines, grouped by epoch, and re-stamped to now.

Re-stamping shifts every date and time by one constant of whole seconds, so that intervals and
the digits behind the second stay, and recomputes the checksums of what it changed. Used by
hil/gnss.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from hil.life import InputError
from hil.nmea_time import Timed, leading, moments, read_timed, rewrite

LOG_BYTES_MAX: Final = 512 * 1024 * 1024
GAP_MAX: Final = timedelta(hours=1)  # a longer step is a receiver's clock being set, no wait
_GAP_INSTEAD: Final = timedelta(seconds=1)

Anchor = Literal["first", "last"]


@dataclass(frozen=True, slots=True)
class EpochLines:
    """Lines that a receiver sent together, and when after the log's first line."""

    after: timedelta
    lines: tuple[bytes, ...]


def read_log(path: Path) -> list[bytes]:
    """The lines with their line ends, without leading `#` lines; raises `InputError`."""
    try:
        if path.stat().st_size > LOG_BYTES_MAX:
            raise InputError(f"{path}: more than {LOG_BYTES_MAX >> 20} MiB; give a part of it")
        data = path.read_bytes()
    except OSError as cause:
        raise InputError(f"{path}: {cause.strerror}; give a readable log") from cause
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    start = next((at for at, line in enumerate(lines) if not line.startswith(b"#")), len(lines))
    kept = [line for line in lines[start:] if line]
    if not kept:
        raise InputError(f"{path}: no line; give a receiver's log")
    return kept


def restamp(lines: Sequence[bytes], now: datetime, anchor: Anchor = "last") -> list[bytes]:
    """The lines shifted so that the `anchor` epoch is the last whole second step up to `now`."""
    parsed = [read_timed(line) for line in lines]
    times = moments(parsed)
    known = [
        moment for moment, leads in zip(times, leading(parsed), strict=True) if moment and leads
    ]
    if not known:
        return list(lines)
    seconds = (now - known[0 if anchor == "first" else -1]) // timedelta(seconds=1)
    shift = timedelta(seconds=seconds)
    return [
        _shifted(line, timed, moment, shift)
        for line, timed, moment in zip(lines, parsed, times, strict=True)
    ]


def _shifted(line: bytes, timed: Timed | None, moment: datetime | None, shift: timedelta) -> bytes:
    if timed is None or moment is None:
        return line
    try:
        return rewrite(timed, moment + shift)
    except OverflowError:  # a date so wrong that the shift leaves the calendar
        return line


def epochs(lines: Sequence[bytes]) -> list[EpochLines]:
    """Groups lines by the time that they carry; a line without one belongs to the group before."""
    groups: list[EpochLines] = []
    after = timedelta(0)
    current: list[bytes] = []
    last: datetime | None = None
    parsed = [read_timed(line) for line in lines]
    for line, moment, leads in zip(lines, moments(parsed), leading(parsed), strict=True):
        if moment and leads:
            if last and moment != last:
                groups.append(EpochLines(after, tuple(current)))
                current = []
                after += _wait(moment - last)
            last = moment
        current.append(line)
    groups.append(EpochLines(after, tuple(current)))
    return groups


def _wait(step: timedelta) -> timedelta:
    if step < timedelta(0):
        return timedelta(0)
    return step if step <= GAP_MAX else _GAP_INSTEAD
