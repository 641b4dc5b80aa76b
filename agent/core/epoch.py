"""Sentences to fixes: one `Fix` for each navigation epoch, whatever talkers it is spread over.

The stream itself shows where an epoch ends. A new time of day closes the one before it. The
assembler also learns the last sentence of the cycle that still adds something, and from then on
closes the fix right there instead of a second later; `flush`, called when the line falls silent,
closes it too. One epoch is emitted once: what still comes for it is dropped and counted.
Called by the agent's GNSS task and `gnss_decode`; `integrity` judges the fixes.
"""

from collections import Counter, deque
from datetime import date
from typing import Final

from agent.core.dating import Calendar
from agent.core.epoch_draft import EpochDraft, Key
from agent.core.fix import Fix, FixKind
from agent.core.nmea import Sentence

CYCLES_TO_LEARN: Final = 3
RECENT_EPOCHS: Final = 8
PENDING_MAX: Final = 8
LEVELS_MAX: Final = 256  # satellites of all constellations on all bands
DIMENSION_EPOCHS_MAX: Final = 10  # how long a GSA speaks for epochs without one

_UNTIMED: Final = ("GSA", "VTG")
_WITH_POSITION: Final = (FixKind.FIX_2D, FixKind.FIX_3D)


class _Cycle:
    """Learns the key that ends a receiver's cycle: the last of those that no cycle lacks.

    Once learned, one that carries a time stays while most cycles end with it: a lost sentence is
    no new habit. One without may belong to either side, so nothing is built on it.
    """

    def __init__(self) -> None:
        self.end: Key | None = None
        self._cycles: deque[list[Key]] = deque(maxlen=CYCLES_TO_LEARN)

    def record(self, keys: list[Key]) -> None:
        """Learn from one whole cycle; an odd one costs a late fix at most, never a wrong one."""
        self._cycles.append(keys)
        if len(self._cycles) < CYCLES_TO_LEARN:
            return
        common = set(keys).intersection(*self._cycles)
        if self.end is not None and self._stays(self.end):
            if self.end not in keys:
                return
            common.add(self.end)
        self.end = next((key for key in reversed(keys) if key in common), None)

    def _stays(self, end: Key) -> bool:
        ended = sum(cycle[-1:] == [end] for cycle in self._cycles)
        return end[1] not in _UNTIMED and 2 * ended > CYCLES_TO_LEARN


class EpochAssembler:
    """Groups sentences into epochs. Holds one open epoch and a few words about those before.

    `not_before`: an earlier date is moved forward by whole 1,024 weeks to the first that is not
    (flag `rollover`, the receiver's own in `raw_epoch_ms`). `dropped` counts sentences by reason:
    `late` (their epoch is out already), `repeated` (their epoch came again), `pending` (too many
    before an epoch). `repeats` is how often the newest epoch came again: a frozen receiver's mark.
    """

    def __init__(self, not_before: date | None = None) -> None:
        self.dropped: Counter[str] = Counter()
        self.repeats = 0
        self._calendar = Calendar(not_before)
        self._open: EpochDraft | None = None
        self._last: EpochDraft | None = None  # the newest one closed
        self._cycle = _Cycle()
        self._cycle_over = True  # nothing that comes now can belong to `_last`
        self._pending: deque[Sentence] = deque(maxlen=PENDING_MAX)
        self._levels: list[float] | None = None  # what the GSVs since the last fix said
        self._recent: deque[tuple[int | None, int]] = deque(maxlen=RECENT_EPOCHS)
        self._dimension: FixKind | None = None  # what the last GSA said
        self._dimension_epochs = 0  # for how many epochs without one it has stood

    def feed(self, sentence: Sentence) -> list[Fix]:
        """Take one sentence; return the fixes it closes, at most two, oldest first."""
        if sentence.formatter in _UNTIMED:
            return self._feed_without_time(sentence)
        if sentence.formatter == "ZDA":
            return self._feed_date(sentence)
        if sentence.formatter == "GSV":
            self._levels = [*(self._levels or ()), *sentence.snr_dbhz][:LEVELS_MAX]
            return []
        return self._feed_position(sentence)

    def flush(self) -> list[Fix]:
        """The line is silent or at its end: close the open epoch; what follows is a new cycle."""
        fixes = self._close()
        self._end_cycle()
        return fixes

    def _feed_position(self, sentence: Sentence) -> list[Fix]:
        if self._open is not None and self._open.takes(sentence):
            return self._merge(self._open, sentence)
        if self._is_out(sentence):
            return self._drop_late(sentence)
        fixes = self._close()
        if self._is_out(sentence):
            return fixes + self._drop_late(sentence)
        self._end_cycle()
        self._open, self.repeats = EpochDraft(), 0
        while self._pending:
            self._open.merge(self._pending.popleft())
        return fixes + self._merge(self._open, sentence)

    def _feed_without_time(self, sentence: Sentence) -> list[Fix]:
        if self._open is not None:
            return self._merge(self._open, sentence)
        if not self._cycle_over:
            return self._drop_late(sentence)
        if len(self._pending) == PENDING_MAX:
            self.dropped["pending"] += 1
        self._pending.append(sentence)
        return []

    def _feed_date(self, sentence: Sentence) -> list[Fix]:
        """ZDA names a day but no position: it dates the open epoch, or those to come."""
        if sentence.day is None or sentence.time_of_day_ms is None:
            return []
        if self._open is not None and self._open.time_of_day_ms == sentence.time_of_day_ms:
            return self._merge(self._open, sentence)
        self._calendar.note(sentence.day, sentence.time_of_day_ms)
        return []

    def _merge(self, epoch: EpochDraft, sentence: Sentence) -> list[Fix]:
        return self._close() if epoch.merge(sentence) == self._cycle.end else []

    def _is_out(self, sentence: Sentence) -> bool:
        """Whether the sentence's epoch has been emitted; an undated one matches any day."""
        if sentence.time_of_day_ms is None:  # a straggler of the last cycle, or the next round
            return self._last is not None and not self._cycle_over and not self._last.has(sentence)
        return self._was(sentence.day, sentence.time_of_day_ms)

    def _was(self, day: int | None, time_ms: int) -> bool:
        return any(
            time_ms == known_ms and (None in (day, known_day) or day == known_day)
            for known_day, known_ms in self._recent
        )

    def _drop_late(self, sentence: Sentence) -> list[Fix]:
        """Learn from a sentence that came after its epoch's fix; its values are not used."""
        last = self._last
        if last is None or sentence.time_of_day_ms not in (None, last.time_of_day_ms):
            self.dropped["late"] += 1
        elif sentence.time_of_day_ms is not None and last.has(sentence):
            self.dropped["repeated"] += 1
            self.repeats = last.merge(sentence)[2]
        else:
            self.dropped["late"] += 1
            if not self._cycle_over:
                last.merge(sentence)
        if sentence.dimension is not None:
            self._dimension, self._dimension_epochs = sentence.dimension, 0
        return []

    def _close(self) -> list[Fix]:
        epoch, self._open = self._open, None
        if epoch is None:
            return []
        if epoch.time_of_day_ms is not None:
            if self._was(epoch.day, epoch.time_of_day_ms):  # an untimed one was lent a past time
                self.dropped["repeated"] += 1
                return []
            self._recent.append((epoch.day, epoch.time_of_day_ms))
        self._last, self._cycle_over = epoch, False
        return [self._fix(epoch)]

    def _end_cycle(self) -> None:
        if self._last is not None and not self._cycle_over:
            self._cycle.record(self._last.keys)
        self._cycle_over = True

    def _fix(self, epoch: EpochDraft) -> Fix:
        kind = self._kind(epoch)
        raw_ms, epoch_ms = self._calendar.date(epoch.time_of_day_ms, epoch.day, epoch.day_trusted)
        moved = raw_ms != epoch_ms
        lat_deg, lon_deg = epoch.position_deg or (None, None)
        there = kind is not FixKind.NONE
        flags = epoch.origins if there else set()
        levels, self._levels = self._levels, None
        return Fix(
            epoch_ms=epoch_ms,
            time_of_day_ms=epoch.time_of_day_ms,
            lat_deg=lat_deg if there else None,
            lon_deg=lon_deg if there else None,
            alt_m=epoch.alt_m if there else None,
            sog_mps=epoch.sog_mps if there else None,
            cog_deg=epoch.cog_deg if there else None,
            kind=kind,
            satellites=epoch.used,
            hdop=epoch.hdop,
            flags=tuple(sorted(flags | {"rollover"} if moved else flags)),
            raw_epoch_ms=raw_ms if moved else None,
            snr_dbhz=None if levels is None else tuple(levels),
        )

    def _kind(self, epoch: EpochDraft) -> FixKind:
        """GSA knows; without a recent one, an altitude makes the difference."""
        if epoch.dimension is not None:
            self._dimension, self._dimension_epochs = epoch.dimension, 0
        else:
            self._dimension_epochs += 1
        if epoch.void or epoch.position_deg is None:
            return FixKind.NONE
        if self._dimension_epochs <= DIMENSION_EPOCHS_MAX and self._dimension in _WITH_POSITION:
            return self._dimension
        return FixKind.FIX_2D if epoch.alt_m is None else FixKind.FIX_3D
