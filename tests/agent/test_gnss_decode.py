"""`outrider gnss decode`: its objects, exit codes and one-line complaints, and that it streams."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.framing import SENTENCE_BYTES_MAX
from agent.gnss_decode import Decoder, HeaderSkipper, main, run
from tests.agent.receiver import gga, gsa, line, rmc

ROOT = Path(__file__).resolve().parent.parent.parent
KEYS = ["time", "lat", "lon", "alt_m", "sog_mps", "cog_deg", "fix", "satellites", "hdop", "flags"]
STREAM = b"".join(
    line(body)
    for second in range(10, 16)
    for body in (rmc(f"1010{second}.00"), gga(f"1010{second}.00"), gsa())
)
RUN = "import sys; from agent.gnss_decode import run; sys.exit(run(sys.argv[1], None, sys.stdout))"


def decode(path: Path | str, not_before: str | None = None) -> tuple[int, list[Any], str]:
    out, err = io.StringIO(), io.StringIO()
    code = run(str(path), not_before, out, err)
    return code, [json.loads(text) for text in out.getvalue().splitlines()], err.getvalue()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "receiver.log"
    path.write_bytes(b"# Name: $GPRMC of\r\n#\n" + STREAM)
    return path


def test_one_object_for_each_epoch(log: Path) -> None:
    code, epochs, said = decode(log)
    assert code == 0
    assert [epoch["time"] for epoch in epochs] == [
        f"2024-03-24T10:10:{second}.000Z" for second in range(10, 16)
    ]
    assert list(epochs[0]) == KEYS
    assert epochs[0] == {
        "time": "2024-03-24T10:10:10.000Z",
        "lat": 24.513,
        "lon": 117.647,
        "alt_m": 12.0,
        "sog_mps": 5.1444,
        "cog_deg": 90.0,
        "fix": "3d",
        "satellites": 9,
        "hdop": 0.9,
        "flags": [],
    }
    assert said == "sentences 18, others 0\n"


def test_absent_values_are_null(tmp_path: Path) -> None:
    path = tmp_path / "void.log"
    path.write_bytes(line("GPRMC,,V,,,,,,,,,,N"))
    _, epochs, _ = decode(path)
    assert epochs == [dict.fromkeys(KEYS) | {"fix": "none", "flags": []}]


def test_rollover_is_repaired_only_with_a_floor(tmp_path: Path) -> None:
    path = tmp_path / "old.log"
    path.write_bytes(line(rmc("101010.00", date="080804")))
    assert decode(path)[1][0]["time"] == "2004-08-08T10:10:10.000Z"
    _, (epoch,), _ = decode(path, "2024-01-01")
    assert (epoch["time"], epoch["flags"]) == ("2024-03-24T10:10:10.000Z", ["rollover"])


@pytest.mark.parametrize("not_before", ["2024", "2024-13-01", "soon", "", "9999-12-31"])
def test_a_floor_that_is_no_date(log: Path, not_before: str) -> None:
    code, epochs, said = decode(log, not_before)
    assert (code, epochs) == (1, [])
    assert repr(not_before) in said
    assert "YYYY-MM-DD" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["missing.log", ".", "nul\x00.log"])
def test_an_unreadable_file_is_one_line(tmp_path: Path, name: str) -> None:
    code, epochs, said = decode(f"{tmp_path}/{name}")
    assert (code, epochs) == (1, [])
    assert f"{tmp_path}/{name}: cannot be" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "data", [b"", hashlib.shake_128(b"noise").digest(4096).replace(b"$", b""), b"\x00" * 9999]
)
def test_bytes_without_a_sentence_are_undecodable(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "noise"
    path.write_bytes(data.replace(b"!", b""))
    code, epochs, said = decode(path)
    assert (code, epochs) == (1, [])
    assert "no NMEA sentence" in said
    assert said.count("\n") == 1


def test_integrity_flags_are_in_it(tmp_path: Path) -> None:
    path = tmp_path / "jump.log"
    bodies = [rmc(f"1010{second}.00") for second in range(10, 20)]
    bodies += [rmc(f"1010{second}.00", lat="2530.7800") for second in range(20, 22)]
    path.write_bytes(b"".join(map(line, bodies)))
    assert ["jump" in epoch["flags"] for epoch in decode(path)[1]] == [False] * 10 + [True] * 2


def test_command_line(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(log), "--not-before", "2024-01-01"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 6
    assert main(["--help"]) == 0
    assert "example: outrider gnss decode" in capsys.readouterr().out
    assert main([]) == main([str(log), "--before", "x"]) == 2
    assert not capsys.readouterr().out


def test_standard_input_is_answered_while_it_runs() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, "-"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(STREAM)
        process.stdin.flush()
        first = json.loads(process.stdout.readline())  # the pipe is still open
        assert first["time"] == "2024-03-24T10:10:10.000Z"
        assert process.stderr is not None
        process.stdin.close()
        assert len(process.stdout.read().splitlines()) == 5
        assert process.stderr.read() == b"sentences 18, others 0\n"
    assert process.returncode == 0


def test_a_reader_that_leaves_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "long.log"
    path.write_bytes(
        b"".join(line(rmc(f"{n // 3600:02d}{n // 60 % 60:02d}{n % 60:02d}")) for n in range(9999))
    )
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize("chunk_bytes", [1, 7, 65_536])
def test_header_lines_are_skipped_in_front_only(chunk_bytes: int) -> None:
    skipper = HeaderSkipper()
    data = b"# one\n#\n# three\n$A\n# kept\n"
    chunks = [data[start : start + chunk_bytes] for start in range(0, len(data), chunk_bytes)]
    assert b"".join(map(skipper.feed, chunks)) == b"$A\n# kept\n"


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from([STREAM, STREAM[:100], b"$", b"#", b"\r\n", b"*47", b"$GPGGA,"]),
        st.tuples(
            st.sampled_from(["RMC", "GGA", "GSA", "GLL", "GNS", "VTG", "ZDA", "GSV"]),
            st.lists(st.sampled_from(["", "A", "V", "1", "235960", "9000.0", "N", "E", "nan"])),
        ).map(lambda made: line(",".join(["GN" + made[0], *made[1]]))),
    ),
    max_size=15,
)


@settings(max_examples=300, deadline=None)
@given(pieces=PIECES)
def test_any_bytes_any_chunks(pieces: list[bytes]) -> None:
    whole, cut = Decoder(), Decoder()
    expected = whole.feed(b"".join(pieces)) + whole.flush()
    found = []
    for piece in pieces:
        found += cut.feed(piece)
        assert cut.framer.held_bytes <= SENTENCE_BYTES_MAX
    assert found + cut.flush() == expected
    for fix in expected:
        assert fix.lat_deg is None or abs(fix.lat_deg) <= 90
