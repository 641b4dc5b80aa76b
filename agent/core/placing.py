"""A judged fix to what is reported and what is kept: suspicion, then the anchor; alarms; pure.

The one place where the terminal's trust in its own position is put together. Alarms wait here,
bounded, until the caller has logged them; the same code again waits ALARM_AGAIN_MS. Called by
`whereabouts` with each fix, in order.
"""

from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.core.fix import Fix
from agent.core.ignition import Ignition
from agent.core.parked import Anchor, AnchoredFix
from agent.core.suspicion import SUSPECT_LEVEL, Suspicion, Verdict
from protocol.entry import Alarm

ALARM_AGAIN_MS: Final = 300_000
ALARMS_MAX: Final = 8
LASTING_MS: Final = 10_000

_UNIX: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AS_FLAG: Final = frozenset(
    {"date_jump", "frozen", "hdop_high", "jump", "manual", "null_island", "satellites_lost",
     "simulated", "speed_implausible", "time_back"}
)  # fmt: skip


class Placing:
    """One terminal's; `figures` are counts of fixes by flag and sign, for the health entry."""

    def __init__(self, ignition: Ignition) -> None:
        self._ignition = ignition
        self._suspicion, self._anchor = Suspicion(), Anchor()
        self._flags: Counter[str] = Counter()
        self._alarms: deque[Alarm] = deque(maxlen=ALARMS_MAX)
        self._alarmed_ms: dict[str, int] = {}
        self._suspect_since_ms: int | None = None

    @property
    def figures(self) -> Counter[str]:
        """`fix_<flag>` and `sign_<sign>`; a sign that is a flag is counted as the flag."""
        found = Counter({f"fix_{flag}": count for flag, count in self._flags.items()})
        for sign, count in self._suspicion.counts.items():
            if sign not in _AS_FLAG:
                found[f"sign_{sign}"] = count
        return found

    @property
    def has_alarms(self) -> bool:
        return bool(self._alarms)

    def take_alarm(self) -> Alarm | None:
        """The oldest that waits; who cannot log it loses it, and the next event brings another."""
        return self._alarms.popleft() if self._alarms else None

    def feed(self, fix: Fix, now_ms: int, apart_m: float | None) -> AnchoredFix:
        """`apart_m`: how far another receiver is off, None where there is none."""
        marked, verdict = self._suspicion.mark(fix, now_ms, apart_m)
        anchored = self._anchor.feed(marked, now_ms, self._ignition.is_on)
        self._flags.update(anchored.kept.flags)
        self._tell_suspicion(verdict, now_ms)
        if fix.raw_epoch_ms is not None and fix.epoch_ms is not None:
            self._tell_rollover(fix.raw_epoch_ms, fix.epoch_ms, now_ms)
        if anchored.towed:
            self._alarm("towed", "it moves with the ignition off", now_ms)
        return anchored

    def _tell_suspicion(self, verdict: Verdict, now_ms: int) -> None:
        """Deceit at once; what a roof may do as well, only where it lasts."""
        if verdict.level < SUSPECT_LEVEL:
            self._suspect_since_ms = None
            return
        if self._suspect_since_ms is None:
            self._suspect_since_ms = now_ms
        lasts = now_ms - self._suspect_since_ms >= LASTING_MS and not verdict.held
        if verdict.is_deceit or lasts:
            signs = ", ".join(verdict.signs)
            text = f"spoofed, jammed or broken (level {verdict.level}): {signs}"
            self._alarm("position_suspect", text, now_ms)

    def _tell_rollover(self, raw_ms: int, epoch_ms: int, now_ms: int) -> None:
        text = f"the receiver says {_date(raw_ms)}, taken as {_date(epoch_ms)}"
        if "rollover" not in self._alarmed_ms:  # once a boot: it will not mend itself
            self._alarm("rollover", text, now_ms)

    def _alarm(self, code: str, text: str, now_ms: int) -> None:
        before_ms = self._alarmed_ms.get(code)
        if before_ms is None or now_ms - before_ms >= ALARM_AGAIN_MS:
            self._alarmed_ms[code] = now_ms
            self._alarms.append(Alarm(code, text))


def _date(epoch_ms: int) -> str:
    return (_UNIX + timedelta(milliseconds=epoch_ms)).date().isoformat()
