"""What is wrong with a codebook: one line a fault, fit for a person who must change the file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final, NamedTuple

FAULTS_MAX: Final = 100
_VALUE_CHARACTERS_MAX: Final = 80


class Fault(NamedTuple):
    """One thing that a person must change."""

    place: str
    what: str
    value: str | None
    remedy: str

    def __str__(self) -> str:
        shown = "" if self.value is None else f" ({self.value[:_VALUE_CHARACTERS_MAX]})"
        line = f"{self.place}: {self.what}{shown} – {self.remedy}"
        return "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)


class WrongCodebook(Exception):
    """A text that is no codebook; `faults` is never empty."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)[:FAULTS_MAX]
        more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
        super().__init__(f"{self.faults[0]}{more}")


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """A near word, else the remedy `otherwise`, its `{}` filled with what is known."""
    listed = sorted(known)
    near = difflib.get_close_matches(name, listed, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else otherwise.format(", ".join(listed))
