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
from runtime.reserve import Reserve
from runtime.sqlite_file import FileOptions, Schema, check_file, open_reader, open_writer
from runtime.store_job import Job
from runtime.store_threads import Reader, Writer

WAITING_MAX: Final = 1024  # calls queued to each thread; the next one waits for a place
READ_TIMEOUT_MS: Final = 30_000
CLOSE_TIMEOUT_S: Final = 4.0  # inside the 5 s that a daemon has to stop

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

__all__ = ["FileOptions", "Schema", "Store", "Work", "append_synced", "atomic_write"]


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
        self._reserve = Reserve(path.with_name(path.name + ".reserve"), self._options.reserve_bytes)
        try:
            connection = self._open()
        except BaseException:
            os.close(self._lock)
            raise
        self._reserve.hold()
        self._writer = Writer(path, connection, self._options, self._clock)
        self._reader: Reader | None = None
        self._grows = True
        self.is_full, self.times_full = False, 0  # the newest commit; commits in all
        self._write_places = asyncio.Semaphore(WAITING_MAX)
        self._read_places = asyncio.Semaphore(WAITING_MAX)

    def _open(self) -> sqlite3.Connection:
        try:
            return open_writer(self.path, self._schema, self._options)
        except StoreFull:
            if not self._reserve.release():
                raise
            return open_writer(self.path, self._schema, self._options)

    def use_reserve(self) -> bool:
        """The disk is full: give up what was held back, and grow no more; whether that helps.

        From now on new records take the pages of deleted ones, until `hold_reserve`.
        """
        was_growing, self._grows = self._grows, False
        helps = self._reserve.release() or was_growing
        if helps:
            self._writer.let_grow(grows=False)
        return helps

    def hold_reserve(self) -> None:
        """Hold it back again and grow, where there is plenty of room by now."""
        if self._reserve.hold() and not self._grows:
            self._grows = True
            self._writer.let_grow(grows=True)

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
        try:
            result = await job.future()
        except StoreFull:
            self.is_full, self.times_full = True, self.times_full + 1
            raise
        self.is_full = False
        return result

    async def has_room(self) -> bool:
        """Try to write one page that changes nothing: whether a full disk has room again."""
        try:
            await self.commit(lambda c: c.execute(f"PRAGMA user_version={_version_of(c)}"))
        except StoreFull:
            return False
        return True

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

    @property
    def bytes_to_disk(self) -> int | None:
        """The same in the whole pages that the kernel has to write; 0 on a disk in memory."""
        return self._writer.bytes_to_disk()

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


def append_synced(path: Path, data: bytes, from_byte: int, mode: int = 0o600) -> None:
    """Write `data` at `from_byte` of a growing file, cutting off what lay beyond; then sync.

    Blocks on the disk. Raises StoreFull, or StoreBroken naming the file and the reason.
    """
    try:
        is_new = not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, mode)
        try:
            os.ftruncate(descriptor, from_byte)
            os.pwrite(descriptor, data, from_byte)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            _sync_folder(path.parent)
    except OSError as cause:
        if cause.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StoreFull(path, "no space left", None, f"free space in {path.parent}") from cause
        remedy = "check the disk and that this user may write the folder"
        raise StoreBroken(path, "cannot be written", cause.strerror, remedy) from cause


def _version_of(c: sqlite3.Connection) -> int:
    return int(c.execute("PRAGMA user_version").fetchone()[0])


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
