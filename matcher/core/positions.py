"""Verified positions of the terminals: replay floor, lease, band. Pure; not events.

Freshness is a lease of `next_s` from the position's own time where that is trusted, never later
than from receipt; with lower trust from receipt, and the band is `stale`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from protocol.position import Position
from protocol.predict import Reported, predict
from protocol.refusal import Reason, Refused
from protocol.words import Freshness, TimeTrust, bits_to_flags

AHEAD_MS_MAX = 2_000
LOST_EXTRA_MS = 5_000
SUSPECT_FLAGS = frozenset({"suspect", "jump", "date_jump", "speed_implausible", "frozen"})


@dataclass(frozen=True, slots=True)
class Verified:
    """The newest position of one terminal, as it came and when."""

    device: str
    position: Position
    sealed: bytes
    received_ms: int

    @property
    def is_trusted(self) -> bool:
        """Whether its own time may be believed: `ntp` or `gnss`, and not ahead of receipt."""
        p = self.position
        return p.time_trust >= TimeTrust.NTP and p.time_ms <= self.received_ms + AHEAD_MS_MAX

    @property
    def suspect(self) -> str | None:
        """Why it is not used without a human, or None."""
        p = self.position
        if p.time_trust >= TimeTrust.NTP and p.time_ms > self.received_ms + AHEAD_MS_MAX:
            return "position is dated in the future"
        flags = SUSPECT_FLAGS.intersection(bits_to_flags(p.flags))
        return f"position is suspect: {', '.join(sorted(flags))}" if flags else None

    def since_ms(self) -> int:
        """From when its age counts."""
        return min(self.position.time_ms, self.received_ms) if self.is_trusted else self.received_ms

    def age_ms(self, now_ms: int) -> int:
        return max(0, now_ms - self.since_ms())

    def place_at(self, now_ms: int) -> tuple[float, float] | None:
        """Where it is now, by the terminal's own prediction; None without a fix.

        Beyond its promise nothing was promised, so nothing is extrapolated further.
        """
        p = self.position
        if p.lat_e7 is None or p.lon_e7 is None:
            return None
        seen = Reported(
            p.lat_e7 / 1e7, p.lon_e7 / 1e7, (p.speed_cm_s or 0) / 100,
            None if p.course_ddeg is None else p.course_ddeg / 10, p.motion,
        )  # fmt: skip
        return predict(seen, min(self.age_ms(now_ms), p.next_s * 1000) / 1000)

    def freshness(self, now_ms: int) -> Freshness:
        age_ms, next_ms = self.age_ms(now_ms), self.position.next_s * 1000
        if age_ms > 2 * next_ms + LOST_EXTRA_MS:
            return Freshness.LOST
        if age_ms > next_ms + 1_000 or not self.is_trusted:
            return Freshness.STALE
        return Freshness.LIVE


@dataclass(slots=True)
class PositionBook:
    """The newest position of each enrolment, and those that wait for their commit.

    `placed` is the newest that says where: without a fix the last known place is shown, aged.
    """

    committed: dict[bytes, Verified] = field(default_factory=dict)
    placed: dict[bytes, Verified] = field(default_factory=dict)
    waiting: dict[bytes, Verified] = field(default_factory=dict)
    floors: dict[bytes, tuple[int, int]] = field(default_factory=dict)

    def take(self, enrolment: bytes, verified: Verified) -> None:
        """Raises Refused(replayed) unless (boot, sequence) is above all taken before."""
        p = verified.position
        number, floor = (p.boot, p.sequence), self.floors.get(enrolment, (0, -1))
        if number <= floor:
            detail = f"position {number[0]}/{number[1]} is not above {floor[0]}/{floor[1]}"
            raise Refused(Reason.REPLAYED, detail)
        self.floors[enrolment] = number
        self.waiting[enrolment] = verified

    def take_waiting(self) -> dict[bytes, Verified]:
        """What is to be committed now."""
        waiting, self.waiting = self.waiting, {}
        return waiting

    def done(self, batch: dict[bytes, Verified]) -> None:
        """The commit is through: from now they may show and decide."""
        self.committed.update(batch)
        self.placed.update({e: v for e, v in batch.items() if v.position.lat_e7 is not None})

    def forget(self, enrolments: set[bytes]) -> None:
        """Of enrolments that no longer exist."""
        for enrolment in enrolments:
            for book in (self.committed, self.placed, self.waiting):
                book.pop(enrolment, None)
            self.floors.pop(enrolment, None)
