"""Real receivers: every log beside what an independent implementation (gpsd) reports for it.

Compared by epoch time modulo 1,024 weeks (each side dates an old log by its own rule) with the last
report of that epoch, and with any of them where the receiver itself contradicts itself. What
differs and why is listed in docs/receivers.md.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agent.core.fix import Fix, FixKind
from agent.gnss_decode import Decoder

ROLLOVER_MS = 7 * 1024 * 86_400_000
POSITION_DEG = 1e-6
BINARY_ONLY = "quectel-l76k-binary.log"  # its positions are in CASIC frames only
# The reference's figure comes from elsewhere than the sentences: worked out from positions (bundg),
# from binary frames mixed in (dual), from proprietary sentences (ac12).
NOT_FROM_SENTENCES = ("bundg_zeus_9.log", "quectel-l76k-dual.log", "ac12_binary.log")

Report = dict[str, Any]


def decoded(data: bytes, chunk_bytes: int = 65_536) -> tuple[list[Fix], Decoder]:
    decoder = Decoder()
    fixes: list[Fix] = []
    for start in range(0, len(data), chunk_bytes):
        fixes += decoder.feed(data[start : start + chunk_bytes])
    return fixes + decoder.flush(), decoder


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def reference(log: Path) -> dict[int, list[Report]]:
    """Reports by epoch; each knows the satellite reports printed around it."""
    reports: dict[int, list[Report]] = {}
    skies: list[Report] = []
    epoch: int | None = None
    for text in log.with_name(log.name + ".chk").read_text(errors="replace").splitlines():
        if text.startswith('{"class":"SKY"'):
            skies.append(json.loads(text))
        if not text.startswith('{"class":"TPV"') or '"time"' not in text:
            continue
        report = json.loads(text)
        if milliseconds(report["time"]) != epoch:
            epoch, skies = milliseconds(report["time"]), skies[-3:]
        report["skies"] = skies  # shared: filled up to the next epoch
        reports.setdefault(epoch, []).append(report)
    return reports


def with_fix(reports: dict[int, list[Report]]) -> dict[int, list[Report]]:
    return {
        epoch: found
        for epoch, found in reports.items()
        if found[-1]["mode"] >= 2 and "lat" in found[-1]
    }


def at(fix: Fix, report: Report) -> bool:
    if "lat" not in report or fix.lat_deg is None or fix.lon_deg is None:
        return False
    lat_step, lon_step = fix.lat_deg - report["lat"], fix.lon_deg - report["lon"]
    return bool(max(abs(lat_step), abs(lon_step)) <= POSITION_DEG)


def near(mine: float | None, theirs: list[float], tolerance: float) -> bool:
    return mine is not None and min(abs(mine - value) for value in theirs) <= tolerance


def figures(fix: Fix, report: Report) -> list[tuple[str, float | None, list[float], float]]:
    """Name, ours, theirs, and half the last digit they print."""
    rows = [
        ("speed", fix.sog_mps, [report.get("speed")], 0.0006),
        ("course", fix.cog_deg, [report.get("track")], 0.00011),
        ("altitude", fix.alt_m, [report.get("altMSL")], 0.00011),
        ("hdop", fix.hdop, [sky.get("hdop") for sky in report["skies"]], 0.0051),
        ("satellites", fix.satellites, [sky.get("uSat") for sky in report["skies"]], 0),
    ]
    present = [
        (name, mine, [v for v in theirs if v is not None], t) for name, mine, theirs, t in rows
    ]
    return [row for row in present if row[2]]


def compare(log: Path) -> Counter[str]:
    fixes, _ = decoded(log.read_bytes())
    ours = {
        fix.epoch_ms % ROLLOVER_MS: fix
        for fix in fixes
        if fix.epoch_ms is not None and fix.kind is not FixKind.NONE
    }
    counts: Counter[str] = Counter()
    for epoch, reports in with_fix(reference(log)).items():
        counts["epochs"] += 1
        fix = ours.get(epoch % ROLLOVER_MS)
        if fix is None:
            continue
        counts["any"] += any(at(fix, report) for report in reports)
        if not at(fix, reports[-1]):
            continue
        counts["last"] += 1
        counts["kind"] += fix.kind.value == f"{reports[-1]['mode']}d"
        for name, mine, theirs, tolerance in figures(fix, reports[-1]):
            counts[f"{name} given"] += 1
            counts[f"{name} same"] += near(mine, theirs, tolerance)
    return counts


@pytest.fixture(scope="session")
def logs(shared_data: Path) -> list[Path]:
    found = sorted((shared_data / "gnss-receivers").glob("*.log"))
    assert len(found) >= 40
    return found


@pytest.fixture(scope="session")
def by_log(logs: list[Path]) -> dict[str, Counter[str]]:
    return {log.name: compare(log) for log in logs if log.name != BINARY_ONLY}


def test_positions_are_the_references(by_log: dict[str, Counter[str]]) -> None:
    total = sum(by_log.values(), Counter[str]())
    assert total["epochs"] > 1500
    assert total["any"] / total["epochs"] >= 0.999
    assert total["last"] / total["epochs"] >= 0.994  # all of the rest in one chart plotter's log
    but_one = [counts for name, counts in by_log.items() if name != "bundg_zeus_9.log"]
    assert all(counts["last"] == counts["epochs"] for counts in but_one)


def test_fix_kinds_are_the_references(by_log: dict[str, Counter[str]]) -> None:
    total = sum(by_log.values(), Counter[str]())
    assert total["kind"] / total["last"] >= 0.97


@pytest.mark.parametrize(
    ("figure", "share"),
    [("speed", 0.99), ("course", 0.999), ("altitude", 1.0), ("hdop", 0.97), ("satellites", 0.92)],
)
def test_figures_are_the_references(
    by_log: dict[str, Counter[str]], figure: str, share: float
) -> None:
    kept = [counts for name, counts in by_log.items() if name not in NOT_FROM_SENTENCES]
    total = sum(kept, Counter[str]())
    assert total[f"{figure} given"] > 600
    assert total[f"{figure} same"] / total[f"{figure} given"] >= share


def test_binary_positions_are_not_invented(shared_data: Path) -> None:
    fixes, _ = decoded((shared_data / "gnss-receivers" / BINARY_ONLY).read_bytes())
    assert not [fix for fix in fixes if fix.lat_deg is not None]


def test_no_position_where_the_reference_has_none(logs: list[Path]) -> None:
    """Where every report of an epoch says no fix, we say none."""
    checked = 0
    for log in logs:
        modes = {
            epoch % ROLLOVER_MS: max(report["mode"] for report in reports)
            for epoch, reports in reference(log).items()
        }
        for fix in decoded(log.read_bytes())[0]:
            if fix.epoch_ms is not None and modes.get(fix.epoch_ms % ROLLOVER_MS, 2) < 2:
                checked += 1
                assert fix.kind is FixKind.NONE, (log.name, fix)
    assert checked > 10


@pytest.mark.parametrize("chunk_bytes", [1, 7, 4096])
def test_chunks_do_not_matter(logs: list[Path], chunk_bytes: int) -> None:
    for log in logs:
        data = log.read_bytes()
        whole, cut = decoded(data), decoded(data, chunk_bytes)
        assert whole[0] == cut[0], log.name
        assert whole[1].framer.dropped == cut[1].framer.dropped
        assert whole[1].gate.refused == cut[1].gate.refused


# --- drives ----------------------------------------------------------------------------------


def drive_rows(shared_data: Path) -> list[tuple[str, int, int, float, int]]:
    text = (shared_data / "gnss-drives" / "README.md").read_text(encoding="utf-8")
    pattern = r"\| (\S+) \|.*?(\d+) valid RMC, (\d+) void, ([\d.]+) km.*?valid RMC (\d+) s"
    return [
        (name, int(valid), int(void), float(km), int(gap))
        for name, valid, void, km, gap in re.findall(pattern, text)
    ]


def distance_km(fixes: list[Fix]) -> float:
    total = 0.0
    for one, other in pairwise(fixes):
        assert one.lat_deg is not None
        assert one.lon_deg is not None
        assert other.lat_deg is not None
        assert other.lon_deg is not None
        north = other.lat_deg - one.lat_deg
        east = (other.lon_deg - one.lon_deg) * math.cos(math.radians(one.lat_deg))
        total += math.hypot(north, east) * 111.195
    return total


def stamps(data: bytes, pattern: bytes) -> list[bytes]:
    return [stamp.rstrip(b"0").rstrip(b".") for stamp in re.findall(pattern, data)]


def test_drives_have_their_fixes_gaps_and_distance(shared_data: Path) -> None:
    rows = drive_rows(shared_data)
    assert len(rows) >= 10
    for name, valid, void, km, gap_s in rows:
        data = (shared_data / "gnss-drives" / name).read_bytes()
        fixes, _ = decoded(data)
        placed = [fix for fix in fixes if fix.kind is not FixKind.NONE]
        rmc_times = stamps(data, rb"\$..RMC,([\d.]+),A,")
        other_times = {
            *stamps(data, rb"\$..GGA,([\d.]+),\d+\.\d+,[NS],\d+\.\d+,[EW],[1-8]"),
            *stamps(data, rb"\$..GLL,\d+\.\d+,[NS],\d+\.\d+,[EW],([\d.]+),A"),
        }
        assert len(rmc_times) == valid, name
        alone = other_times.difference(rmc_times, stamps(data, rb"\$..RMC,([\d.]+),V,"))
        assert len(placed) == len(set(rmc_times)) + len(alone), name  # each epoch once
        assert len(fixes) - len(placed) == void, name
        assert distance_km(placed) == pytest.approx(km, abs=max(0.1, km * 0.002)), name
        times = [fix.time_of_day_ms for fix in placed if fix.time_of_day_ms is not None]
        gaps_ms = [b - a for a, b in pairwise(times)]
        assert max(gaps_ms) // 1000 == gap_s, name
        assert not any("jump" in fix.flags for fix in placed), name
