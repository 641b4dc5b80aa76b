"""Every refused message counted by reason, each reason's log line rate-limited."""

from __future__ import annotations

from collections import Counter

from protocol.refusal import Refused
from runtime.log import Log


class Refusals:
    """Counts since the start of the process."""

    def __init__(self, log: Log) -> None:
        self.counts: Counter[str] = Counter()
        self._log = log

    def count(self, refused: Refused, topic: str) -> None:
        self.counts[refused.reason.value] += 1
        self._log.limited(
            "refused", refused.reason.value, topic=topic, detail=refused.detail, acted="no"
        )
