"""The published SMP messages of the shared data, for tests that compare byte for byte."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Published:
    """One message: which model, its fields, its frame and the console lines that carry it."""

    model: str
    version: int
    sequence: int
    fields: dict[str, Any]
    frame: bytes
    lines: tuple[bytes, ...]

    @property
    def console(self) -> bytes:
        return b"".join(self.lines)


def published(shared_data: Path) -> list[Published]:
    found = json.loads((shared_data / "smp" / "smp_messages.json").read_text())
    return [
        Published(
            one["message"],
            one["version"],
            one["sequence"],
            one["kwargs"],
            bytes.fromhex(one["bytes"]),
            tuple(map(bytes.fromhex, one["serial_lines_hex"])),
        )
        for one in found
    ]
