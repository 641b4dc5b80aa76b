"""Exercises: marked in everything that is shown, and never mixed with what is live; pure.

Only units that a supervisor put into the exercise are sent to it, and they to nothing else. An SOS
is live whoever raises it: nobody plays in danger.
"""

from __future__ import annotations

from typing import Final

from matcher.core.board import Incident, Unit

MARK: Final = "EXERCISE 演练"
NUMBER_MAX: Final = 16


def number(plain: str, *, exercise: bool) -> str:
    """The short number for the radio; every text that names the incident begins with it."""
    if not exercise:
        return plain
    return next(n for n in (f"EXERCISE {plain}", f"EX {plain}", plain) if len(n) <= NUMBER_MAX)


def marked(text: str, *, exercise: bool) -> str:
    """`text` for people, the mark first."""
    return f"{MARK} {text}".strip() if exercise else text


def why_not(unit: Unit, incident: Incident) -> str | None:
    """Why the two never meet; None: both live, or both in the exercise."""
    if unit.exercise == incident.exercise:
        return None
    return "in an exercise" if unit.exercise else "not in the exercise"
