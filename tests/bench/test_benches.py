"""The benches that start no daemon, run; the command line; usage of a process."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import opening, peer_encodings, position_size, samples
from bench.__main__ import BENCHES, main
from bench.machine import Usage, describe
from bench.options import Options
from bench.raw import Commits
from protocol import envelope, position

ROOT = Path(__file__).resolve().parents[2]


def test_list_names_every_bench(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(BENCHES)


def test_unknown_name_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["opne"]) == 2
    assert "opne" in capsys.readouterr().err


def test_bench_position_prints_one_object() -> None:
    command = [sys.executable, "-m", "bench", "position", "--quick", "--json"]
    ended = subprocess.run(command, capture_output=True, check=True, timeout=60, cwd=ROOT)
    found = json.loads(ended.stdout)
    assert found["figures"][0]["budget"] == 140
    assert found["machine"]["python"]


def test_packets_carry_the_payload_and_the_topic_once() -> None:
    sealed = [samples.seal(one) for one in samples.moving(3)]
    packets = position_size.publish_packets(samples.TOPIC, sealed)
    assert [packet.endswith(one) for packet, one in zip(packets, sealed, strict=True)] == [True] * 3
    assert [samples.TOPIC.encode() in packet for packet in packets] == [True, False, False]


def test_raw_verify_is_over_the_same_bytes_as_ours() -> None:
    """A wrong message would be refused by both, and neither timed."""
    messages = [samples.seal(one) for one in samples.moving(2)]
    opener = envelope.PositionOpener(samples.TOPIC, samples.ENROLMENT, (samples.KEY.verify_key,))
    for message, (signature, signed) in zip(messages, opening.signed_parts(messages), strict=True):
        assert position.decode(opener.open(message)) in samples.moving(2)
        assert samples.KEY.verify_key.verifies(signature, signed)
        assert not samples.KEY.verify_key.verifies(signature, signed + b"x")


def test_open_measures_a_share_below_one() -> None:
    (figure,) = asyncio.run(opening.run(Options(quick=True)))
    assert figure.value is not None
    assert 0.3 < figure.value < 1.2  # more work than the raw verify, in the same order
    assert any("cryptography" in line for line in figure.beside)


def test_jt808_frame_checks_and_escapes() -> None:
    frame = peer_encodings.jt808(samples.moving(1)[0])
    assert frame[0] == frame[-1] == 0x7E
    assert 0x7E not in frame[1:-1]
    plain = frame[1:-1].replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")
    check = 0
    for byte in plain:
        check ^= byte
    assert check == 0
    assert plain[:2] == b"\x02\x00"
    assert len(plain) == 17 + 28 + 1


def test_usage_of_this_process() -> None:
    usage = Usage.of(os.getpid())
    assert usage.private_bytes > 1 << 20
    assert usage.cpu_s > 0


def test_machine_is_described() -> None:
    assert int(describe()["cores"]) >= 1


def test_commit_is_timed(tmp_path: Path) -> None:
    commits = Commits(tmp_path)
    assert commits.one_s() > 0
    commits.close()
