"""The machine that a figure belongs to, in words, and what the kernel says of one process."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path


def describe() -> dict[str, str]:
    """Processor, cores, memory, system, Python, load."""
    loads = " ".join(f"{load:.1f}" for load in os.getloadavg())
    return {
        "processor": _first(Path("/proc/cpuinfo"), r"model name\s*:\s*(.+)"),
        "cores": str(os.cpu_count()),
        "memory": f"{_memory_gib():.0f} GiB",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "load": loads,
    }


def _first(path: Path, pattern: str) -> str:
    found = re.search(pattern, path.read_text(encoding="utf-8"))
    return found.group(1).strip() if found else "unknown"


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


@dataclass(frozen=True, slots=True)
class Usage:
    """Memory that a process shares with nobody, and the processor time it has had."""

    private_bytes: int
    cpu_s: float

    @classmethod
    def of(cls, pid: int) -> Usage:
        """Raises OSError where the process is gone, or the kernel has no smaps_rollup."""
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
        kib = sum(int(n) for n in re.findall(r"^Private_\w+:\s+(\d+) kB", rollup, re.MULTILINE))
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])  # utime, stime
        return cls(kib * 1024, ticks / os.sysconf("SC_CLK_TCK"))
