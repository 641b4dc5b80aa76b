"""Touches that are on disk and not at the centre yet, and since when the link is away; pure."""

from collections.abc import Callable
from typing import Final

TOUCHES_MAX: Final = 32


class Touches:
    """`queued` names them with their times, oldest first; older ones are counted elsewhere."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[str, int]] = {}
        self.down_since_ms: int | None = None

    def kept(self, n: int, what: str, now_ms: int) -> None:
        """`what`: the order's id, else the kind of touch."""
        self._kept[n] = (what, now_ms)
        while len(self._kept) > TOUCHES_MAX:
            del self._kept[next(iter(self._kept))]

    def queued(self, is_at_centre: Callable[[int], bool]) -> tuple[tuple[str, int], ...]:
        for n in [n for n in self._kept if is_at_centre(n)]:
            del self._kept[n]
        return tuple(self._kept.values())

    def link(self, is_up: bool, now_ms: int) -> None:
        if is_up:
            self.down_since_ms = None
        elif self.down_since_ms is None:
            self.down_since_ms = now_ms
