"""From when to when a certificate or a key holds. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from doctor.core.finding import DAY_MS, Finding, fault, ok, span, warn

LEFT_MIN_MS: Final = 7 * DAY_MS
LEFT_SHARE_MIN: Final = 0.25  # renewal is due at two thirds of a life: less left, and it has failed


@dataclass(frozen=True, slots=True)
class Life:
    """`what` in a few words, with its validity in ms UTC."""

    what: str
    not_before_ms: int
    not_after_ms: int


def judge_dates(
    name: str, life: Life, now_ms: int, remedy: str, left_min_ms: int = LEFT_MIN_MS
) -> Finding:
    """Not valid yet, expired, about to expire (a quarter of its life is left), or good.

    `left_min_ms`: less than this is about to expire however short the life.
    """
    left_ms = life.not_after_ms - now_ms
    end = f"{datetime.fromtimestamp(life.not_after_ms / 1000, UTC):%Y-%m-%d %H:%M}Z"
    if now_ms < life.not_before_ms:
        ahead = span(life.not_before_ms - now_ms)
        return fault(name, f"{life.what} holds only from {ahead} on", "set the clock right first")
    if left_ms <= 0:
        return fault(name, f"{life.what} has expired {span(left_ms)} ago ({end})", remedy)
    if left_ms < max(left_min_ms, LEFT_SHARE_MIN * (life.not_after_ms - life.not_before_ms)):
        return warn(name, f"{life.what} is about to expire: in {span(left_ms)} ({end})", remedy)
    return ok(name, f"{life.what} holds for {span(left_ms)} more")
