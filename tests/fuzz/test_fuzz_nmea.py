"""A million hostile inputs from bytes to fixes: no exception, no hang, no growth, nothing absurd.

atheris is led by coverage but instruments every line, so it makes a small part of them in a process
of its own; the loop below makes the rest.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.core.gpsd import GpsdReports
from agent.core.nmea_fields import decimal
from tests.fuzz import hostile
from tests.fuzz.pipeline import Pipeline
from tests.hil.helpers import REPOSITORY

ATHERIS_RUNS = 100_000
LOOP_RUNS = 450_000  # in each of two workers: with atheris' a million
GPSD_RUNS = 60_000
GROWTH_KIB_MAX = 4096
SLOW_S = 1.0  # far beyond a stall of a busy machine would be a hang; one input takes 0.1 ms
WARM = 20_000


def resident_kib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.timeout(300)
def test_mutated_sentences(seed: int) -> None:
    chance, seeds, pipeline = random.Random(seed), hostile.seeds(), Pipeline()
    slowest_s, warm_kib = 0.0, 0
    for count in range(LOOP_RUNS):
        data = hostile.mutate(chance.choice(seeds), seeds, chance)
        begin_s = time.thread_time()
        try:
            pipeline.take(data)
        except Exception as fault:
            raise AssertionError(f"input {count} of seed {seed}: {data!r}") from fault
        slowest_s = max(slowest_s, time.thread_time() - begin_s)
        if count == WARM:
            warm_kib = resident_kib()
    assert resident_kib() - warm_kib < GROWTH_KIB_MAX
    assert slowest_s < SLOW_S
    assert pipeline.gate.accepted > LOOP_RUNS / 4, "hostile, and still past the gate"
    assert pipeline.placed > LOOP_RUNS / 50
    assert len(pipeline.gate.refused) > 20, "each kind of refusal is met"


@pytest.mark.timeout(300)
def test_atheris(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    corpus = tmp_path / "corpus"
    shutil.copytree(hostile.CORPUS, corpus)
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.with_atheris", f"-runs={ATHERIS_RUNS}", "-seed=1",
         f"-max_len={hostile.BYTES_MAX}", "-timeout=5", "-rss_limit_mb=512",
         f"-artifact_prefix={tmp_path}/", str(corpus)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=240, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"Done {ATHERIS_RUNS} runs" in done.stderr
    assert len(list(corpus.iterdir())) > len(hostile.seeds()), "coverage has led it somewhere"


def test_a_fault_in_the_pipeline_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's own proof: a course of 360 degrees that is let through is caught."""
    monkeypatch.setattr(
        "agent.core.nmea_fields.course_deg", lambda text: decimal(text, 0.0, 360.0, "course")
    )
    chance, seeds, pipeline = random.Random(1), hostile.seeds(), Pipeline()

    def take_all() -> None:
        for _ in range(50_000):
            pipeline.take(hostile.mutate(chance.choice(seeds), seeds, chance))

    with pytest.raises(AssertionError):
        take_all()


TPV = {
    "class": "TPV", "device": "/dev/a", "mode": 3, "time": "2026-06-01T12:00:00.000Z",
    "lat": 24.5, "lon": 117.6, "altMSL": 12.0, "speed": 3.0, "track": 9.0, "eph": 8.0,
}  # fmt: skip
SKY = {"class": "SKY", "device": "/dev/a", "hdop": 0.8, "satellites": [{"used": True, "ss": 40.0}]}
VALUES: list[object] = [
    None, True, -1, 0, 1, 2, 3, 4, 360, 361, 1e308, -1e308, 10**400, "", "3", [], {}, [[]], [{}],
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-13-01T00:00:00Z",
]  # fmt: skip


def test_mutated_gpsd_reports() -> None:
    chance, reports = random.Random(1), GpsdReports()
    fixes = 0
    for count in range(GPSD_RUNS):
        report = dict(chance.choice([TPV, SKY]))
        for _ in range(chance.randint(0, 2)):
            report[chance.choice(list(report))] = chance.choice(VALUES)
        if chance.random() < 0.5:
            report["time"] = f"2026-06-01T12:{count // 60 % 60:02}:{count % 60:02}.000Z"
        line = json.dumps(report).encode()
        if chance.random() < 0.3:
            line = hostile.mutate(line, [line], chance)
        for fix in reports.feed(line) + (reports.flush() if count % 7 == 0 else []):
            fixes += 1
            assert fix.lat_deg is None or -90 <= fix.lat_deg <= 90
            assert fix.epoch_ms is None or fix.epoch_ms >= 0
    assert fixes > GPSD_RUNS / 20
    assert len(reports.refused) < 32
