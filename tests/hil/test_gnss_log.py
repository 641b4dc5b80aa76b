"""Re-stamping and grouping of recorded logs: every shared drive, and the awkward cases."""

import re
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import xor
from pathlib import Path

import pytest

from hil.gnss_log import epochs, read_log, restamp
from hil.life import InputError
from tests.hil.helpers import each_drive

NOW = datetime(2026, 11, 24, 0, 0, 7, 400_000, tzinfo=UTC)  # the day began within each drive

RMC = re.compile(rb"\$..RMC,(\d{6})(\.\d*)?,[^\n]*?,(\d{6}),[^,]*,[^\n]*")
TIME_ONLY = re.compile(rb"\$..(?:GGA|GNS),(\d\d)(\d\d)(\d\d(?:\.\d*)?),")


def checksum_error(line: bytes) -> int | None:
    """Own reading of a checksum, beside the code under test; None where there is none."""
    body, star, digits = line.strip(b"\r\n\0 ").rpartition(b"*")
    if not star or not re.fullmatch(rb"[0-9A-Fa-f]{2}", digits) or b"$" not in body:
        return None
    return reduce(xor, body[body.rindex(b"$") + 1 :], 0) ^ int(digits, 16)


def rmc_time(line: bytes) -> datetime | None:
    found = RMC.match(line)
    if not found:
        return None
    whole = datetime.strptime((found[3] + found[1]).decode() + "Z", "%d%m%y%H%M%S%z")
    return whole + timedelta(seconds=float(b"0" + (found[2] or b"")))


def seconds_of_day(line: bytes) -> float | None:
    found = TIME_ONLY.match(line)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else None


@each_drive
def test_every_drive_keeps_its_intervals(drive: Path) -> None:
    before = read_log(drive)
    after = restamp(before, NOW)
    assert len(before) == len(after)
    old = [(at, moment) for at, line in enumerate(before) if (moment := rmc_time(line))]
    new = {at: moment for at, line in enumerate(after) if (moment := rmc_time(line))}
    assert [at for at, _ in old] == list(new)
    shifts = {new[at] - moment for at, moment in old}
    assert len(shifts) == 1
    shift_s = shifts.pop().total_seconds()
    of_day = [(seconds_of_day(a), seconds_of_day(b)) for a, b in zip(before, after, strict=True)]
    moved = {
        (b - a - shift_s + 43200) % 86400 for a, b in of_day if a is not None and b is not None
    }
    assert moved
    assert all(s == pytest.approx(43200, abs=1e-4) for s in moved)


@each_drive
def test_every_drive_keeps_right_sentences_right_and_broken_ones_broken(drive: Path) -> None:
    before = read_log(drive)
    for line, shifted in zip(before, restamp(before, NOW), strict=True):
        assert checksum_error(line) == checksum_error(shifted)
        assert len(shifted) == len(line)
        if line != shifted:
            assert re.search(rb"\$(..(RMC|GGA|GLL|GNS|ZDA|GST)|PTNL,GGK),", line)


@each_drive
def test_last_epoch_of_every_drive_is_now(drive: Path) -> None:
    after = restamp(read_log(drive), NOW)
    stamps = [moment for line in after if (moment := rmc_time(line))]
    assert timedelta(0) <= NOW - stamps[-1] < timedelta(seconds=2)  # a GGA may come after
    last_s = [s for line in after if (s := rmc_or_gga_seconds(line)) is not None][-1]
    assert 0 <= (NOW.timestamp() - last_s) % 86400 < 1


def rmc_or_gga_seconds(line: bytes) -> float | None:
    moment = rmc_time(line)
    return moment.timestamp() % 86400 if moment else seconds_of_day(line)


def sentence(body: bytes) -> bytes:
    return b"$%b*%02X\r\n" % (body, reduce(xor, body, 0))


def test_time_of_day_alone_follows_the_date_over_midnight() -> None:
    log = [
        sentence(b"GPGGA,235958.50,1,N,2,E,1"),
        sentence(b"GPRMC,235959.50,A,1,N,2,E,0,,311220,,,A"),
        sentence(b"GPGGA,000000.50,1,N,2,E,1"),
        sentence(b"GPGLL,1,N,2,E,000001.50,A"),
    ]
    after = restamp(log, datetime(2026, 3, 2, 12, 0, 1, 700_000, tzinfo=UTC))
    assert after == [
        sentence(b"GPGGA,115958.50,1,N,2,E,1"),
        sentence(b"GPRMC,115959.50,A,1,N,2,E,0,,020326,,,A"),
        sentence(b"GPGGA,120000.50,1,N,2,E,1"),
        sentence(b"GPGLL,1,N,2,E,120001.50,A"),
    ]
    assert [epoch.after.total_seconds() for epoch in epochs(log)] == [0, 1, 2, 3]


def test_a_log_without_dates_is_shifted_by_time_of_day() -> None:
    log = [sentence(b"GPGGA,235959,1,N,2,E,1"), sentence(b"GPGGA,000003,1,N,2,E,1")]
    after = restamp(log, datetime(2026, 3, 2, 0, 0, 1, tzinfo=UTC))
    assert after == [sentence(b"GPGGA,235957,1,N,2,E,1"), sentence(b"GPGGA,000001,1,N,2,E,1")]


@pytest.mark.parametrize(
    ("line", "shifted"),
    [
        (b"$GPGGA,120000,1*70\r\n", b"$GPGGA,130000,1*71\r\n"),  # wrong by one bit: stays so
        (b"$GPGGA,120000.123,1\r\n", b"$GPGGA,130000.123,1\r\n"),  # none
        (b"$GPGGA,1200", b"$GPGGA,1200"),  # cut
        (b"\0\0$GPGGA,120000,1*71\n", b"\0\0$GPGGA,130000,1*70\n"),  # noise before
        (b"$GNGGA,120000,N*10\r\n", b"$GNGGA,130000,N*11\r\n"),
        (b"$GPGGA,,,*7A\r\n", b"$GPGGA,,,*7A\r\n"),  # no time
        (b"$GPGSV,1,1,00*79\r\n", b"$GPGSV,1,1,00*79\r\n"),
        (b"\xff\xfe\n", b"\xff\xfe\n"),
        (
            sentence(b"GPZDA,120000.00,31,12,2019,08,00"),
            sentence(b"GPZDA,130000.00,31,12,2019,08,00"),
        ),
        (
            sentence(b"PTNL,GGK,120000.00,123119,1"),
            sentence(b"PTNL,GGK,130000.00,123119,1"),
        ),
        (sentence(b"GPRMC,120000,V,,,,,,,,,,N"), sentence(b"GPRMC,130000,V,,,,,,,,,,N")),
    ],
)  # fmt: skip
def test_each_kind_of_line(line: bytes, shifted: bytes) -> None:
    anchor = sentence(b"GPRMC,120000,A,1,N,2,E,0,,311219,,,A")
    one_hour_later = datetime(2019, 12, 31, 13, tzinfo=UTC)
    assert restamp([line, anchor], one_hour_later)[0] == shifted


def test_dates_of_broken_sentences_count_only_where_there_are_no_others() -> None:
    broken = b"$GPRMC,120000,A,1,N,2,E,0,,311219,,,A*00\r\n"
    gga = sentence(b"GPGGA,120001,1,N,2,E,1")
    now = datetime(2026, 7, 1, 12, 0, 2, tzinfo=UTC)
    assert b",010726," in restamp([broken, gga], now)[0]
    dated = sentence(b"GPRMC,120001,A,1,N,2,E,0,,010120,,,A")
    assert b",300626," in restamp([broken, gga, dated], now)[0]


def test_lower_case_checksum_stays_lower_case() -> None:
    log = [sentence(b"GPGGA,1200%02d,,,%c" % (at, 65 + at)).lower() for at in range(24)]
    log = [line.replace(b"gpgga", b"GPGGA") for line in log]
    log = [b"$%b*%02x\r\n" % (line[1:-5], reduce(xor, line[1:-5], 0)) for line in log]
    after = restamp(log, datetime(2026, 1, 1, 13, 0, 23, tzinfo=UTC))
    assert all(checksum_error(line) == 0 for line in after)
    assert all(line[-4:-2] == line[-4:-2].lower() for line in after)
    assert any(line[-4:-2] != line[-4:-2].upper() for line in after)


def test_first_anchor_starts_now() -> None:
    log = [sentence(b"GPGGA,100000,1"), sentence(b"GPGGA,100005,1")]
    now = datetime(2026, 1, 1, 15, tzinfo=UTC)
    assert restamp(log, now, "first")[1] == sentence(b"GPGGA,150005,1")


def test_a_clock_that_is_set_makes_no_long_wait() -> None:
    log = [
        sentence(b"GPRMC,000001,V,,,,,,,060180,,,N"),
        sentence(b"GPRMC,120000,A,1,N,2,E,0,,010120,,,A"),
        sentence(b"GPRMC,110000,A,1,N,2,E,0,,010120,,,A"),
    ]
    assert [epoch.after.total_seconds() for epoch in epochs(log)] == [0, 1, 1]


def test_header_lines_are_dropped_and_the_rest_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"# Name: x\n# y\n$A\r\n\x00\n# inside\n$B")
    assert read_log(log) == [b"$A\r\n", b"\x00\n", b"# inside\n", b"$B"]


@pytest.mark.parametrize("content", [None, b"", b"# only a header\n"])
def test_a_log_that_says_nothing_is_refused(tmp_path: Path, content: bytes | None) -> None:
    log = tmp_path / "log"
    if content is not None:
        log.write_bytes(content)
    with pytest.raises(InputError, match="log"):
        read_log(log)
