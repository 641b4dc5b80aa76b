"""What is said of an evidence export: the verdict, its first fault, and how a fault is named."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from protocol.evidence_records import About, RecordKind
from protocol.refusal import Refused

T = TypeVar("T")

PART_OF: Final = {
    RecordKind.ABOUT: "file",
    RecordKind.ROOT: "certificate",
    RecordKind.TRUST: "certificate",
    RecordKind.IDENTITIES: "certificate",
    RecordKind.LOGBOOK: "chain",
    RecordKind.HEAD: "seal",
    RecordKind.ENTRY: "entry",
    RecordKind.RECEIPT: "receipt",
    RecordKind.POSITION: "seal",
    RecordKind.DECISION: "chain",
    RecordKind.MEDIA: "media",
    RecordKind.ERASURE: "chain",
    RecordKind.THINNED: "file",
}
_OF_ENTRY: Final = frozenset({RecordKind.ENTRY, RecordKind.MEDIA, RecordKind.THINNED})


@dataclass(frozen=True, slots=True)
class Fault:
    """One finding. `part` is file, entry, chain, seal, receipt, certificate or media."""

    part: str
    entry: int | None  # number in its logbook
    reason: str
    record: int | None = None  # place in the file, from 0

    def as_json(self) -> dict[str, Any]:
        return {
            "part": self.part, "entry": self.entry, "reason": self.reason, "record": self.record,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counts:
    """What the file holds, by how it is held."""

    whole: int = 0
    erased: int = 0
    outside: int = 0
    bare: int = 0
    missing: int = 0  # not at the centre when the file was made, and said so

    @property
    def entries(self) -> int:
        return self.whole + self.erased + self.outside + self.bare


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whole: nothing was changed since it was sealed, as far as the file's own proofs reach.

    Anchored: the certificates lead to a root that whoever asks trusts for another reason.
    """

    whole: bool
    anchored: bool
    counts: Counts
    fault: Fault | None
    about: About | None

    def as_json(self) -> dict[str, Any]:
        """The keys that scripts hold on to, and more."""
        return {
            "whole": self.whole,
            "anchored": self.anchored,
            "entries": self.counts.entries,
            "first_fault": None if self.fault is None else self.fault.as_json(),
            "held_whole": self.counts.whole,
            "erased": self.counts.erased,
            "outside": self.counts.outside,
            "bare": self.counts.bare,
            "missing": self.counts.missing,
            "fleet": None if self.about is None else self.about.fleet,
            "order": None if self.about is None else self.about.order,
        }


@dataclass(slots=True)
class Memo:
    """Answers of pure questions by their whole input; a refusal is an answer too.

    One run asks each seal once; whoever checks many near copies of a file keeps it between runs.
    """

    _kept: dict[Hashable, Any] = field(default_factory=dict)

    def ask(self, question: Callable[..., T], *given: Any) -> T:
        """`question(*given)`, whose arguments say all that the answer depends on."""
        key = (question, given)
        if key not in self._kept:
            try:
                self._kept[key] = (question(*given), None)
            except Refused as refused:
                self._kept[key] = (None, refused)
        answer, refusal = self._kept[key]
        if refusal is not None:
            raise refusal
        kept: T = answer
        return kept


def about_record(kind: RecordKind, key: int, what: str, record: int | None) -> Fault:
    """A fault of a record that is known by its line in the index only."""
    label = f"{kind.name.lower()} {key}" if key else kind.name.lower()
    return Fault(PART_OF[kind], key if kind in _OF_ENTRY else None, f"{label}: {what}", record)
