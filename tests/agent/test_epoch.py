"""Epochs: grouped over talkers, closed early once learned, each emitted once, dated rightly."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.dating import NOT_BEFORE_MAX, Calendar
from agent.core.epoch import CYCLES_TO_LEARN, PENDING_MAX, EpochAssembler
from agent.core.fix import Fix, FixKind
from tests.agent.receiver import gga, gsa, read, rmc

SECONDS = [f"1010{second:02d}.00" for second in range(10, 40)]


def feed(assembler: EpochAssembler, *bodies: str) -> list[Fix]:
    return [fix for body in bodies for fix in assembler.feed(read(body))]


def utc_ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1000  # type: ignore[misc,arg-type]


def test_one_fix_from_all_sentences_of_an_epoch() -> None:
    assembler = EpochAssembler()
    assert feed(assembler, rmc("101010.00"), gga("101010.00"), gsa(3, 1), gsa(3, 2)) == []
    (fix,) = assembler.flush()
    assert fix.epoch_ms == utc_ms(2024, 3, 24, 10, 10, 10)
    assert fix.lat_deg == pytest.approx(24.513)
    assert fix.lon_deg == pytest.approx(117.647)
    assert fix.sog_mps == pytest.approx(5.1444, abs=1e-4)
    assert (fix.cog_deg, fix.alt_m, fix.hdop) == (90.0, 12.0, 0.9)
    assert (fix.kind, fix.flags) == (FixKind.FIX_3D, ())
    assert fix.satellites == 10  # the lists of two constellations know more than GGA's 09


def test_a_new_time_closes_the_epoch() -> None:
    assembler = EpochAssembler()
    feed(assembler, rmc("101010.00"), gga("101010.00"))
    (fix,) = feed(assembler, rmc("101011.00"))
    assert fix.time_of_day_ms == 36_610_000


def test_closes_at_the_cycles_last_sentence_once_learned() -> None:
    assembler = EpochAssembler()
    for number, time in enumerate(SECONDS[:8]):
        early = feed(assembler, gga(time), gsa(), "GPGLL,2430.78,N,11738.82,E,," + "A,A")
        at_end = feed(assembler, rmc(time))
        assert early == [] or number <= CYCLES_TO_LEARN, "closed before its RMC"
        if number > CYCLES_TO_LEARN:
            assert [fix.time_of_day_ms for fix in at_end] == [read(rmc(time)).time_of_day_ms]
            assert at_end[0].sog_mps is not None


def test_a_repeating_sentence_adds_no_delay() -> None:
    assembler = EpochAssembler()
    closed_by = []
    for time in SECONDS[:8]:
        for body in (rmc(time), gga(time), f"GNGLL,2430.78,N,11738.82,E,{time},A,A"):
            closed_by += [body[2:5] for _ in feed(assembler, body)]
    assert closed_by[CYCLES_TO_LEARN:] == ["GGA"] * (8 - CYCLES_TO_LEARN)


def test_a_cycle_that_grows_is_learned_anew() -> None:
    assembler = EpochAssembler()
    for time in SECONDS[:6]:
        feed(assembler, rmc(time), gga(time))
    fixes = []
    for time in SECONDS[6:12]:
        fixes += feed(assembler, rmc(time), gga(time), gsa(2))
    assert [fix.kind for fix in fixes[-2:]] == [FixKind.FIX_2D] * 2
    assert len({fix.time_of_day_ms for fix in fixes}) == len(fixes)


def test_a_sentence_sent_at_times_holds_no_fix_up() -> None:
    assembler = EpochAssembler()
    closed = 0
    for number, time in enumerate(SECONDS[:20]):
        fixes = feed(assembler, rmc(time), gga(time))
        closed += len(fixes) if number > CYCLES_TO_LEARN else 0
        if number % 5 == 0:
            feed(assembler, gsa(2))
    assert closed == 20 - CYCLES_TO_LEARN - 1


def test_flush_closes_and_what_follows_is_late() -> None:
    assembler = EpochAssembler()
    feed(assembler, rmc("101010.00"))
    assert len(assembler.flush()) == 1
    assert feed(assembler, gga("101010.00")) == []
    assert assembler.flush() == []
    assert assembler.dropped == {"late": 1}


def test_flush_teaches_where_a_cycle_starts() -> None:
    assembler = EpochAssembler()
    for time in SECONDS[:5]:
        feed(assembler, gsa(), rmc(time), gga(time))
        assembler.flush()
    assert feed(assembler, gsa(2), rmc(SECONDS[5])) == []
    (fix,) = feed(assembler, gga(SECONDS[5]))
    assert fix.kind is FixKind.FIX_2D


def test_a_frozen_receiver_gives_one_fix() -> None:
    assembler = EpochAssembler()
    fixes = []
    for _ in range(50):
        fixes += feed(assembler, rmc("101010.00"), gga("101010.00"), gsa())
    assert len(fixes + assembler.flush()) == 1
    assert assembler.repeats >= 48
    feed(assembler, rmc("101011.00"))
    assert assembler.repeats == 0


def test_void_outweighs_position() -> None:
    assembler = EpochAssembler()
    feed(assembler, gga("101010.00"), rmc("101010.00", status="V"))
    (fix,) = assembler.flush()
    assert fix.kind is FixKind.NONE
    assert (fix.lat_deg, fix.lon_deg, fix.alt_m, fix.sog_mps) == (None, None, None, None)
    assert fix.epoch_ms == utc_ms(2024, 3, 24, 10, 10, 10)


def test_one_constellation_without_fix_voids_nothing() -> None:
    assembler = EpochAssembler()
    feed(assembler, gga("101010.00", talker="GP"), gga("101010.00", talker="GL", quality=0))
    (fix,) = assembler.flush()
    assert fix.kind is FixKind.FIX_3D


def test_stragglers_of_a_void_cycle_do_not_void_the_next() -> None:
    assembler = EpochAssembler()
    for time in SECONDS[:6]:
        feed(assembler, rmc(time, status="V"), "GPGLL,,,,,,V,N")
    feed(assembler, rmc(SECONDS[6]), gga(SECONDS[6]))
    fixes = feed(assembler, rmc(SECONDS[7]))
    assert fixes + assembler.flush()
    feed(assembler, rmc(SECONDS[8]), gga(SECONDS[8]))
    assert {fix.kind for fix in assembler.flush()} <= {FixKind.FIX_2D, FixKind.FIX_3D}


def test_estimated_positions_are_marked() -> None:
    assembler = EpochAssembler()
    feed(assembler, gga("101010.00", quality=6))
    (fix,) = assembler.flush()
    assert fix.flags == ("estimated",)


def test_without_date_there_is_no_epoch_time() -> None:
    assembler = EpochAssembler()
    feed(assembler, gga("101010.00"))
    (fix,) = assembler.flush()
    assert (fix.epoch_ms, fix.time_of_day_ms) == (None, 36_610_000)


def test_date_is_carried_over_midnight_both_ways() -> None:
    assembler = EpochAssembler()
    feed(assembler, rmc("235959.00", date="281223"), gga("000000.00"))
    (first,) = assembler.flush()
    assert first.epoch_ms == utc_ms(2023, 12, 29, 0, 0, 0)
    feed(assembler, gga("000001.00"))
    (second,) = assembler.flush()
    assert second.epoch_ms == utc_ms(2023, 12, 29, 0, 0, 1)


def test_zda_dates_an_epoch_and_those_after() -> None:
    assembler = EpochAssembler()
    feed(assembler, gga("101010.00"), "GPZDA,101010.00,24,03,2024,00,00")
    feed(assembler, gga("101011.00"))
    (fix,) = assembler.flush()
    assert fix.epoch_ms == utc_ms(2024, 3, 24, 10, 10, 11)


def test_a_void_sentences_date_dates_no_later_epoch() -> None:
    assembler = EpochAssembler()
    feed(assembler, rmc("101010.00", status="V", date="060180"), gga("101011.00"))
    (fix,) = assembler.flush()
    assert fix.epoch_ms is None


@pytest.mark.parametrize(
    ("told", "not_before", "expected"),
    [
        ("240324", date(2024, 1, 1), date(2024, 3, 24)),
        ("080804", date(2024, 1, 1), date(2024, 3, 24)),  # once round
        ("231284", date(2024, 1, 1), date(2024, 3, 24)),  # twice round
        ("080804", None, date(2004, 8, 8)),
        ("080804", date(2024, 3, 24), date(2024, 3, 24)),
        ("080804", date(2024, 3, 25), date(2043, 11, 8)),
    ],
)
def test_week_rollover(told: str, not_before: date | None, expected: date) -> None:
    assembler = EpochAssembler(not_before)
    feed(assembler, rmc("101010.00", date=told))
    (fix,) = assembler.flush()
    assert fix.epoch_ms == utc_ms(expected.year, expected.month, expected.day, 10, 10, 10)
    raw = datetime.strptime(told, "%d%m%y").replace(tzinfo=UTC).date()
    moved = raw != expected
    assert fix.flags == (("rollover",) if moved else ())
    assert fix.raw_epoch_ms == (utc_ms(raw.year, raw.month, raw.day, 10, 10, 10) if moved else None)


def test_calendar_counts_no_further_than_it_can_write() -> None:
    with pytest.raises(ValueError, match="after"):
        Calendar(date(9999, 1, 1))
    calendar = Calendar(None)
    calendar.note((NOT_BEFORE_MAX - date(1970, 1, 1)).days, 86_399_000)
    assert calendar.date(0, None, trusted=True) == (None, None)


def test_sentences_without_an_epoch_are_bounded() -> None:
    assembler = EpochAssembler()
    for _ in range(1000):
        feed(assembler, gsa())
    assert assembler.dropped == {"pending": 1000 - PENDING_MAX}


TIMES = st.sampled_from(["235959.00", "000000.00", "000000.10", "101010.00", ""])
TALKERS = st.sampled_from(["GP", "GN", "GL"])
BODIES = st.one_of(
    st.builds(rmc, TIMES, talker=TALKERS),
    st.builds(gga, TIMES, talker=TALKERS),
    st.sampled_from(
        [
            gsa(),
            gsa(1),
            rmc("101010.00", status="V"),
            rmc("101010.00", date="010180"),
            "GPVTG,90.0,T,,M,1.0,N,1.9,K,A",
            "GPZDA,235959.00,24,03,2024,00,00",
            "GPGLL,2430.79,N,11738.82,E,000000.10,A,A",
            "GPGLL,,,,,,V,N",
            "flush",
        ]
    ),
)


@settings(max_examples=500, deadline=None)
@given(bodies=st.lists(BODIES, max_size=60))
def test_an_epoch_is_emitted_once(bodies: list[str]) -> None:
    assembler = EpochAssembler(date(2024, 1, 1))
    fixes: list[Fix] = []
    for body in bodies:
        fixes += assembler.flush() if body == "flush" else feed(assembler, body)
    fixes += assembler.flush()
    times = [fix.epoch_ms for fix in fixes if fix.epoch_ms is not None]
    for place, time in enumerate(times):
        assert time not in times[max(0, place - 3) : place]
    for fix in fixes:
        assert (fix.lat_deg is None) == (fix.kind is FixKind.NONE)
        assert list(fix.flags) == sorted(set(fix.flags))
