"""The shared drives as the benches read them; nothing of them is kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from agent.core.fix import Fix
from agent.core.reporting import DistanceAngle, Predict
from agent.report_replay import Replayed, read_fixes, replay

MOVING: Final = {
    "Switzerland": "switzerland_241km_2010.nmea",
    "Munich": "munich_city_2009.nmea",
    "Mountain View": "mountain_view_ublox_f9k_2020.nmea",
    "St Petersburg": "st_petersburg_2016.nmea",
    "Hangzhou": "hangzhou_gn_bd_2016.nmea",
}
PROMISE_S: Final = 30
BOUND_M: Final = 15.0
_STEPS: Final = 18


def folder() -> Path:
    """Raises FileNotFoundError naming what to set."""
    root = Path(__file__).resolve().parents[1]
    found = Path(os.environ.get("OUTRIDER_DATA") or root.parent / "shared" / "data")
    if not (found / "gnss-drives").is_dir():
        raise FileNotFoundError(f"{found}: no shared data; set OUTRIDER_DATA")
    return found / "gnss-drives"


def moving() -> dict[str, list[Fix]]:
    return {name: read_fixes(folder() / file) for name, file in MOVING.items()}


def all_drives() -> dict[str, list[Fix]]:
    """Every drive that is no truth file, by file name."""
    files = sorted(p for p in folder().iterdir() if p.suffix in (".nmea", ".log"))
    return {file.name: read_fixes(file) for file in files}


def at_equal_error(fixes: list[Fix]) -> tuple[Replayed, Replayed, float]:
    """(ours, distance-and-angle with p95 error at most ours, its distance in m)."""
    ours = replay(fixes, Predict(BOUND_M, PROMISE_S), PROMISE_S)
    low_m, high_m = 0.1, 200.0
    theirs = replay(fixes, DistanceAngle(low_m, promise_s=PROMISE_S), PROMISE_S)
    for _ in range(_STEPS):
        distance_m = (low_m + high_m) / 2
        tried = replay(fixes, DistanceAngle(distance_m, promise_s=PROMISE_S), PROMISE_S)
        if tried.error_p95_m <= ours.error_p95_m:
            low_m, theirs = distance_m, tried
        else:
            high_m = distance_m
    return ours, theirs, low_m
