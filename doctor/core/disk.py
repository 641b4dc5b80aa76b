"""The file system that a daemon's store lies on: room, rights, still writable. Pure."""

from dataclasses import dataclass
from typing import Final

from doctor.core.finding import Finding, fault, ok, warn

MIB: Final = 1 << 20
FREE_FAULT_BYTES: Final = 20 * MIB
FREE_WARN_BYTES: Final = 100 * MIB  # two days of a terminal's logbook without a centre


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFacts:
    """Of the folder, or of the nearest one above it that is there."""

    folder: str
    user: str
    is_there: bool
    may_write: bool
    is_read_only: bool
    free_bytes: int  # for ordinary users
    total_bytes: int
    free_files: int | None  # None: this file system does not count them


def judge_disk(name: str, facts: DiskFacts) -> Finding:
    """Missing folder, read-only, no right to write, nearly full, or room enough."""
    folder = facts.folder
    if not facts.is_there:
        remedy = f"sudo install -d -m 0700 -o {facts.user} {folder} (systemd makes it at the start)"
        return fault(name, f"the folder {folder} is not there", remedy)
    if facts.is_read_only:
        remedy = "the card or disk has likely failed: see dmesg, save what is on it, replace it"
        return fault(name, f"{folder} lies on a read-only file system", remedy)
    if not facts.may_write:
        remedy = f"sudo chown {facts.user} {folder}"
        return fault(name, f"no permission: user {facts.user} may not write to {folder}", remedy)
    free = f"{facts.free_bytes / MIB:,.0f} MiB free of {facts.total_bytes / MIB:,.0f} in {folder}"
    remedy = f"free space on the disk of {folder}: logs, old packages, other programs' files"
    if facts.free_bytes < FREE_FAULT_BYTES:
        return fault(name, f"nearly full: {free}", remedy)
    if facts.free_files == 0:
        return fault(name, f"no further file fits into {folder}, though {free}", remedy)
    if facts.free_bytes < FREE_WARN_BYTES:
        return warn(name, f"getting full: {free}", remedy)
    return ok(name, free)
