"""A configuration on trial, and the last good one to go back to; pure.

A new configuration holds at once, but on trial: it is proved by a welcome that came under it and a
link that then stayed. Without that in time, or where the agent crashed too often under it, the
last good one holds again, and that version is never tried anew. Called by `agent/configuration.py`.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from protocol import cbor
from protocol.configuration import SETTINGS_CHARACTERS_MAX, Configuration
from protocol.fields import U32, maybe, plain, record, text, uint
from protocol.refusal import Reason, Refused

STARTS_MAX: Final = 3  # of the process under one trial; the next goes back


@dataclass(frozen=True, slots=True)
class Given:
    """Settings in force by a configuration; version 0: the terminal's own file alone."""

    version: int = 0
    settings: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """What the store keeps; `seen`: the highest version ever taken, also one that failed."""

    seen: int = 0
    good: Given = Given()
    trial: Given | None = None
    starts: int = 0

    @property
    def in_force(self) -> Given:
        return self.good if self.trial is None else self.trial


class Verdict(Enum):
    WAIT = "wait"
    GOOD = "good"
    BAD = "bad"


def take(held: Held, new: Configuration, device: str) -> Held:
    """On trial from now on. Raises Refused: for others, or not above what was seen."""
    if not new.is_for(device):
        raise Refused(Reason.WRONG_ROLE, f"configuration {new.version} is not for {device}")
    if new.version <= held.seen:
        detail = f"configuration {new.version} after {held.seen}"
        raise Refused(Reason.STALE_VERSION, detail)
    return Held(new.version, held.good, Given(new.version, new.settings), 0)


def started(held: Held) -> Held:
    """The process begins: under a trial this is counted, and too many of them end it."""
    if held.trial is None:
        return held
    if held.starts >= STARTS_MAX:
        return rolled_back(held)
    return replace(held, starts=held.starts + 1)


def proved(held: Held) -> Held:
    return held if held.trial is None else Held(held.seen, held.trial)


def rolled_back(held: Held) -> Held:
    return Held(held.seen, held.good)


def judge(
    since_applied_ms: int, welcomed_for_ms: int | None, *, trial_ms: int, stay_ms: int
) -> Verdict:
    """`welcomed_for_ms`: since the welcome under it, None where there is none (any more)."""
    if welcomed_for_ms is not None and welcomed_for_ms >= stay_ms:
        return Verdict.GOOD
    if since_applied_ms < trial_ms or welcomed_for_ms is not None:
        return Verdict.WAIT  # a link that stands is given the time to show that it stays
    return Verdict.BAD


_text = text(SETTINGS_CHARACTERS_MAX)
_given = record(Given, uint(U32), _text)
_decode = record(Held, uint(U32), _given, maybe(_given), uint(255))


def encode(held: Held) -> bytes:
    return cbor.encode(plain(held))


def decode(data: bytes) -> Held:
    """Raises Refused."""
    found: Held = _decode(cbor.decode(data, 4 * cbor.MESSAGE_BYTES_MAX), "kept configuration")
    return found
