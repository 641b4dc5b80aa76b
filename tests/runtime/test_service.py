"""A daemon's life seen from outside: exit codes, signals, the notify socket, the watchdog."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.clock import ManualClock
from runtime.service import Progress, first_cause

REPO = Path(__file__).parents[2]
HEAD = """
import asyncio, os, signal, sys, threading, time
from runtime.faults import ConfigFault, LinkLost
from runtime.service import Service, run_daemon
"""
TAIL = "\nsys.exit(run_daemon(main))\n"


class Manager:
    """The service manager's notify socket, of the test's own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address[0] == "@" else address)
        self._socket.settimeout(10)

    def next(self) -> str:
        return self._socket.recv(4096).decode()

    def until(self, text: str) -> list[str]:
        seen = [self.next()]
        while text not in seen[-1]:
            seen.append(self.next())
        return seen

    def is_silent_for(self, duration_s: float) -> bool:
        return not select.select([self._socket], [], [], duration_s)[0]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["file", "abstract"])
def manager(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Manager]:
    address = str(tmp_path / "n") if request.param == "file" else f"@outrider-{os.getpid()}"
    made = Manager(address)
    yield made
    made.close()


def _start(body: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HEAD + body + TAIL],
        cwd=REPO, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPO), **environment},
    )  # fmt: skip


def _end(body: str, **environment: str) -> tuple[int, str]:
    process = _start(body, **environment)
    _, stderr = process.communicate(timeout=30)
    return process.returncode, stderr


def test_main_that_returns_is_exit_0() -> None:
    code, stderr = _end("async def main(service): service.ready()")
    assert code == 0, stderr


def test_config_fault_is_one_line_and_exit_78() -> None:
    code, stderr = _end(
        'async def main(service): raise ConfigFault("a.toml: port", "no number", "x", "mend it")'
    )
    assert (code, stderr) == (78, "a.toml: port: no number (x) – mend it\n")


def test_fault_in_a_task_group_is_found_and_exit_1() -> None:
    body = """
async def lose(): raise LinkLost("broker", "was cut")
async def main(service):
    async with asyncio.TaskGroup() as tasks:
        async with asyncio.TaskGroup() as inner:
            inner.create_task(lose())
            inner.create_task(asyncio.sleep(60))
"""
    assert _end(body) == (1, "broker: was cut\n")


def test_unexpected_exception_is_exit_1_with_its_traceback_in_one_line() -> None:
    code, stderr = _end("async def main(service): {}['gone']")
    assert code == 1
    (line,) = stderr.splitlines()
    for part in ("level=error", "event=failed", "KeyError: 'gone'", "in main"):
        assert part in line


@pytest.mark.parametrize(
    "spoil",
    [
        "asyncio.get_running_loop().call_soon(lambda: 1 / 0)",
        "threading.Thread(target=lambda: 1 / 0).start()",
        "asyncio.create_task(asyncio.sleep(60)).cancel(); asyncio.current_task().cancel()",
    ],
    ids=["callback", "thread", "self-cancel"],
)
def test_exception_outside_of_main_ends_the_process(spoil: str) -> None:
    code, stderr = _end(f"async def main(service):\n    {spoil}\n    await asyncio.sleep(60)")
    assert code == 1
    assert "ZeroDivisionError" in stderr or "cancelled itself" in stderr


def test_running_out_of_descriptors_in_accept_is_survived() -> None:
    body = """
async def main(service):
    import errno
    loop = asyncio.get_running_loop()
    loop.call_exception_handler({
        "message": "socket.accept() out of system resource",
        "exception": OSError(errno.EMFILE, "Too many open files")})
    await asyncio.sleep(0.05)
"""
    code, stderr = _end(body)
    assert code == 0
    assert "connection_refused" in stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_is_an_orderly_stop(manager: Manager, number: signal.Signals) -> None:
    body = """
async def main(service):
    service.ready("all\\nwell")
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.05)
        service.status("flushed")
"""
    process = _start(body, NOTIFY_SOCKET=manager.address)
    assert manager.until("READY=1")[-1] == "READY=1\nSTATUS=all well"
    began_s = time.monotonic()
    process.send_signal(number)
    assert "STOPPING=1" in manager.until("STATUS=flushed")
    _, stderr = process.communicate(timeout=10)
    assert process.returncode == 0, stderr
    assert time.monotonic() - began_s < 5
    assert f"event=stopping signal={number.name}" in stderr


def test_fault_while_stopping_is_told() -> None:
    body = """
async def main(service):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)
    finally:
        raise LinkLost("store", "could not be flushed")
"""
    code, stderr = _end(body)
    assert code == 1
    assert "store: could not be flushed" in stderr


@pytest.mark.parametrize(
    "hang",
    ["time.sleep(60)", "await asyncio.shield(asyncio.sleep(60))", "await asyncio.to_thread(nap)"],
)
def test_hang_while_stopping_is_cut_off(hang: str) -> None:
    body = f"""
def nap(): time.sleep(60)
async def main(service):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)
    finally:
        {hang}
sys.exit(run_daemon(main, stop_timeout_s=0.3))
"""
    began_s = time.monotonic()
    code, stderr = _end(body)
    assert code == 1
    assert "stop_timed_out" in stderr
    assert time.monotonic() - began_s < 5


def test_watchdog_is_fed_only_while_every_task_goes_on(manager: Manager) -> None:
    body = """
async def main(service):
    mark = service.watch("uplink", period_s=0.3)
    ended = service.watch("bridge", period_s=0.1)
    ended.end()
    service.ready()
    for _ in range(12):
        await asyncio.sleep(0.05)
        mark.made()
    print("stalls", flush=True)
    await asyncio.sleep(60)
"""
    process = _start(body, NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="400000")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    assert any("WATCHDOG=1" in message for message in manager.until("WATCHDOG=1"))
    stalled = ""
    while "event=stalled" not in stalled:
        stalled = process.stderr.readline()
        assert stalled
    assert "reason=uplink" in stalled
    while not manager.is_silent_for(0.3):  # what was sent before the stall
        manager.next()
    assert manager.is_silent_for(0.5)
    process.kill()
    process.communicate()


def test_watchdog_of_another_process_is_not_fed(manager: Manager) -> None:
    process = _start(
        "async def main(service):\n    service.ready()\n    await asyncio.sleep(0.5)",
        NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="100000", WATCHDOG_PID="1",
    )  # fmt: skip
    assert not any("WATCHDOG" in message for message in manager.until("STOPPING=1"))
    process.communicate()


def test_hung_loop_does_not_feed(manager: Manager) -> None:
    process = _start(
        "async def main(service):\n    service.ready()\n    time.sleep(60)",
        NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="100000",
    )  # fmt: skip
    manager.until("READY=1")
    assert manager.is_silent_for(0.5)
    process.kill()
    process.communicate()


def test_absent_manager_is_survived(tmp_path: Path) -> None:
    code, stderr = _end(
        "async def main(service): service.ready()", NOTIFY_SOCKET=str(tmp_path / "none")
    )
    assert code == 0
    assert "notify_failed" in stderr


def test_slow_turn_of_the_loop_is_told_after_ready() -> None:
    body = """
async def main(service):
    time.sleep(0.08)
    await asyncio.sleep(0)
    service.ready()
    await asyncio.sleep(0)
    for _ in range(3):
        time.sleep(0.07)
        await asyncio.sleep(0)
"""
    _, stderr = _end(body)
    slow = [line for line in stderr.splitlines() if "event=slow_turn" in line]
    assert len(slow) == 1
    assert int(slow[0].split("turn_ms=")[1]) >= 70


def test_blocked_stderr_does_not_stop_the_service() -> None:
    body = """
from runtime.log import get_log
async def main(service):
    for _ in range(20000):
        get_log("x").info("flood", text="y" * 200)
    print("alive", flush=True)
"""
    process = _start(body)
    assert process.stdout is not None
    assert process.stdout.readline() == "alive\n"
    process.kill()
    process.communicate()


def test_progress_names_who_stalls() -> None:
    clock = ManualClock()
    progress = Progress(clock)
    first, second = progress.watch("a", 1), progress.watch("b", 2)
    clock.advance(1_500)
    assert progress.stalled() == ["a"]
    first.made()
    assert progress.stalled() == []
    clock.advance(2_500)
    second.end()
    assert progress.stalled() == ["a"]


def test_first_cause_is_found_in_nested_groups() -> None:
    inner = ValueError("x")
    group = ExceptionGroup("o", [ExceptionGroup("i", [inner, KeyError()]), OSError()])
    assert first_cause(group) is inner
