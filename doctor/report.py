"""The findings as a table for a screen of 80 columns, as lines for a pipe, or as JSON."""

import json
import os
import sys
import textwrap
from collections.abc import Sequence
from typing import Final

from doctor.core.finding import Finding, Level

WIDTH: Final = 80
_LEVEL_WIDTH: Final = 7
_NAME_WIDTH: Final = 13


def is_well(findings: Sequence[Finding]) -> bool:
    return all(one.level is Level.OK for one in findings)


def as_json(part: str, findings: Sequence[Finding]) -> str:
    listed = [
        {"level": one.level.value, "name": one.name, "found": one.found, "remedy": one.remedy}
        for one in findings
    ]
    return json.dumps({"part": part, "well": is_well(findings), "findings": listed})


def as_text(findings: Sequence[Finding]) -> str:
    """One line each; on a screen wrapped under its own column."""
    lines = [_on_screen(one) if sys.stdout.isatty() else _line(one) for one in findings]
    return "\n".join([*lines, _verdict(findings)])


def _line(one: Finding) -> str:
    remedy = f" -> {one.remedy}" if one.remedy else ""
    return f"{one.level.value:<{_LEVEL_WIDTH}}{one.name}: {one.found}{remedy}"


def _on_screen(one: Finding) -> str:
    width = min(WIDTH, os.get_terminal_size().columns or WIDTH)
    indent = " " * (_LEVEL_WIDTH + _NAME_WIDTH)
    head = f"{one.level.value:<{_LEVEL_WIDTH}}{one.name:<{_NAME_WIDTH}}"
    parts = [one.found, f"-> {one.remedy}"] if one.remedy else [one.found]
    room = max(20, width - len(indent))
    rows = [row for part in parts for row in textwrap.wrap(part, room, break_on_hyphens=False)]
    return "\n".join((head if n == 0 else indent) + row for n, row in enumerate(rows))


def _verdict(findings: Sequence[Finding]) -> str:
    counts = [sum(one.level is level for one in findings) for level in (Level.FAULT, Level.WARN)]
    if not any(counts):
        return "all well"
    faults, warnings = counts
    return f"{faults} fault{'' if faults == 1 else 's'}, {warnings} to be seen to"
