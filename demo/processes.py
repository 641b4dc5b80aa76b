"""The demo's processes: started, watched, started again as systemd would, ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

RESTART_S = 0.5
STOP_S = 5.0
CONFIG_FAULT = 78

LineTaker = Callable[[str], None]


@dataclass(slots=True)
class Running:
    """One supervised process. `pid` None while it is down."""

    name: str
    argv: list[str]
    log: Path
    cwd: Path
    on_line: LineTaker | None = None  # stdout lines; without it stdout goes to the log
    pid: int | None = None
    restarts: int = 0
    stdin: asyncio.StreamWriter | None = None
    is_stopping: bool = False
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    def kill(self) -> bool:
        """SIGKILL, as a power cut would; it is started again."""
        if self.pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        return True

    def signal(self, number: int) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def say(self, line: bytes) -> None:
        """A line to its standard input; nothing while it is down."""
        if self.stdin is not None and not self.stdin.is_closing():
            self.stdin.write(line)


class Gone(Exception):
    """A process that will not be started again: its settings are wrong, or it fails at once."""


class Processes:
    """All processes of one demo; `stop` ends them in reverse order of their start."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self._folder = folder
        self.environment = {**os.environ, **(environment or {})}
        self.all: dict[str, Running] = {}

    async def start(self, name: str, argv: list[str], on_line: LineTaker | None = None) -> Running:
        """Start and watch one process."""
        log = self._folder / "logs" / f"{name}.log"
        running = Running(name, argv, log, self._folder, on_line)
        self.all[name] = running
        started = asyncio.get_running_loop().create_future()
        running.task = asyncio.create_task(self._watch(running, started), name=name)
        await started
        return running

    async def _watch(self, running: Running, started: asyncio.Future[None]) -> None:
        while not running.is_stopping:
            with running.log.open("ab") as log:
                code = await self._run_once(running, log, started)
            if running.is_stopping:
                return
            if code == CONFIG_FAULT:
                raise Gone(f"{running.name}: configuration fault; see {running.log}")
            running.restarts += 1
            await asyncio.sleep(RESTART_S)

    async def _run_once(
        self, running: Running, log: IO[bytes], started: asyncio.Future[None]
    ) -> int:
        piped = running.on_line is not None
        process = await asyncio.create_subprocess_exec(
            *running.argv,
            cwd=running.cwd,
            env=self.environment,
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else log,
            stderr=log,
        )
        running.pid, running.stdin = process.pid, process.stdin
        if not started.done():
            started.set_result(None)
        if process.stdout is not None and running.on_line is not None:
            async for line in process.stdout:
                running.on_line(line.decode(errors="replace"))
        code = await process.wait()
        running.pid = running.stdin = None
        return code

    def failed(self) -> str | None:
        """The first process that is gone for good, in words."""
        for running in self.all.values():
            task = running.task
            if task is not None and task.done() and not task.cancelled():
                cause = task.exception()
                if cause is not None:
                    return str(cause)
        return None

    async def stop(self) -> None:
        """SIGTERM to all, newest first; SIGKILL to whoever is still there after STOP_S."""
        for running in reversed(list(self.all.values())):
            running.is_stopping = True
            running.signal(signal.SIGTERM)
        tasks = [r.task for r in self.all.values() if r.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_S)
            for running in self.all.values():
                if running.task in late:
                    running.kill()
            await asyncio.gather(*tasks, return_exceptions=True)


def outrider(*words: str) -> list[str]:
    """The `outrider` command with this interpreter."""
    return [sys.executable, "-m", "outrider", *words]


async def run(argv: list[str], cwd: Path) -> str:
    """One command to its end; its stdout. Raises Gone with what it said."""
    process = await asyncio.create_subprocess_exec(
        *argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )  # fmt: skip
    out, err = await process.communicate()
    if process.returncode != 0:
        raise Gone(f"{' '.join(argv[2:5])}: {err.decode(errors='replace').strip()}")
    return out.decode()


async def until(done: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait for a state of the world; raises Gone naming `what` when it does not come."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not done():
        if asyncio.get_running_loop().time() > deadline:
            raise Gone(f"{what}: not within {timeout_s:.0f} s")
        await asyncio.sleep(0.02)
