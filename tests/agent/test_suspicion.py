"""Spoofing and jamming as NMEA shows them: detection and false alarms, printed; the solid held."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from agent.core.suspicion import HOLD_MS, SUSPECT_LEVEL, Suspicion
from agent.gnss_decode import Decoder
from tests.agent.attacks import ATTACK_S, ATTACKS, Attack, drive, sentences
from tests.agent.pipeline import Pipeline
from tests.agent.test_parked import course, fix_at, ignition, wander

FALSE_ALARMS_MAX = 0.01  # of all fixes of all recorded drives
START_MS = fix_at(0, 0, 0).epoch_ms or 0


@dataclass(frozen=True, slots=True)
class Outcome:
    seen_s: int | None  # after the attack began
    share: float  # of the positions after it that are suspect
    signs: tuple[str, ...]


def show(row: str) -> None:
    """For docs/spoofing.md: `pytest -s` prints it."""
    sys.stdout.write(row + "\n")


def attacked(attack: Attack) -> Outcome:
    """Through bytes, gate, epochs, integrity and suspicion, as the terminal does it."""
    honest, pipeline = drive(), Pipeline()
    at_s: list[int] = []
    for second in range(len(honest)):
        said = honest[second] if second < ATTACK_S else attack.make(honest, second)
        pipeline.feed(sentences(said), second * 1000, said.apart_m)
        at_s += [second] * (len(pipeline.positions) - len(at_s))
    found = [
        (second - ATTACK_S, "suspect" in flags)
        for second, flags in zip(at_s, pipeline.flags(), strict=True)
    ]
    assert not any(is_suspect for second, is_suspect in found if second < 0), "a false alarm"
    after = [pair for pair in found if pair[0] >= 0]
    seen = [second for second, is_suspect in after if is_suspect]
    signs = tuple(sorted(pipeline.figures))
    share = len(seen) / len(after) if after else 0.0
    return Outcome(seen[0] if seen else None, share, signs)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return {attack.name: attacked(attack) for attack in ATTACKS}


def test_attacks_are_reported_as_they_are_seen(outcomes: dict[str, Outcome]) -> None:
    """Prints the table of docs/spoofing.md (pytest -s)."""
    assert len(outcomes) >= 20
    for name, outcome in outcomes.items():
        when = "not seen" if outcome.seen_s is None else f"after {outcome.seen_s} s"
        show(f"| {name} | {when} | {outcome.share:.0%} | {', '.join(outcome.signs)} |")
    seen = sum(outcome.seen_s is not None for outcome in outcomes.values())
    show(f"seen {seen} of {len(outcomes)}")


@pytest.mark.parametrize(
    "attack", [a for a in ATTACKS if a.seen_s is not None], ids=lambda a: a.name
)
def test_what_is_solid_is_seen_in_time(outcomes: dict[str, Outcome], attack: Attack) -> None:
    seen_s = outcomes[attack.name].seen_s
    assert seen_s is not None
    assert attack.seen_s is not None
    assert seen_s <= attack.seen_s


def test_an_honest_drive_raises_nothing() -> None:
    for seed in range(5):
        pipeline = Pipeline()
        for second, epoch in enumerate(drive(600, seed)):
            pipeline.feed(sentences(epoch), second * 1000)
        assert not any("suspect" in flags for flags in pipeline.flags())


# --- false alarms on real recordings -------------------------------------------------------------


def recorded(log: Path) -> tuple[int, int, Counter[str]]:
    """Fixes with a place, suspect ones of them, and the signs; a recording has no other clock."""
    decoder, suspicion, counts = Decoder(), Suspicion(), Counter[str]()
    for fix in decoder.feed(log.read_bytes()) + decoder.flush():
        marked, verdict = suspicion.mark(fix, fix.time_of_day_ms or 0)
        if marked.lat_deg is not None:
            counts["fixes"] += 1
            counts["suspect"] += "suspect" in marked.flags
            assert ("suspect" in marked.flags) == (verdict.level >= SUSPECT_LEVEL)
    return counts["fixes"], counts["suspect"], suspicion.counts


def test_false_alarms_on_recorded_drives(shared_data: Path) -> None:
    fixes = suspect = 0
    for log in sorted((shared_data / "gnss-drives").iterdir()):
        if log.suffix in (".nmea", ".log", ".gga"):
            found = recorded(log)
            fixes, suspect = fixes + found[0], suspect + found[1]
            show(f"| {log.name} | {found[0]} | {found[1]} | {dict(found[2])} |")
    show(f"all drives: {suspect} of {fixes}: {suspect / fixes:.2%}")
    assert fixes > 18_000
    assert suspect / fixes <= FALSE_ALARMS_MAX


def test_false_alarms_on_recorded_receivers_are_printed(shared_data: Path) -> None:
    """Kept for their oddities, cuts and wrong dates: no rate of theirs is promised."""
    fixes = suspect = 0
    for log in sorted((shared_data / "gnss-receivers").glob("*.log")):
        found = recorded(log)
        fixes, suspect = fixes + found[0], suspect + found[1]
        if found[1]:
            show(f"| {log.name} | {found[0]} | {found[1]} | {dict(found[2])} |")
    show(f"all receivers: {suspect} of {fixes}: {suspect / fixes:.2%}")
    assert fixes > 1_000


# --- the rules ----------------------------------------------------------------------------------


def test_deceit_is_held_and_then_forgiven() -> None:
    suspicion = Suspicion()
    for n in range(60):
        assert suspicion.judge(fix_at(n, 0, 0), n * 1000).level == 0
    leaping = replace(fix_at(60, 9000, 0), flags=("jump", "speed_implausible"))
    assert suspicion.judge(leaping, 60_000).level == 3
    again = 61 + 200  # place and speed disagree for a while yet, then the last of it is held
    levels = [suspicion.judge(fix_at(n, 9000, 0), n * 1000) for n in range(61, again)]
    held_s = HOLD_MS // 1000
    assert all(one.level >= SUSPECT_LEVEL for one in levels[:held_s])
    assert any(one.held and not one.signs for one in levels)
    assert levels[-1].level == 0


def test_one_light_sign_is_noticed_only() -> None:
    suspicion = Suspicion()
    suspicion.judge(fix_at(0, 0, 0), 0)
    marked, verdict = suspicion.mark(replace(fix_at(1, 0, 0), flags=("hdop_high",)), 1000)
    assert (verdict.level, verdict.signs) == (1, ("hdop_high",))
    assert marked.flags == ("hdop_high",)


def test_dead_reckoning_is_believed_for_a_tunnel_only() -> None:
    suspicion = Suspicion()
    levels = []
    for n in range(60):
        fix = replace(fix_at(n, 10.0 * n, 0, 10.0), flags=("estimated", "satellites_lost"))
        levels.append(suspicion.judge(fix, n * 1000).level)
    assert set(levels[:30]) == {1}
    assert set(levels[32:]) == {2}


def test_a_busy_start_is_no_fast_clock() -> None:
    suspicion = Suspicion()
    for n in range(8):  # what the line had kept for us, all at once
        assert suspicion.judge(fix_at(n, 0, 0), 8_000 + n).level == 0
    for n in range(9, 120):
        late_ms = 800 if n % 7 == 0 else 50
        assert suspicion.judge(fix_at(n, 0, 0), n * 1000 + late_ms).level == 0


@pytest.mark.parametrize(("apart_m", "level"), [(None, 0), (40.0, 1), (300.0, 2)])
def test_another_receivers_word(apart_m: float | None, level: int) -> None:
    assert Suspicion().judge(fix_at(0, 0, 0), 0, apart_m).level == level


def test_drawn_off_while_parked_is_told_as_towing() -> None:
    """Place, speed and course agree, so nothing is suspect; but the ignition is off."""
    pipeline = Pipeline(None)
    pipeline.ignition.heard(ignition(1, on=False))
    parked = list(wander(120, 8))
    for fix in [*parked, *course(119, 60, 0.5, 5.0, parked[-1])]:
        pipeline.judge(fix, (fix.epoch_ms or 0) - START_MS)
    assert [alarm.code for alarm in pipeline.alarms()] == ["towed"]
