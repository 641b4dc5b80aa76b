"""What must fit together in a codebook: every code known and in use, priorities in order. Pure.

Called by `codebook_reading` once each table is right by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from protocol.codebook_fault import Fault, did_you_mean
from protocol.codebook_model import (
    CODE_TABLES,
    PRIORITIES,
    USES,
    Codebook,
    IncidentKind,
    Plan,
    codes_in,
)
from protocol.words import Status

# The core writes it where a terminal sent no code (a crew is never stopped by a wrong word).
OTHER: Final = "other"
SILENCE_RELEASES_FROM: Final = 3  # never at priority 0 to 2
_NEVER_SENT: Final = frozenset({Status.OFF_DUTY, Status.OUT_OF_SERVICE, Status.EMERGENCY})


def faults_of(book: Codebook) -> list[Fault]:
    """Everything that does not fit, in the file's order."""
    return [
        *_priorities(book),
        *_statuses(book),
        *_names(book),
        *_kinds(book),
        *_plan(book, book.plan, "plan"),
        *_lists(book),
        *_welfare(book),
    ]


def _priorities(book: Codebook) -> Iterator[Fault]:
    for key in PRIORITIES:
        if key not in book.priorities:
            remedy = f"add [priorities.{key}]; all of {', '.join(PRIORITIES)} are needed"
            yield Fault(f"priorities.{key}", "is missing", None, remedy)
    ordered = [(key, book.priorities[key]) for key in PRIORITIES if key in book.priorities]
    for key, one in ordered:
        place = f"priorities.{key}"
        yield from _known(book, "sounds", [one.sound], f"{place}.sound")
        if one.retired:
            yield Fault(f"{place}.retired", "a priority cannot retire", "true", "take it out")
        if one.silence_releases and int(key) < SILENCE_RELEASES_FROM:
            what = "silence never releases the nearest unit at priority 0 to 2"
            yield Fault(f"{place}.silence_releases", what, "true", "set it to false")
        if one.offer_life_s <= one.delivery_s + one.answer_s:
            what = "an order would expire before its answer time is over"
            remedy = f"at least {one.delivery_s + one.answer_s + 1}"
            yield Fault(f"{place}.offer_life_s", what, str(one.offer_life_s), remedy)
    for (key, more), (less_key, less) in pairwise(ordered):
        for name in ("delivery_s", "answer_s"):
            mine, theirs = getattr(more, name), getattr(less, name)
            if mine > theirs:
                what = f"is longer than priority {less_key}'s, which is less urgent"
                yield Fault(f"priorities.{key}.{name}", what, str(mine), f"at most {theirs}")


def _statuses(book: Codebook) -> Iterator[Fault]:
    words = [status.word for status in Status]
    for word in words:
        if word not in book.statuses:
            yield Fault(f"statuses.{word}", "is missing", None, f"add [statuses.{word}]")
    for word, one in book.statuses.items():
        if word not in words:
            remedy = did_you_mean(word, words, "statuses are fixed: {}")
            yield Fault(f"statuses.{word}", "is no status of a unit", None, remedy)
        elif one.retired:
            yield Fault(f"statuses.{word}.retired", "statuses are fixed", "true", "take it out")
        elif one.dispatchable_to is not None and Status.from_word(word) in _NEVER_SENT:
            what, value = "such a unit is never sent", str(one.dispatchable_to)
            yield Fault(f"statuses.{word}.dispatchable_to", what, value, "take it out")


def _names(book: Codebook) -> Iterator[Fault]:
    """Two codes in use with one name: nobody could choose between them."""
    for table in CODE_TABLES:
        seen: dict[tuple[str, str], str] = {}
        for code, one in codes_in(book, table).items():
            if one.retired:
                continue
            for language, name in (("zh", one.zh), ("en", one.en.casefold())):
                first = seen.setdefault((language, name), code)
                if first != code:
                    place = f"{table}.{code}.{language}"
                    remedy = "give it another name, or retire one"
                    yield Fault(place, f"has the name of {table}.{first}", name, remedy)


def _kinds(book: Codebook) -> Iterator[Fault]:
    for code, kind in book.kinds.items():
        place = f"kinds.{code}"
        in_use = not kind.retired  # a retired kind may name retired codes
        yield from _known(book, "groups", [kind.group], f"{place}.group", in_use=in_use)
        yield from _known(book, "hazards", kind.hazards, f"{place}.hazards", in_use=in_use)
        yield from _known(book, "services", kind.refer, f"{place}.refer", in_use=in_use)
        if kind.plan is not None:
            yield from _plan(book, kind.plan, f"{place}.plan", in_use=in_use)
        for key, plan in kind.plans.items():
            yield from _plan(book, plan, f"{place}.plans.{key}", in_use=in_use)
        yield from _who_goes(kind, place)


def _who_goes(kind: IncidentKind, place: str) -> Iterator[Fault]:
    if not kind.dispatched and not kind.refer:
        what = "is neither dispatched nor referred"
        yield Fault(place, what, None, "name the services in `refer`, or take out `dispatched`")
    if not kind.dispatched and (kind.plan is not None or kind.plans):
        what = "has a plan, but is not dispatched"
        yield Fault(place, what, None, "take out the plan, or `dispatched = false`")


def _plan(book: Codebook, plan: Plan, place: str, *, in_use: bool = True) -> Iterator[Fault]:
    wanted = [code for code, _ in plan.capabilities]
    yield from _known(book, "capabilities", wanted, f"{place}.capabilities", in_use=in_use)


def _lists(book: Codebook) -> Iterator[Fault]:
    for use in USES:
        if not book.reasons_for(use):
            remedy = f'add "{use}" to the uses of a reason'
            yield Fault("reasons", f"has none for {use}", None, remedy)
    for table in ("reasons", "dispositions"):
        other = codes_in(book, table).get(OTHER)
        if other is None or other.retired:
            what = "is missing: what a terminal sends without a code is kept as it"
            yield Fault(f"{table}.{OTHER}", what, None, f"add [{table}.{OTHER}]")
    if not any(not kind.retired for kind in book.kinds.values()):
        yield Fault("kinds", "has none in use", None, "add [kinds.CODE]")


def _welfare(book: Codebook) -> Iterator[Fault]:
    if book.welfare.weapon_check_s > book.welfare.check_s:
        what, value = "is longer than check_s", str(book.welfare.weapon_check_s)
        yield Fault("welfare.weapon_check_s", what, value, f"at most {book.welfare.check_s}")


def _known(
    book: Codebook, table: str, codes: Iterable[str], place: str, *, in_use: bool = True
) -> Iterator[Fault]:
    found, seen = codes_in(book, table), set()
    for code in codes:
        if code not in found:
            active = (known for known, one in found.items() if not one.retired)
            # no listing: a table may be long
            remedy = did_you_mean(code, active, f"add it to [{table}]")
            yield Fault(place, f"is no code of [{table}]", code, remedy)
        elif in_use and found[code].retired:
            yield Fault(place, f"{table}.{code} is retired", code, "name one that is in use")
        if code in seen:
            yield Fault(place, "is named twice", code, "take one out")
        seen.add(code)
