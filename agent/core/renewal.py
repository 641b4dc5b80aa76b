"""When a terminal renews its certificate, and when it may connect anew; pure.

Called by `agent/renewal.py`.
"""

from dataclasses import dataclass
from typing import Final

from agent.core.now import Now
from agent.core.orders import Desk
from protocol.order import OFFERED, OrderState

LATEST: Final = 0.9  # of the life: then the connection is renewed whatever is on the screen
WARN_MS: Final = 3 * 86_400_000
AGAIN_MS: Final = 86_400_000  # an unanswered request is said again


@dataclass(frozen=True, slots=True)
class Life:
    """Dates of the certificate in use."""

    not_before_ms: int
    not_after_ms: int

    def at(self, share: float) -> int:
        return self.not_before_ms + round(share * (self.not_after_ms - self.not_before_ms))


def is_due(life: Life, now: Now, renew_at: float) -> bool:
    """Whether it is time to ask for the next certificate; never without trusted time."""
    return now.trusted and now.utc_ms >= life.at(renew_at)


def ends_soon(life: Life, now: Now) -> bool:
    """Whether somebody must look after it: no answer came, and the end is near."""
    latest_ms = max(life.at(LATEST), life.not_after_ms - WARN_MS)
    return now.trusted and now.utc_ms >= latest_ms


def may_reconnect(desk: Desk, life: Life, now: Now) -> bool:
    """Whether a second without a link disturbs nobody, or waiting is worse."""
    waits = (*OFFERED, OrderState.ACCEPTED)
    is_quiet = not any(card.kept is not None or card.state in waits for card in desk.cards.values())
    return is_quiet or (now.trusted and now.utc_ms >= life.at(LATEST))


def days_left(life: Life, now: Now) -> int:
    return max(0, (life.not_after_ms - now.utc_ms) // 86_400_000)
