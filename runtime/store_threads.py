"""The two threads behind a store: one writes groups, one reads. Called by `runtime.store` only.

Invariant: a job is answered only after the COMMIT that carries it has returned, i.e. is synced.
Nothing waits when nothing else is queued.
"""

import contextlib
import itertools
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar, cast

from runtime.clock import Clock
from runtime.faults import StoreBroken, StoreFault, StoreFull
from runtime.sqlite_file import FileOptions, store_fault
from runtime.store_job import AnyJob, Job, answer, refuse

GROUP_MAX: Final = 256  # commits in one transaction
_PROGRESS_STEPS: Final = 20_000  # SQLite instructions between two looks at a read's deadline
_TIDY_GROUPS: Final = 16  # groups between two looks at the size of the log
_PAGES_MAX: Final = 1_073_741_823  # SQLite's own limit
_NS_PER_MS: Final = 1_000_000

T = TypeVar("T")


class Worker:
    """A thread that takes jobs in order until told to stop."""

    def __init__(self, name: str, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._broken: StoreBroken | None = None
        self._jobs: queue.SimpleQueue[AnyJob | None] = queue.SimpleQueue()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, job: Job[T]) -> None:
        if self._is_stopped:
            raise RuntimeError(f"{self._path}: the store is closed")
        self._jobs.put(cast("AnyJob", job))

    def stop(self, timeout_s: float) -> None:
        if not self._is_stopped:
            self._is_stopped = True
            self._jobs.put(None)
        self._thread.join(timeout_s)

    def handle(self, jobs: Sequence[AnyJob]) -> None:
        """Run jobs and answer them."""
        raise NotImplementedError

    def finish(self) -> None:
        """Called once, after the last job."""
        raise NotImplementedError

    def read(self, connection: sqlite3.Connection, job: AnyJob) -> None:
        """Run a read on one snapshot, cut at its deadline."""
        deadline_ms = self._clock.monotonic_ms() + (job.read_timeout_ms or 0)
        connection.set_progress_handler(
            lambda: self._clock.monotonic_ms() > deadline_ms, _PROGRESS_STEPS
        )
        changes = connection.total_changes
        try:
            connection.execute("BEGIN")
            job.run(connection)
            if connection.total_changes != changes:
                job.error = RuntimeError("a read must not write; undone")
        except Exception as cause:  # noqa: BLE001 - handed to the caller
            is_write = getattr(cause, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY
            job.error = cause if is_write else self.fault_of(cause)
        finally:
            connection.set_progress_handler(None, 0)
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def fault_of(self, cause: BaseException) -> BaseException:
        """The caller's answer for `cause`; remembers that nothing works any more."""
        fault = store_fault(self._path, cause) if isinstance(cause, sqlite3.Error) else None
        if fault is not None:
            fault.__cause__ = cause
        if isinstance(fault, StoreBroken):
            self._broken = fault
        return fault or cause

    def _run(self) -> None:
        go_on = True
        while go_on:
            jobs, go_on = self._take()
            if jobs:
                if self._broken is None:
                    self.handle(jobs)
                else:
                    refuse(jobs, self._broken)
        self.finish()

    def _take(self) -> tuple[list[AnyJob], bool]:
        """What is waiting, at least one; False with the last."""
        jobs: list[AnyJob] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == GROUP_MAX:
                return jobs, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False


class Writer(Worker):
    """Commits groups; with an exclusive file it also reads, between groups."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, options: FileOptions, clock: Clock
    ) -> None:
        self._connection = connection
        self._log_bytes_max = options.wal_pages * options.page_bytes
        self._slowest_ns, self._groups, self._tidied_at_bytes = 0, 0, 0
        self._pages_max = options.size_bytes_max // options.page_bytes or _PAGES_MAX
        self._may_copy_when_full = options.exclusive  # else a reader may hold the log
        self._is_second_try = False
        self._grows: bool | None = None  # what was asked for and is not done yet
        self._last_bytes: int | None = None
        super().__init__("store-writer", path, clock)

    def bytes_written(self) -> int | None:
        counted = _thread_bytes(self._thread.native_id)
        self._last_bytes = self._last_bytes if counted is None else counted
        return self._last_bytes

    def bytes_to_disk(self) -> int | None:
        return _thread_bytes(self._thread.native_id, "write_bytes: ")

    def take_slowest_ms(self) -> float:
        slowest_ns, self._slowest_ns = self._slowest_ns, 0
        return slowest_ns / _NS_PER_MS

    def let_grow(self, *, grows: bool) -> None:
        """Before the next group: whether the file may take new pages.

        Without growth only pages that were freed are written and copying the log needs no room.
        """
        self._grows = grows

    def handle(self, jobs: Sequence[AnyJob]) -> None:
        started_ns = self._clock.monotonic_ns()
        if self._grows is not None:
            self._limit(grows=self._grows)
        for is_read, group in itertools.groupby(jobs, lambda job: job.is_read):
            if is_read:
                for job in group:
                    self.read(self._connection, job)
            else:
                self._commit(list(group))
        self._slowest_ns = max(self._slowest_ns, self._clock.monotonic_ns() - started_ns)
        answer(jobs)
        self._tidy()

    def _tidy(self) -> None:
        """Copy a long log into the file now, when nobody waits, not inside a commit."""
        self._groups += 1
        if self._groups % _TIDY_GROUPS or self._broken is not None:
            return
        written = self.bytes_written() or 0
        if written - self._tidied_at_bytes >= self._log_bytes_max:
            self._copy_log()
            self._tidied_at_bytes = self.bytes_written() or 0

    def _limit(self, *, grows: bool) -> None:
        self._grows = None
        pages = self._pages_max
        try:
            if not grows:
                self._copy_log()
                pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
            self._connection.execute(f"PRAGMA max_page_count={pages}").fetchone()
        except sqlite3.Error as cause:
            self.fault_of(cause)

    def _copy_log(self) -> None:
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as cause:
            self.fault_of(cause)  # full: the log still holds all; broken: the next call says so

    def finish(self) -> None:
        self.bytes_written()
        with contextlib.suppress(sqlite3.Error):  # all that was answered is in the log
            self._connection.close()

    def _commit(self, group: Sequence[AnyJob]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in group:
                self._run_one(job)
            self._connection.execute("COMMIT")
        except (sqlite3.Error, StoreFault) as cause:
            self._undo(group, self.fault_of(cause))

    def _run_one(self, job: AnyJob) -> None:
        """One job in its savepoint: its own error undoes it alone, the store's ends the group."""
        self._connection.execute("SAVEPOINT job")
        try:
            job.run(self._connection)
        except Exception as cause:
            job.error = self.fault_of(cause)
            if isinstance(job.error, StoreFault):
                raise job.error from cause
            self._connection.execute("ROLLBACK TO job")
        self._connection.execute("RELEASE job")

    def _undo(self, group: Sequence[AnyJob], fault: BaseException) -> None:
        """Nothing of the group was kept; where the disk is full a smaller part may still fit."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as cause:
            fault = self.fault_of(cause)
        if isinstance(fault, StoreFull) and len(group) > 1:
            for job in group:
                self._commit([job])
        elif isinstance(fault, StoreFull) and self._may_copy_when_full and not self._is_second_try:
            self._try_again(group)
        else:
            for job in group:
                job.error = fault

    def _try_again(self, group: Sequence[AnyJob]) -> None:
        """Once the log is copied into the file, its own blocks take the next transaction."""
        self._is_second_try = True
        try:
            self._copy_log()
            self._commit(group)
        finally:
            self._is_second_try = False


class Reader(Worker):
    """Long reads beside the writer; the connection is opened with the first."""

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection], clock: Clock) -> None:
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        super().__init__("store-reader", path, clock)

    def stop(self, timeout_s: float) -> None:
        if self._connection is not None and self._thread.is_alive():
            self._connection.interrupt()
        super().stop(timeout_s)

    def handle(self, jobs: Sequence[AnyJob]) -> None:
        for job in jobs:
            try:
                self._connection = self._connection or self._connect()
            except StoreFault as fault:
                job.error = fault
            else:
                self.read(self._connection, job)
            answer((job,))

    def finish(self) -> None:
        if self._connection is not None:
            self._connection.close()


def _thread_bytes(thread_id: int | None, name: str = "wchar: ") -> int | None:
    """Bytes that one of our threads gave to write calls, from the kernel's accounting."""
    try:
        text = Path(f"/proc/self/task/{thread_id}/io").read_text("ascii")
    except OSError:
        return None
    lines = (line for line in text.splitlines() if line.startswith(name))
    return next((int(line[len(name) :]) for line in lines), None)
