"""A call on its way to a store's thread and back. Called by `store` and `store_threads` only.

Answers of a group reach the loop by one wake-up, in order.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Generic, TypeVar, cast

from runtime.faults import StoreBroken

T = TypeVar("T")


class Job(Generic[T]):
    """One call on its way: work, then its result or error. `read_timeout_ms` makes it a read."""

    def __init__(
        self,
        work: Callable[[sqlite3.Connection], T],
        loop: asyncio.AbstractEventLoop | None = None,
        release: Callable[[], None] | None = None,
        read_timeout_ms: int | None = None,
    ) -> None:
        self.work, self.loop, self.read_timeout_ms = work, loop, read_timeout_ms
        self.error: BaseException | None = None
        self._result: T | None = None
        self._release = release
        self._future: asyncio.Future[T] | Future[T] = loop.create_future() if loop else Future()

    @property
    def is_read(self) -> bool:
        return self.read_timeout_ms is not None

    def future(self) -> asyncio.Future[T]:
        return cast("asyncio.Future[T]", self._future)

    def wait(self) -> T:
        return cast("Future[T]", self._future).result()

    def run(self, connection: sqlite3.Connection) -> None:
        self._result, self.error = self.work(connection), None

    def settle(self) -> None:
        """Hand the outcome to the waiting caller; in the loop's thread where there is a loop."""
        if self._release is not None:
            self._release()
        if self._future.cancelled():
            return
        if self.error is not None:
            self._future.set_exception(self.error)
        else:
            self._future.set_result(cast("T", self._result))


AnyJob = Job[object]


def refuse(jobs: Iterable[AnyJob], fault: StoreBroken) -> None:
    """Answer jobs that are not run any more."""
    for job in jobs:
        job.error = type(fault)(fault.place, fault.what, fault.value, fault.remedy)
    answer(jobs)


def answer(jobs: Iterable[AnyJob]) -> None:
    """Settle jobs, those of a loop in its own thread by one wake-up."""
    by_loop: dict[asyncio.AbstractEventLoop, list[AnyJob]] = {}
    for job in jobs:
        if job.loop is None:
            job.settle()
        else:
            by_loop.setdefault(job.loop, []).append(job)
    for loop, waiting in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, waiting)


def _settle(jobs: Iterable[AnyJob]) -> None:
    for job in jobs:
        job.settle()
