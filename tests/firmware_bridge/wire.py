"""A board session wired to the emulated board's firmware, without a port: time is a number."""

from __future__ import annotations

from collections.abc import Callable

from firmware_bridge.core.board_session import BoardSession
from firmware_bridge.core.session import Notice
from hil.board import Board
from hil.smp_codec import ConsoleReader, Frame, read_frame, to_lines, write_frame
from protocol.device import CommandResult, Event


class Wire:
    """`step` lets the session ask and the board answer; `spoil` may change what comes back."""

    def __init__(self, board: Board | None = None, *, poll_ms: int = 40) -> None:
        self.board = board or Board()
        self.now_ms = 1_000_000
        self.session = BoardSession("board-1", self.now_ms, poll_ms=poll_ms)
        self.requests: list[Frame] = []
        self.events: list[Event] = []
        self.notices: list[Notice] = []
        self.results: list[CommandResult] = []
        self.spoil: Callable[[bytes], bytes] = lambda console: console
        self._reader = ConsoleReader()
        self.session.opened(self.now_ms)

    def step(self, ms: int = 1) -> None:
        """One look at the session, then `ms` pass."""
        for frame in self._reader.feed(self.session.to_write(self.now_ms)):
            self.requests.append(read_frame(frame))
            answer = self.board.answer(self.requests[-1])
            if answer is not None:
                console = b"".join(to_lines(write_frame(answer)))
                self.session.received(self.spoil(console), self.now_ms)
        self._look()
        self.now_ms += ms

    def run(self, ms: int) -> None:
        """Steps until `ms` have passed."""
        until_ms = self.now_ms + ms
        while self.now_ms < until_ms:
            self.step(max(1, min(self.session.wake_ms(), until_ms) - self.now_ms))

    def keep(self) -> None:
        """The agent keeps all events so far."""
        for event in self.events:
            self.session.settled(event, None, self.now_ms)

    def say(self, console: bytes) -> None:
        """The board's line says something unasked."""
        self.session.received(console, self.now_ms)
        self._look()

    def asked(self, group: int, command: int = 0) -> list[Frame]:
        return [one for one in self.requests if (one.group, one.command) == (group, command)]

    def names(self) -> list[str]:
        return [notice.name for notice in self.notices]

    def _look(self) -> None:
        for output in self.session.outputs():
            match output:
                case Event():
                    self.events.append(output)
                    self.session.taken(output)
                case Notice():
                    self.notices.append(output)
                case CommandResult():
                    self.results.append(output)
