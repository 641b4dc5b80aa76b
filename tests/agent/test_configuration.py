"""A configuration on trial: what holds, what is taken back, what is never tried again."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.configuration import effective
from agent.core import configuration as rules
from agent.core.configuration import STARTS_MAX, Given, Held, Verdict
from agent.settings import AgentSettings
from protocol.configuration import KEYS, TOP, Configuration, laid_over, table_of
from protocol.refusal import Reason, Refused

OWN = AgentSettings(fleet="zz", device="car-1")


def given_out(version: int, names: tuple[str, ...] = ()) -> Configuration:
    return Configuration("zz", version, 0, names, f"[report]\nlease_s = {version % 28 + 2}\n")


def test_proved_it_is_the_next_good_one() -> None:
    held = rules.take(Held(), given_out(4), "car-1")
    assert held.in_force.version == 4
    assert rules.proved(held) == Held(4, Given(4, given_out(4).settings))


def test_taken_back_it_is_never_tried_again() -> None:
    good = rules.proved(rules.take(Held(), given_out(4), "car-1"))
    held = rules.rolled_back(rules.take(good, given_out(5), "car-1"))
    assert held.in_force == good.in_force
    with pytest.raises(Refused) as caught:
        rules.take(held, given_out(5), "car-1")
    assert caught.value.reason is Reason.STALE_VERSION
    assert rules.take(held, given_out(6), "car-1").in_force.version == 6


def test_another_ones_configuration_is_refused() -> None:
    with pytest.raises(Refused, match="not for car-1"):
        rules.take(Held(), given_out(1, ("car-2",)), "car-1")


def test_a_new_one_takes_the_place_of_one_on_trial_and_the_good_one_stays() -> None:
    good = rules.proved(rules.take(Held(), given_out(1), "car-1"))
    held = rules.take(rules.take(good, given_out(2), "car-1"), given_out(3), "car-1")
    assert (held.in_force.version, held.good.version) == (3, 1)


def test_too_many_starts_under_a_trial_end_it() -> None:
    held = rules.take(Held(), given_out(1), "car-1")
    for _ in range(STARTS_MAX):
        held = rules.started(held)
        assert held.in_force.version == 1
    assert rules.started(held) == Held(1)
    good = rules.proved(held)
    assert rules.started(good) == good


@pytest.mark.parametrize(
    ("applied_s", "welcomed_s", "verdict"),
    [
        (0, None, Verdict.WAIT),
        (119, None, Verdict.WAIT),
        (120, None, Verdict.BAD),
        (119, 9, Verdict.WAIT),
        (125, 5, Verdict.WAIT),  # a link that stands may show that it stays
        (11, 10, Verdict.GOOD),
        (500, 10, Verdict.GOOD),
    ],
)
def test_the_verdict(applied_s: int, welcomed_s: int | None, verdict: Verdict) -> None:
    found = rules.judge(
        applied_s * 1000,
        None if welcomed_s is None else welcomed_s * 1000,
        trial_ms=120_000,
        stay_ms=10_000,
    )
    assert found is verdict


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("take"), st.integers(1, 8)),
            st.tuples(st.sampled_from(["start", "prove", "back"]), st.just(0)),
        ),
        max_size=30,
    )
)
def test_in_any_order(steps: list[tuple[str, int]]) -> None:
    """Versions seen only rise, what failed never holds again, and the store reads back the same."""
    held, failed = Held(), set[int]()
    for word, version in steps:
        before = held
        match word:
            case "take":
                try:
                    held = rules.take(held, given_out(version), "car-1")
                except Refused:
                    assert version <= held.seen
            case "start":
                held = rules.started(held)
            case "prove":
                held = rules.proved(held)
            case _:
                held = rules.rolled_back(held)
        if before.trial is not None and held.trial is None and held.good == before.good:
            failed.add(before.trial.version)
        assert held.seen >= before.seen
        assert held.in_force.version not in failed or held.in_force == Given()
        assert rules.decode(rules.encode(held)) == held


def test_every_word_that_may_be_set_is_a_setting_and_no_other_is_meant() -> None:
    """The authority knows the words only; the terminal's settings know their bounds."""
    tables = AgentSettings.model_fields
    for word, inner in KEYS.items():
        model = tables[word].annotation
        assert set(inner) == set(model.model_fields), word  # type: ignore[union-attr]
    assert set(TOP) < set(tables)
    never = {"fleet", "device", "gnss", "keys", "store", "devices", "configuration"}
    assert never.isdisjoint(KEYS.keys() | TOP)


def test_what_is_not_given_stays_the_terminals_own() -> None:
    own = AgentSettings.model_validate(
        {"fleet": "zz", "device": "car-1", "report": {"bound_m": 40}, "broker": {"host": "a"}}
    )
    found = effective(own, "[report]\nlease_s = 9\n[broker]\nport = 1883\n")
    assert (found.report.bound_m, found.report.lease_s) == (40, 9)
    assert (found.broker.host, found.broker.port) == ("a", 1883)
    assert effective(own, "") == own


@pytest.mark.parametrize(
    "text", ["[report]\nlease_s = 300\n", '[broker]\nport = "x"\n', 'log_level = "loud"\n']
)
def test_a_value_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        effective(OWN, text)
    assert caught.value.reason is Reason.OUT_OF_RANGE


@pytest.mark.parametrize("word", ["fleet", "device", "keys", "store", "devices", "gnss"])
def test_who_a_terminal_is_cannot_be_set_from_afar(word: str) -> None:
    with pytest.raises(Refused, match="not to be set from afar"):
        table_of(f'{word} = "x"\n')
    with pytest.raises(Refused, match="not to be set from afar"):
        table_of(f'[{word}]\nx = "y"\n')


def test_laid_over_changes_neither() -> None:
    own, table = {"a": {"b": 1, "c": 2}, "d": 3}, tomllib.loads("d = 4\n[a]\nb = 5\n")
    assert laid_over(own, table) == {"a": {"b": 5, "c": 2}, "d": 4}
    assert own == {"a": {"b": 1, "c": 2}, "d": 3}
