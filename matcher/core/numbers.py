"""Incident numbers as the codebook's patterns give them: the whole one, and the short one by radio.

The day is the fleet's, not UTC's. Called where an incident is opened; pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from matcher.core import exercise
from matcher.core.board import Board
from protocol.codebook_number import Serial, local_day, next_serial


@dataclass(frozen=True, slots=True)
class Numbers:
    """Of one incident."""

    radio: str
    whole: str
    day: int  # days since 1970 in the fleet's time
    serial: int


def next_numbers(board: Board, now_ms: int, *, is_exercise: bool = False) -> Numbers:
    """The next of the fleet's day; a clock set back over midnight goes on in the newest day."""
    codes = board.book.codes
    last = Serial(board.day, board.day_reports)
    day, serial = next_serial(last, local_day(now_ms, codes.utc_offset_min))
    short = codes.radio_pattern().text(codes.agency, day, serial)
    return Numbers(
        exercise.number(short, exercise=is_exercise),
        codes.number_pattern().text(codes.agency, day, serial),
        day,
        serial,
    )
