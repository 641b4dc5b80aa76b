"""Refused messages counted by reason: every one, silently never; the log says so in moderation."""

from collections import Counter

from protocol.refusal import Refused
from runtime.log import Log

MAX_REASONS = 64  # the list of reasons is closed; this only guards against a mistake of ours


class Refusals:
    def __init__(self, log: Log) -> None:
        self.counts: Counter[str] = Counter()
        self._log = log

    def add(self, place: str, refused: Refused) -> None:
        if refused.reason in self.counts or len(self.counts) < MAX_REASONS:
            self.counts[refused.reason.value] += 1
        self._log.limited("refused", refused.reason.value, place=place, detail=refused.detail)
