"""A daemon's life: start, readiness, watchdog fed by real progress, orderly stop, exit code.

Exit 0 after SIGTERM or SIGINT, within 5 s; 78 for a ConfigFault; 1 for any other end, which
systemd mends by a restart. No part is restarted in the process: one unexpected exception, also
one in a callback or a thread, ends it. systemd's protocol: datagrams to $NOTIFY_SOCKET.
"""

import asyncio
import errno
import logging
import os
import selectors
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from runtime.clock import Clock, SystemClock
from runtime.faults import EXIT_FAULT, OutriderFault
from runtime.log import BoundedHandler, get_log
from runtime.log import start as start_log

STOP_TIMEOUT_S: Final = 4.8  # with the interpreter's own end inside 5 s
SLOW_TURN_MS: Final = 50
_CHECK_S_MAX: Final = 5.0
_DRAIN_S: Final = 1.0
_NS_PER_MS: Final = 1_000_000
_NO_RESOURCES: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

log = get_log("service")


class Notifier:
    """sd_notify(3); does nothing where no service manager listens, never blocks."""

    def __init__(self, address: str | None) -> None:
        self._address = "\0" + address[1:] if address and address[0] == "@" else address
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)

    def send(self, *lines: str) -> None:
        """Send `KEY=value` lines as one message."""
        if self._socket is not None and self._address:
            try:
                self._socket.sendto("\n".join(lines).encode(), self._address)
            except OSError as cause:  # a full queue or a manager that restarts
                log.limited("notify_failed", str(cause))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


class Mark:
    """One task's sign of life: call `made` at least once per period, after real progress."""

    def __init__(self, progress: "Progress", name: str, period_ms: int) -> None:
        self.name, self.period_ms = name, period_ms
        self._progress = progress
        self.made()

    def made(self) -> None:
        self.last_ms = self._progress.clock.monotonic_ms()

    def end(self) -> None:
        """The task has ended as it should and is not watched any more."""
        self._progress.forget(self)


class Progress:
    """Which tasks go on; the watchdog is fed only while all do."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._marks: dict[int, Mark] = {}

    def watch(self, name: str, period_s: float) -> Mark:
        mark = Mark(self, name, round(period_s * 1000))
        self._marks[id(mark)] = mark
        return mark

    def forget(self, mark: Mark) -> None:
        self._marks.pop(id(mark), None)

    def stalled(self) -> list[str]:
        """Names of tasks without progress for longer than their period."""
        now_ms = self.clock.monotonic_ms()
        return [m.name for m in self._marks.values() if now_ms - m.last_ms > m.period_ms]


class Service:
    """What a daemon's main function gets: readiness, status, signs of life."""

    def __init__(self, clock: Clock, environment: Mapping[str, str]) -> None:
        self.clock = clock
        self.is_ready, self.is_stopping = False, False
        self._progress = Progress(clock)
        self._notifier = Notifier(environment.get("NOTIFY_SOCKET"))
        self._watchdog_s = _watchdog_s(environment)

    def ready(self, status: str = "") -> None:
        """Say once that the daemon serves; from now on slow turns of the loop are told."""
        self.is_ready = True
        self._notifier.send("READY=1", f"STATUS={_line(status or 'serving')}")
        log.info("ready")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._notifier.send(f"STATUS={_line(text)}")

    def watch(self, name: str, period_s: float) -> Mark:
        """Tie the watchdog to a task that promises progress every `period_s`."""
        return self._progress.watch(name, period_s)

    def stopping(self) -> None:
        if not self.is_stopping:
            self.is_stopping = True
            self._notifier.send("STOPPING=1")

    async def feed_watchdog(self) -> None:
        """Four times per watchdog period, if every watched task goes on; for `run_daemon`."""
        while True:
            stalled = self._progress.stalled()
            if stalled:
                log.limited("stalled", ",".join(stalled), logging.ERROR)
            elif self._watchdog_s:
                self._notifier.send("WATCHDOG=1")
            await asyncio.sleep(min((self._watchdog_s or _CHECK_S_MAX) / 4, _CHECK_S_MAX))

    def close(self) -> None:
        self._notifier.close()


def run_daemon(
    main: Callable[[Service], Awaitable[None]],
    *,
    log_level: str = "info",
    clock: Clock | None = None,
    stop_timeout_s: float = STOP_TIMEOUT_S,
) -> int:
    """Run `main` until it ends, fails, or the process is told to stop; returns the exit code."""
    handler = start_log(log_level)
    service = Service(clock or SystemClock(), os.environ)
    is_over = threading.Event()
    life = _Life(service, stop_timeout_s, is_over)
    thread_hook = threading.excepthook
    try:
        timer = _TurnTimer(service)
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(timer)) as runner:
            cause = runner.run(life.run(main))
        return _verdict(cause, handler)
    finally:
        is_over.set()
        threading.excepthook = thread_hook
        service.close()
        handler.drain(_DRAIN_S)


class _Life:
    """One run of the loop: what ends it first is the cause."""

    def __init__(self, service: Service, stop_timeout_s: float, is_over: threading.Event) -> None:
        self._service, self._stop_timeout_s, self._is_over = service, stop_timeout_s, is_over
        self._main: asyncio.Task[None] | None = None
        self._cause: BaseException | None = None

    async def run(self, main: Callable[[Service], Awaitable[None]]) -> BaseException | None:
        """The cause of the end; None after a signal or a main function that returned."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._on_loop_fault)
        threading.excepthook = lambda args: self._on_thread_fault(loop, args)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        watchdog = loop.create_task(self._service.feed_watchdog(), name="watchdog")
        self._main = loop.create_task(_run(main, self._service), name="main")
        try:
            await self._main
        except asyncio.CancelledError:
            if not self._service.is_stopping:
                self._cause = RuntimeError("the main task cancelled itself")
        except BaseException as cause:  # noqa: BLE001 - becomes the exit code
            self._cause = self._cause or cause
        self._service.stopping()
        watchdog.cancel()
        return self._cause

    def _stop(self) -> None:
        """Cancel the main task once; whoever does not end in time is cut off."""
        if not self._service.is_stopping and self._main is not None:
            self._service.stopping()
            threading.Thread(target=self._cut_off, name="stop-deadline", daemon=True).start()
            self._main.cancel()

    def _cut_off(self) -> None:
        if not self._is_over.wait(self._stop_timeout_s):
            log.error("stop_timed_out", timeout_s=self._stop_timeout_s)
            self._is_over.wait(0.1)  # for the line to get out
            os._exit(EXIT_FAULT)

    def _on_signal(self, number: int) -> None:
        log.info("stopping", signal=signal.Signals(number).name)
        self._stop()

    def _on_loop_fault(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        message = str(context.get("message", ""))
        cause = context.get("exception") or RuntimeError(message)
        if isinstance(cause, OSError) and cause.errno in _NO_RESOURCES and "accept" in message:
            log.limited("connection_refused", str(cause))  # shed the new, keep the old
            return
        self._fail(cause)

    def _on_thread_fault(
        self, loop: asyncio.AbstractEventLoop, args: threading.ExceptHookArgs
    ) -> None:
        cause = args.exc_value or RuntimeError("a thread ended")
        try:
            loop.call_soon_threadsafe(self._fail, cause)
        except RuntimeError:  # the loop has ended already
            log.error("thread_failed", cause=cause)

    def _fail(self, cause: BaseException) -> None:
        self._cause = self._cause or cause
        self._stop()


class _TurnTimer(selectors.EpollSelector):
    """Times what the loop does between two waits: nothing else may run meanwhile."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service, self._woken_ns = service, 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        clock = self._service.clock
        if self._woken_ns and self._service.is_ready and not self._service.is_stopping:
            turn_ms = (clock.monotonic_ns() - self._woken_ns) / _NS_PER_MS
            if turn_ms > SLOW_TURN_MS:
                log.limited("slow_turn", turn_ms=round(turn_ms))
        ready = super().select(timeout)
        self._woken_ns = clock.monotonic_ns()
        return ready


def first_cause(cause: BaseException) -> BaseException:
    """The first single exception inside nested groups."""
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    return cause


def _verdict(cause: BaseException | None, handler: BoundedHandler) -> int:
    if cause is None:
        log.info("stopped")
        return 0
    fault = first_cause(cause)
    if isinstance(fault, OutriderFault):
        handler.put_line(f"{'<3>' if 'JOURNAL_STREAM' in os.environ else ''}{fault}")
        log.debug("traceback", cause=cause)
        return fault.exit_code
    log.error("failed", cause=cause, error=f"{type(fault).__name__}: {fault}")
    return EXIT_FAULT


async def _run(main: Callable[[Service], Awaitable[None]], service: Service) -> None:
    await main(service)


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """systemd's watchdog period, where it is meant for this process."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) / 1_000_000 if text.isascii() and text.isdigit() and int(text) else None


def _line(text: str) -> str:
    return " ".join(text.split())
