"""The file system under a store, and which process holds the store. Opens nothing for writing."""

import os
from pathlib import Path
from typing import Final

from doctor.core.disk import DiskFacts
from doctor.who import user_name

_LOCKS: Final = Path("/proc/locks")


def disk_of(folder: Path) -> DiskFacts:
    """Facts of the folder for this process's user."""
    nearest = next(place for place in (folder, *folder.parents) if os.access(place, os.F_OK))
    found = os.statvfs(nearest)
    return DiskFacts(
        folder=str(folder),
        user=user_name(),
        is_there=not _is_missing(folder),
        may_write=os.access(folder, os.W_OK | os.X_OK),
        is_read_only=bool(found.f_flag & os.ST_RDONLY),
        free_bytes=found.f_bavail * found.f_frsize,
        total_bytes=found.f_blocks * found.f_frsize,
        free_files=found.f_favail if found.f_files else None,
    )


def _is_missing(folder: Path) -> bool:
    """False also for one that this user may not reach: then it is a matter of rights."""
    try:
        return not folder.is_dir()
    except PermissionError:
        return False


def holder_of(store: Path) -> int | None:
    """The process that has locked `store` (runtime.store's lock file); None: nobody.

    The kernel's list of locks is read: taking the lock, even for a moment, could stop a daemon
    that is just starting.
    """
    lock = store.with_name(store.name + ".lock")
    try:
        status = lock.stat()
    except OSError:
        return None
    try:
        lines = _LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return _said_holder(lock)
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in lines:
        fields = line.split()
        if len(fields) >= 6 and fields[1] == "FLOCK" and fields[5] == wanted:
            return max(0, int(fields[4]))  # below 1: of another container
    return None


def _said_holder(lock: Path) -> int | None:
    """Where the kernel's list is hidden: whom the lock file names, if such a process lives."""
    try:
        process = int(lock.read_text(encoding="ascii"))
    except PermissionError:
        return 0  # not ours to know: better to leave a daemon alone
    except (OSError, ValueError):
        return None
    return process if Path(f"/proc/{process}").exists() else None
