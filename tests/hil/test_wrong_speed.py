"""A reader at the wrong line speed gets what a UART makes of it, and no sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path

import pytest
import serial

from hil.gnss_command import main
from hil.nmea import GnssState, epoch_sentences
from hil.wrong_speed import heard_at
from tests.hil.helpers import Emulator

SPEEDS = (4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400)
STATE = GnssState(utc=datetime(2026, 3, 1, tzinfo=UTC), lat_deg=24.5, lon_deg=117.6)
EPOCH = b"".join(epoch_sentences("GN", ["RMC", "GGA", "GSA", "VTG"], STATE))


def test_clocks_that_differ_by_two_per_cent_still_understand_each_other() -> None:
    for percent in (-2, -1, 0, 1, 2):
        assert heard_at(EPOCH, 115_200, 115_200 * (100 + percent) // 100) == EPOCH


@pytest.mark.parametrize(("sent", "heard"), list(permutations(SPEEDS, 2)))
def test_no_wrong_speed_gives_a_sentence(sent: int, heard: int) -> None:
    got = heard_at(EPOCH, sent, heard)
    assert got
    assert b"RMC" not in got
    assert b"GGA" not in got


def test_a_byte_heard_at_half_speed_is_the_textbooks() -> None:
    # U is 0101010101 on the line: at half speed each heard bit falls on the second of two
    assert heard_at(b"U" * 10, 9600, 9600) == b"U" * 10
    assert set(heard_at(b"\x00" * 10, 9600, 19_200)) == {0}, "a long low is a break"


def test_the_emulator_speaks_at_its_own_speed(tmp_path: Path) -> None:
    link = str(tmp_path / "gnss")
    options = ("--at", "24.5,117.6", "--hz", "10", "--baud-real", "38400")
    with Emulator("gnss", "--link", link, *options) as emulator:
        emulator.event("ready")
        with serial.Serial(link, 9600, timeout=10) as port:
            assert b"$GNRMC" not in port.read(200)
            port.baudrate = 38_400
            assert b"$GNRMC" in port.read_until(b"$GNRMC", 4000)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--port", "/dev/null", "--baud-real", "9600"), 1, "a real port keeps its own speed"),
        (("--baud-real", "300"), 2, "give 1200 to 921600"),
        (("--constellations", "GP,XX"), 2, "no constellation XX"),
    ],
)
def test_what_cannot_be_is_told(
    capsys: pytest.CaptureFixture[str], options: tuple[str, ...], code: int, said: str
) -> None:
    try:
        ended = main(["--at", "24.5,117.6", *options])
    except SystemExit as end:
        ended = int(end.code or 0)
    assert ended == code
    assert said in capsys.readouterr().err
