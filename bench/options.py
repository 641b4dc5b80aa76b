"""What every bench is told, and how it says what it does meanwhile."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """`quick`: fewer repeats and shorter waits, for a look; `seed`: of drawn moments and places."""

    quick: bool = False
    seed: int = 1

    def say(self, what: str) -> None:
        """Progress, on standard error."""
        print(f"bench: {what}", file=sys.stderr, flush=True)

    def count(self, full: int, quick: int) -> int:
        return quick if self.quick else full
