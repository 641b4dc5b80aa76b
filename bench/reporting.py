"""`reporting`: messages of prediction beside distance-and-angle at equal p95 error and promise.

With `OUTRIDER_PLOT=FILE.svg` the bars are drawn too (docs/reporting.md shows them).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from bench import drives
from bench.figure import Figure
from bench.options import Options

MEAN_MAX: Final = 0.19
EACH_MAX: Final = 0.34
_ROW_PX, _LEFT_PX, _WIDTH_PX = 34, 130, 560


async def run(options: Options) -> list[Figure]:
    """A ratio for each moving drive and their mean."""
    figures, ratios = [], {}
    for name, fixes in drives.moving().items():
        options.say(f"reporting: {name}, {len(fixes)} fixes")
        ours, theirs, distance_m = drives.at_equal_error(fixes)
        ratios[name] = ours.messages / theirs.messages
        beside = (
            f"{ours.messages} messages, {ours.bytes_per_hour:.0f} bytes/h, error mean "
            f"{ours.error_mean_m:.1f}, p95 {ours.error_p95_m:.1f}, max {ours.error_max_m:.1f} m",
            f"distance-angle {distance_m:.1f} m: {theirs.messages} messages, "
            f"{theirs.bytes_per_hour:.0f} bytes/h, p95 {theirs.error_p95_m:.1f} m",
        )
        figures.append(Figure("reporting", name, ratios[name], "", EACH_MAX, beside=beside))
    mean = sum(ratios.values()) / len(ratios)
    figures.append(Figure("reporting", "mean of the ratios", mean, "", MEAN_MAX))
    plot = os.environ.get("OUTRIDER_PLOT")
    if plot:
        Path(plot).write_text(_svg(ratios | {"mean": mean}), encoding="utf-8")
    return figures


def _svg(ratios: dict[str, float]) -> str:
    """Bars of the share of messages that is left, out of 100 %."""
    rows = []
    for i, (name, ratio) in enumerate(ratios.items()):
        top = 30 + i * _ROW_PX
        rows.append(
            f'<text x="{_LEFT_PX - 8}" y="{top + 16}" text-anchor="end">{name}</text>'
            f'<rect x="{_LEFT_PX}" y="{top}" width="{_WIDTH_PX}" height="22" fill="#d8dde3"/>'
            f'<rect x="{_LEFT_PX}" y="{top}" width="{_WIDTH_PX * ratio:.0f}" height="22" '
            f'fill="#1f6f8b"/><text x="{_LEFT_PX + _WIDTH_PX * ratio + 6:.0f}" y="{top + 16}">'
            f"{ratio:.0%}</text>"
        )
    height = 40 + len(ratios) * _ROW_PX
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT_PX + _WIDTH_PX + 20}" '
        f'height="{height}" font-family="sans-serif" font-size="13">'
        '<rect width="100%" height="100%" fill="#ffffff"/>'
        f'<text x="{_LEFT_PX}" y="18">messages, of those that distance-and-angle sends '
        f"at equal p95 error</text>{''.join(rows)}</svg>\n"
    )
