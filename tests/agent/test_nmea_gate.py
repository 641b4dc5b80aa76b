"""The gate: others' vectors read as they expect, impossible values refused with their reason."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.fix import FixKind
from agent.core.nmea import Sentence, SentenceGate, read_sentence
from agent.core.nmea_fields import KNOT_MPS, LEAP_SECOND_MS, FieldRefused
from tests.agent.receiver import framed, gga, gsa, read, rmc

KNOWN = ("RMC", "GGA", "GSA", "VTG", "GLL", "ZDA", "GNS", "GSV")


def refusal(raw: bytes) -> str:
    gate = SentenceGate()
    assert gate.accept(raw) is None
    assert gate.accepted == gate.ignored == 0, "passed or ignored instead of refused"
    (reason,) = gate.refused
    return reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (rmc("240000.00"), "time"),
        (rmc("236000.00"), "time"),
        (rmc("101060.00"), "time"),  # second 60 is no leap second at 10:10
        (rmc("10101.00"), "time"),
        (rmc("1e1010"), "time"),
        (rmc("101010.00", date="290223"), "date"),
        (rmc("101010.00", date="000000"), "date"),
        (rmc("101010.00", date="2403240"), "date"),
        (rmc("101010.00", lat="9006.0000"), "position"),  # 90.1 degrees
        (rmc("101010.00", lat="2460.0000"), "position"),
        (rmc("101010.00", lat="-0"), "position"),
        (rmc("101010.00", lat="nan"), "position"),
        (rmc("101010.00", lat="2430.7800e0"), "position"),
        (rmc("101010.00", lat=""), "position"),
        (rmc("101010.00", status="D"), "status"),
        ("GPRMC,101010,A,,,,,010.0,090.0,240324,,,A", "position"),
        ("GPRMC,101010,A,2430.78,N,11738.82,E,inf,090.0,240324,,,A", "speed"),
        ("GPRMC,101010,A,2430.78,N,11738.82,E,1e999,090.0,240324,,,A", "speed"),
        ("GPRMC,101010,A,2430.78,N,11738.82,E,-1.0,090.0,240324,,,A", "speed"),
        ("GPRMC,101010,A,2430.78,N,11738.82,E,1.0,360.1,240324,,,A", "course"),
        ("GPRMC,101010,A,2430.78,N,11738.82,E,1.0,90.0,240324,,,Q", "mode"),
        ("GPRMC,101010,A,2430.78,N,18000.01,E,1.0,90.0,240324,,,A", "position"),
        ("GPRMC,101010,A,2430.78,E,11738.82,E,1.0,90.0,240324,,,A", "position"),
        ("GPRMC,101010,A,2430.78", "field_count"),
        (gga("101010.00", quality=12), "quality"),
        ("GPGGA,101010,2430.78,N,11738.82,E,1,09,NaN,12.0,M,-5.0,M,,", "hdop"),
        ("GPGGA,101010,2430.78,N,11738.82,E,1,+9,0.9,12.0,M,-5.0,M,,", "satellites"),
        ("GPGGA,101010,2430.78,N,11738.82,E,1,09,0.9,12.0,F,-5.0,M,,", "altitude"),
        (gsa(4), "fix_type"),
        ("GPZDA,101010,32,01,2024,00,00", "date"),
        ("GPZDA,101010,01,,2024,00,00", "date"),
        ("GPGSV,1,2,01,01,10,100,40", "gsv_count"),
    ],
)
def test_impossible_values_are_refused(body: str, reason: str) -> None:
    assert refusal(framed(body)) == reason


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (framed(rmc("101010"))[:-3], "checksum_missing"),
        (framed(rmc("101010"))[:-1], "checksum_malformed"),
        (framed(rmc("101010")) + b"0", "checksum_malformed"),
        (framed(rmc("101010"))[:-2] + b"0G", "checksum_malformed"),
        (framed(rmc("101010")).replace(b"1010", b"1011"), "checksum_wrong"),
        ("$GNRMC,\u0661\u0660".encode(), "text"),
    ],
)
def test_damaged_sentences_are_refused(raw: bytes, reason: str) -> None:
    assert refusal(raw) == reason


def test_unicode_digits_are_no_digits() -> None:
    with pytest.raises(FieldRefused):
        read_sentence(framed(rmc("101010")).decode().replace("0", "\u0660").encode())


def test_checksum_may_be_lower_case() -> None:
    raw = framed("GPZDA,101010,01,02,2024,00,00")
    assert raw.lower() != raw
    assert read_sentence(raw[:-2] + raw[-2:].lower()) is not None


@pytest.mark.parametrize("body", ["GPTXT,01,01,02,x", "PUBX,00", "GPXTE,A,A,0.67,L,N", "GNGBS,1"])
def test_other_sentences_are_ignored(body: str) -> None:
    gate = SentenceGate()
    assert gate.accept(framed(body)) is None
    assert gate.accept(b"!AIVDM,1,1,,A,x,0*00") is None
    assert (gate.ignored, gate.refused) == (2, {})


@pytest.mark.parametrize(
    "body",
    [
        rmc("101010.00", status="V"),
        "GPRMC,,V,,,,,,,,,,N",
        "GPRMC,101010,A,2430.78,N,11738.82,E,1.0,90.0,240324,,,N",  # mode N outweighs A
        "GPRMC,235950.004,V,8960.000000,N,00000.000000,E,0.000,0.00,000000,,,N",
        gga("101010.00", quality=0),
        "GPGGA,101010,2430.78,N,11738.82,E,,09,0.9,12.0,M,-5.0,M,,",
        "GPGLL,2430.78,N,11738.82,E,101010,V,N",
        "GNGNS,101010,2430.78,N,11738.82,E,NNN,0,9.9,1.0,1.0,,",
    ],
)
def test_void_never_gives_a_position(body: str) -> None:
    sentence = read(body)
    assert sentence.valid is False
    assert (sentence.lat_deg, sentence.lon_deg, sentence.sog_mps) == (None, None, None)


def test_absence_is_not_zero() -> None:
    sentence = read("GPRMC,101010,A,2430.78,N,11738.82,E,,,,,,A")
    assert (sentence.sog_mps, sentence.cog_deg, sentence.day) == (None, None, None)
    assert read("GPGGA,101010,2430.78,N,11738.82,E,1,,0.0,,M,,M,,").hdop is None


def test_signs_and_edges_of_positions() -> None:
    south_west = read("GPGLL,9000.0000,S,18000.0000,W,101010,A,A")
    assert (south_west.lat_deg, south_west.lon_deg) == (-90.0, -180.0)
    island = read("GPGLL,0000.0000,S,00000.0000,W,101010,A,A")
    assert str(island.lat_deg) == str(island.lon_deg) == "0.0"


def test_leap_second_is_the_last_millisecond_of_its_day() -> None:
    assert read(rmc("235960.40")).time_of_day_ms == LEAP_SECOND_MS
    assert read(rmc("235959.40")).time_of_day_ms == 86_399_400


@pytest.mark.parametrize(
    ("text", "expected"),
    [("060180", date(1980, 1, 6)), ("311279", date(2079, 12, 31)), ("290224", date(2024, 2, 29))],
)
def test_century_of_two_digit_years(text: str, expected: date) -> None:
    days = (expected - date(1970, 1, 1)).days
    assert read(rmc("101010.00", date=text)).day == days


def test_origins_that_are_no_measurement_are_named() -> None:
    assert read(gga("101010.00", quality=6)).origin == "estimated"
    assert read(gga("101010.00", quality=8)).origin == "simulated"
    assert read(gga("101010.00", quality=4)).origin is None


def test_gsv_levels() -> None:
    sentence = read("GPGSV,1,1,03,09,57,333,29.0,07,54,227,,04,49,043,24.5,1")
    assert sentence.snr_dbhz == (29.0, 24.5)


@settings(max_examples=1500, deadline=None)
@given(
    formatter=st.sampled_from(KNOWN),
    fields=st.lists(
        st.one_of(
            st.sampled_from(["", "A", "V", "N", "E", "101010", "2430.78", "11738.82", "1", "nan"]),
            st.text(st.characters(codec="ascii", exclude_characters="*"), max_size=8),
            st.floats().map(str),
        ),
        max_size=22,
    ),
)
def test_no_fields_break_it(formatter: str, fields: list[str]) -> None:
    gate = SentenceGate()
    sentence = gate.accept(framed(",".join(["GN" + formatter, *fields])))
    assert gate.accepted + gate.ignored + gate.refused.total() == 1
    if sentence is not None and sentence.lat_deg is not None:
        assert sentence.lon_deg is not None
        assert abs(sentence.lat_deg) <= 90
        assert abs(sentence.lon_deg) <= 180


@settings(max_examples=500, deadline=None)
@given(raw=st.binary(max_size=120))
def test_no_bytes_break_it(raw: bytes) -> None:
    for candidate in (raw, b"$GPRMC," + raw):
        gate = SentenceGate()
        gate.accept(candidate)
        assert gate.accepted + gate.ignored + gate.refused.total() == 1


# --- vectors of other parsers' own tests -----------------------------------------------------


def vectors(shared_data: Path, name: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(
        (shared_data / "nmea-vectors" / name).read_text(encoding="utf-8")
    )
    return entries


def with_checksum(raw: str) -> bytes:
    """Vectors without a checksum test another parser's lax mode; only their values count here."""
    return raw.encode() if "*" in raw else framed(raw.removeprefix("$"))


def degrees(text: str) -> float:
    found = re.search(r'"(\d+)(\d\d(?:\.\d*)?) ([NSEW])"', text)
    if found is None:
        return float(text)
    value = int(found[1]) + float(found[2]) / 60
    return -value if found[3] in "SW" else value


def assert_go_fields(sentence: Sentence, fields: dict[str, str]) -> None:
    assert sentence.valid is not False
    for name, found in (("Latitude", sentence.lat_deg), ("Longitude", sentence.lon_deg)):
        if name in fields:
            assert found == pytest.approx(degrees(fields[name]), abs=1e-9)
    sog_kn = None if sentence.sog_mps is None else sentence.sog_mps / KNOT_MPS
    for name, number in (
        ("Speed", sog_kn),
        ("GroundSpeedKnots", sog_kn),
        ("Course", sentence.cog_deg),
        ("TrueTrack", sentence.cog_deg),
        ("HDOP", sentence.hdop),
        ("Altitude", sentence.alt_m),
        ("NumSatellites", sentence.satellites),
        ("SVs", sentence.satellites),
    ):
        if name in fields:  # they give 0 for an empty field, we give None
            assert (number or 0) == pytest.approx(float(fields[name]))
    if "FixType" in fields:
        assert sentence.dimension is FixKind(f"{fields['FixType']}d")
        listed = {int(number) for number in re.findall(r'"(\d+)"', fields["SV"])}
        assert {number for _, number in sentence.satellite_ids} == listed
    time = re.findall(r"\d+", fields.get("Time", ""))
    if len(time) == 4:
        hour, minute, second, ms = map(int, time)
        assert sentence.time_of_day_ms == ((hour * 60 + minute) * 60 + second) * 1000 + ms


def test_go_nmea_vectors(shared_data: Path) -> None:
    read_count = 0
    for entry in vectors(shared_data, "go_nmea.json"):
        gate = SentenceGate()
        sentence = gate.accept(entry["raw"].encode())
        if entry["raw"][3:6] not in KNOWN:
            assert sentence is None
            assert not gate.refused
        elif "error" in entry:
            assert sentence is None
            assert gate.refused.total() == 1, entry["raw"]
        else:
            assert sentence is not None, (entry["raw"], gate.refused)
            assert_go_fields(sentence, entry["fields"])
            read_count += 1
    assert read_count >= 30


def test_pynmea2_vectors(shared_data: Path) -> None:
    read_count = 0
    for entry in vectors(shared_data, "pynmea2.json"):
        raw, expect = entry["raw"], entry.get("expect", {})
        gate = SentenceGate()
        sentence = gate.accept(with_checksum(raw))
        if raw[3:6] not in KNOWN or raw.startswith("$P"):
            assert sentence is None
        elif raw.endswith("W,0.D"):  # cut in a field
            assert sentence is None
            assert gate.refused == {"field_count": 1}
        else:
            assert sentence is not None, (raw, gate.refused)
            read_count += 1
            if expect.get("is_valid") == "True" and sentence.formatter != "GSA":
                assert sentence.valid
            if "latitude" in expect and sentence.valid:
                assert sentence.lat_deg == pytest.approx(float(expect["latitude"]))
                assert sentence.lon_deg == pytest.approx(float(expect["longitude"]))
            elif "latitude" in expect:  # they give 0.0 for a void position
                assert (sentence.lat_deg, sentence.lon_deg) == (None, None)
            if sentence.formatter == "GGA" and "altitude" in expect:
                assert sentence.alt_m == float(expect["altitude"])
                assert sentence.hdop == float(expect["horizontal_dil"])
            stamp = re.search(r"datetime\.date\((\d+), (\d+), (\d+)\)", expect.get("datestamp", ""))
            if stamp:
                day = date(*map(int, stamp.groups()))
                assert sentence.day == (day - date(1970, 1, 1)).days
    assert read_count >= 10


def minmea_pair(struct: str, name: str) -> float | None:
    found = re.search(rf"\.{name} = {{ (-?\d+), (\d+) }}", struct)
    if found is None or found[2] == "0":
        return None
    return int(found[1]) / int(found[2])


def test_minmea_vectors(shared_data: Path) -> None:
    read_count = 0
    for entry in vectors(shared_data, "minmea.json"):
        struct = entry["expected_struct"]
        for raw in entry["raw"]:
            sound = raw.replace("\\r\\n", "")
            gate = SentenceGate()
            strict = gate.accept(sound.encode())
            if "*" not in sound:
                assert strict is None, "a sentence without checksum passed"
            if struct is None or sound[3:6] not in KNOWN:
                continue
            sentence = read_sentence(with_checksum(sound))
            assert sentence is not None
            read_count += 1
            for name, found in (("latitude", sentence.lat_deg), ("longitude", sentence.lon_deg)):
                expected = minmea_pair(struct, name)
                if expected is not None:
                    whole = int(expected / 100)
                    assert found == pytest.approx(whole + (expected - 100 * whole) / 60)
            knots = minmea_pair(struct, "speed_knots")
            if knots is not None:
                assert sentence.sog_mps == pytest.approx(knots * KNOT_MPS)
            if "hdop" in struct:
                assert sentence.hdop == minmea_pair(struct, "hdop")
            course = minmea_pair(struct, "true_track_degrees")
            if course is not None:
                assert sentence.cog_deg == pytest.approx(course)
            if (clock := re.search(r"\.time = { (\d+), (\d+), (\d+)", struct)) is not None:
                hour, minute, second = map(int, clock.groups())
                assert sentence.time_of_day_ms is not None
                assert sentence.time_of_day_ms // 1000 == (hour * 60 + minute) * 60 + second
    assert read_count >= 12
