"""The authority's audit log: one JSON line an act, hash-chained and synced before it counts.

Each line carries `chain`, the SHA-256 of the line before's chain and of its own other bytes, so a
changed, removed or inserted line shows; the book keeps how many there were and the newest chain,
so a cut end shows too. A line that a power cut left torn was never told to anybody: the next line
takes its place and says so. Called by `folder`; `outrider authority audit` checks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.faults import ConfigFault
from runtime.files import read_small
from runtime.store import append_synced

LOG_BYTES_MAX: Final = 1 << 28
START: Final = ""


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a log stands: its whole lines and their bytes, the newest chain, what is torn."""

    lines: int = 0
    chain: str = START
    whole_bytes: int = 0
    torn_bytes: int = 0


def append(path: Path, tail: Tail, line: Mapping[str, object]) -> Tail:
    """Add one line after `tail`, synced; returns the new tail. Raises StoreFault."""
    said = dict(line) | ({"torn_bytes": tail.torn_bytes} if tail.torn_bytes else {})
    body = json.dumps(said, ensure_ascii=False)
    chain = _chained(tail.chain, body)
    data = (body[:-1] + f', "chain": "{chain}"}}\n').encode()
    append_synced(path, data, tail.whole_bytes)
    return Tail(tail.lines + 1, chain, tail.whole_bytes + len(data))


def read_tail(path: Path) -> Tail:
    """The end of the log as it lies there, unchecked. Raises ConfigFault."""
    data = _data(path)
    whole = data[: data.rfind(b"\n") + 1]
    last = whole[:-1].rsplit(b"\n", 1)[-1]
    return Tail(whole.count(b"\n"), _split(last)[1], len(whole), len(data) - len(whole))


def verify(path: Path, book_lines: int, book_chain: str) -> int:
    """How many lines hold together, up to and beyond what the book has seen.

    Raises ConfigFault naming the first line that does not. Lines from before logs were chained,
    at the beginning, are counted only.
    """
    data, chain = _data(path), START
    lines = data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]
    for number, line in enumerate(lines, 1):
        body, claimed = _split(line)
        if claimed == START and chain == START:
            continue
        if claimed != _chained(chain, body):
            raise _changed(path, f"line {number}")
        chain = claimed
        if number == book_lines and chain != book_chain:
            raise _changed(path, f"line {number}")
    if len(lines) < book_lines:
        raise _changed(path, f"{len(lines)} lines, the book has seen {book_lines}")
    return len(lines)


def _data(path: Path) -> bytes:
    return read_small(path, LOG_BYTES_MAX) if path.exists() else b""


def _chained(before: str, body: str) -> str:
    return hashlib.sha256(f"{before}\n{body}".encode()).hexdigest()


def _split(line: bytes) -> tuple[str, str]:
    """(the line without its chain, the chain)."""
    body, found, rest = line.decode(errors="replace").rpartition(', "chain": "')
    return (body + "}", rest[:-2]) if found and rest.endswith('"}') else (rest, START)


def _changed(path: Path, where: str) -> ConfigFault:
    return ConfigFault(
        path, "was changed afterwards", where, "compare it with a backup of the folder"
    )
