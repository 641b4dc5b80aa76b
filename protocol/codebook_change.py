"""An old and a new codebook side by side: what changed, and what may not.

Journals, evidence and statistics hold codes for years: a code keeps its meaning for ever. It may
retire, its wording may be mended, plans and times may change. Pure. Called by the command, and by
whoever takes a new codebook into use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from protocol.codebook_fault import Fault
from protocol.codebook_model import (
    CODE_TABLES,
    PRIORITIES,
    Codebook,
    IncidentKind,
    Named,
    codes_in,
)

_PLAIN = (
    "agency", "utc_offset_min", "number", "radio_number", "zh", "en", "welfare", "plan",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comparison:
    """`faults`: why the new one may not follow the old. `changes`: what a person should read."""

    faults: tuple[Fault, ...]
    changes: tuple[str, ...]


def compare(old: Codebook, new: Codebook) -> Comparison:
    """Whether `new` may take the place of `old`."""
    faults: list[Fault] = []
    if new.version <= old.version:
        remedy = f"at least {old.version + 1}"
        faults.append(Fault("version", "does not rise", str(new.version), remedy))
    changes = [f"{name}: changed" for name in _PLAIN if getattr(old, name) != getattr(new, name)]
    changes += [
        f"priorities.{key}: {_fields(old.priorities[key], new.priorities[key])}"
        for key in PRIORITIES
        if old.priorities[key] != new.priorities[key]
    ]
    for table in CODE_TABLES:
        before, after = codes_in(old, table), codes_in(new, table)
        for code, one in before.items():
            place = f"{table}.{code}"
            if code not in after:
                what = "has vanished: journals name it"
                faults.append(Fault(place, what, None, "put it back with `retired = true`"))
            elif one != after[code]:
                faults += _meaning(place, one, after[code])
                changes.append(_change(place, one, after[code]))
        changes += [f"{table}.{code}: new" for code in after if code not in before]
    return Comparison(tuple(faults), tuple(changes))


def _meaning(place: str, old: Named, new: Named) -> Iterator[Fault]:
    """A code whose meaning has changed is a code used again."""
    new_code = "retire the code and give the new meaning a new one"
    if old.zh != new.zh and old.en != new.en:
        what = "has another name in both languages, so another meaning"
        yield Fault(place, what, new.en, f"mend one language at a time, or {new_code}")
    family = ("group",) if isinstance(old, IncidentKind) else ()
    for name in ("gat", "apco", *family):
        was, now = getattr(old, name), getattr(new, name)
        if was is not None and was != now:
            what = f"had {_shown(was)}, which is part of its meaning"
            yield Fault(f"{place}.{name}", what, _shown(now), new_code)


def _change(place: str, old: Named, new: Named) -> str:
    if new.retired and not old.retired:
        return f"{place}: retired"
    return f"{place}: {_fields(old, new)}"


def _fields(old: Named, new: Named) -> str:
    changed = [name for name in type(new).model_fields if getattr(old, name) != getattr(new, name)]
    return ", ".join(f"{name} {_shown(getattr(old, name))} → {_shown(getattr(new, name))}"
                     for name in changed)  # fmt: skip


def _shown(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else text[:60] + "…"
