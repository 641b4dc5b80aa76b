"""The sentences, checked by an independent decoder."""

from datetime import UTC, datetime

import pynmea2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.nmea import CONSTELLATIONS, KNOT_MPS, MAKERS, GnssState, epoch_sentences

UTC_TIME = datetime(2026, 3, 1, 23, 59, 58, 250_000, tzinfo=UTC)


def parse(lines: list[bytes]) -> dict[str, pynmea2.NMEASentence]:
    parsed = [pynmea2.parse(line.decode("ascii"), check=True) for line in lines]
    assert all(line.endswith(b"\r\n") and len(line) <= 82 for line in lines)
    return {sentence.sentence_type: sentence for sentence in parsed}


@given(
    lat=st.floats(-89.999999, 89.999999),
    lon=st.floats(-179.999999, 179.999999),
    speed=st.floats(0, 60),
    course=st.floats(0, 359.999999),
)
def test_position_speed_and_course_come_back(
    lat: float, lon: float, speed: float, course: float
) -> None:
    state = GnssState(utc=UTC_TIME, lat_deg=lat, lon_deg=lon, sog_mps=speed, cog_deg=course)
    said = parse(epoch_sentences("GN", list(MAKERS), state))
    for kind in ("RMC", "GGA", "GNS", "GLL"):
        assert said[kind].latitude == pytest.approx(lat, abs=1e-7)
        assert said[kind].longitude == pytest.approx(lon, abs=1e-7)
    assert said["RMC"].spd_over_grnd * KNOT_MPS == pytest.approx(speed, abs=3e-4)
    assert said["VTG"].spd_over_grnd_kmph / 3.6 == pytest.approx(speed, abs=3e-4)
    assert abs((said["RMC"].true_course - course + 180) % 360 - 180) <= 0.0051
    assert 0 <= said["RMC"].true_course < 360


def test_time_and_date_are_the_epochs() -> None:
    state = GnssState(utc=UTC_TIME, lat_deg=1, lon_deg=2)
    said = parse(epoch_sentences("GP", list(MAKERS), state))
    assert said["RMC"].datetime == UTC_TIME
    assert said["ZDA"].datetime == UTC_TIME
    assert said["GGA"].timestamp == UTC_TIME.timetz()


def test_without_fix_no_sentence_states_a_position() -> None:
    state = GnssState(utc=UTC_TIME, lat_deg=1, lon_deg=2, sog_mps=3, has_fix=False)
    said = parse(epoch_sentences("GN", ["RMC", "GGA", "GNS", "GSA", "GLL", "VTG"], state))
    assert (said["RMC"].status, said["GGA"].gps_qual, said["GSA"].mode_fix_type) == ("V", 0, "1")
    assert said["GLL"].status == "V"
    assert {said[kind].lat for kind in ("RMC", "GGA", "GNS", "GLL")} == {""}
    assert said["VTG"].spd_over_grnd_kmph is None


def test_satellites_in_view_are_spread_over_sentences() -> None:
    lines = epoch_sentences("GP", ["GSV"], GnssState(utc=UTC_TIME, lat_deg=1, lon_deg=2))
    assert [line.split(b",")[1:4] for line in lines] == [
        [b"3", str(place).encode(), b"10"] for place in (1, 2, 3)
    ]


def test_a_receiver_of_five_constellations_fills_a_fast_line() -> None:
    state = GnssState(utc=UTC_TIME, lat_deg=24.5, lon_deg=117.6)
    types = ["RMC", "GGA", "GNS", "VTG", "GLL", "ZDA", "GSA", "GSV"]
    lines = epoch_sentences("GN", types, state, list(CONSTELLATIONS))
    parse(lines)
    names = [line[1:6].decode() for line in lines]
    assert names[6:11] == ["GNGSA"] * 5
    systems = [line.partition(b"*")[0].rpartition(b",")[2] for line in lines[6:11]]
    assert systems == [b"1", b"2", b"3", b"4", b"5"]
    assert sorted(set(names[11:])) == ["GAGSV", "GBGSV", "GLGSV", "GPGSV", "GQGSV"]
    assert 0.8 * 11_520 < 10 * len(b"".join(lines)) < 11_520, "bytes a second at 10 Hz"
