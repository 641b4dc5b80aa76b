"""One SQLite file that keeps what it has acknowledged; the only place of the product that syncs.

Commits that wait together share one transaction and one fsync; each runs in its own savepoint,
so one that fails is undone alone. Order is kept. One thread writes, one reads: the loop never
waits on the disk. After ENOSPC the commit is undone and the store lives on; after EIO no later
call succeeds and the process must end, since a failed sync may have dropped pages.
Callers: logbook, journal, link state; `atomic_write` for small documents.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self, TypeVar

from runtime.clock import Clock, SystemClock
from runtime.faults import StoreBroken, StoreBusy, StoreFull
from runtime.sqlite_file import FileOptions, Schema, check_file, open_reader, open_writer
from runtime.store_job import Job
from runtime.store_threads import Reader, Writer

WAITING_MAX: Final = 1024  # calls queued to each thread; the next one waits for a place
READ_TIMEOUT_MS: Final = 30_000
CLOSE_TIMEOUT_S: Final = 4.0  # inside the 5 s that a daemon has to stop

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

__all__ = ["FileOptions", "Schema", "Store", "Work", "atomic_write"]


class Store:
    """An open file. `work` functions get its connection, touch nothing else, and may run twice
    (a group that met a full disk is tried again one by one); they neither commit nor roll back.
    """

    def __init__(
        self,
        path: Path,
        schema: Schema,
        options: FileOptions | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Open, create or migrate; raises StoreFault. Blocks: for start-up."""
        self.path, self._schema = path, schema
        self._options, self._clock = options or FileOptions(), clock or SystemClock()
        self._lock = _lock(path)
        try:
            connection = open_writer(path, schema, self._options)
        except BaseException:
            os.close(self._lock)
            raise
        self._writer = Writer(path, connection, self._options, self._clock)
        self._reader: Reader | None = None
        self._write_places = asyncio.Semaphore(WAITING_MAX)
        self._read_places = asyncio.Semaphore(WAITING_MAX)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def commit(self, work: Work[T]) -> T:
        """Run `work` in a transaction; returns its result once that is synced to disk.

        Raises what `work` raised (its own changes undone), StoreFull, StoreBusy or StoreBroken.
        Cancelling the caller does not stop a commit that is queued.
        """
        await self._write_places.acquire()
        job = Job(work, asyncio.get_running_loop(), self._write_places.release)
        self._writer.put(job)
        return await job.future()

    def commit_now(self, work: Work[T]) -> T:
        """As `commit`, blocking the caller: for start-up and for commands."""
        job = Job(work)
        self._writer.put(job)
        return job.wait()

    async def read(self, work: Work[T], timeout_ms: int = READ_TIMEOUT_MS) -> T:
        """Run `work` on one unchanging view of what is committed; cut after `timeout_ms`.

        On a read-only connection of its own, beside the writer; with `exclusive` in the writer
        between two groups, so keep it short there. Raises StoreBusy when cut.
        """
        await self._read_places.acquire()
        job = Job(work, asyncio.get_running_loop(), self._read_places.release, timeout_ms)
        if self._options.exclusive:
            self._writer.put(job)
        else:
            self._reader = self._reader or Reader(
                self.path, lambda: open_reader(self.path, self._schema), self._clock
            )
            self._reader.put(job)
        return await job.future()

    def check_now(self) -> None:
        """Read every page and index, blocking; raises StoreBroken naming the first damage."""
        job = Job(lambda connection: check_file(connection, self.path), read_timeout_ms=3_600_000)
        self._writer.put(job)
        job.wait()

    @property
    def bytes_written(self) -> int | None:
        """Bytes given to write calls for this file since it was opened (flash wear); None where
        the kernel does not count."""
        return self._writer.bytes_written()

    def take_slowest_commit_ms(self) -> float:
        """The longest group since the last call: a worn card shows here first."""
        return self._writer.take_slowest_ms()

    def close(self) -> None:
        """Finish what is queued, copy the log into the file, release it. May be called twice."""
        for thread in (self._reader, self._writer):
            if thread is not None:
                thread.stop(CLOSE_TIMEOUT_S)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def atomic_write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace `path` so that a power cut leaves the old or the new content, never a mixture.

    Blocks on the disk. Raises StoreFull, or StoreBroken naming the file and the reason.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as cause:
        if cause.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StoreFull(path, "no space left", None, f"free space in {path.parent}") from cause
        remedy = "check the disk and that this user may write the folder"
        raise StoreBroken(path, "cannot be written", cause.strerror, remedy) from cause


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(path: Path) -> int:
    """Keep a second daemon off the file: two writers of one logbook would be a twin terminal."""
    lock_path = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as cause:
        remedy = "give this user write access to the folder, or remount it writable"
        raise StoreBroken(path, "cannot be locked", cause.strerror, remedy) from cause
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as cause:
        holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        os.close(descriptor)
        remedy = "stop the other daemon first"
        raise StoreBusy(path, "is in use by process", holder or "unknown", remedy) from cause
    with contextlib.suppress(OSError):  # a full disk must not stop the start
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor
