"""A crew at its terminal's socket: commands, and the screen's feed with deadlines."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.rim.daemon import DEADLINE_S, Waiter

Json = dict[str, Any]


class Crew:
    """`state` is what the screen shows now, `shown` every state since the connection."""

    def __init__(self, path: Path) -> None:
        self.shown: list[Json] = []
        self.replies: list[Json] = []
        self._waiter = Waiter()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(path))
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()
        self._say(type="watch")

    @property
    def state(self) -> Json:
        return self.shown[-1]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._socket.close()

    def command(self, **message: Any) -> Json:
        """A command and its answer: `done` or `refused`."""
        before = len(self.replies)
        self._say(**message)
        return self._waiter.wait(
            lambda: self.replies[before] if len(self.replies) > before else None,
            DEADLINE_S, lambda: f"an answer to {message}",
        )  # fmt: skip

    def status(self) -> Json:
        """The state, asked for: shows that the daemon answers."""
        before = len(self.shown)
        self._say(type="status")
        return self.wait(lambda _: len(self.shown) > before, "an answer to status")

    def log_on(self, unit: str, *crew: str) -> None:
        reply = self.command(type="logon", unit=unit, crew=crew or ("4711", "4712"))
        assert reply["type"] == "done", reply

    def answer(self, order: str, word: str, **more: str) -> None:
        """A touch that must be taken."""
        reply = self.command(type="answer", order=order, answer=word, **more)
        assert reply["type"] == "done", (word, reply, self.state["orders"])

    def wait(
        self, true: Callable[[Json], Any], what: str = "", timeout_s: float = DEADLINE_S
    ) -> Json:
        """The screen once `true` holds of it."""
        return self._waiter.wait(
            lambda: self.state if self.shown and true(self.state) else None,
            timeout_s, lambda: f"{what}: screen {self.shown[-1:]}",
        )  # fmt: skip

    def order(self, order: str, state: str = "", confirm: str = "") -> Json:
        """The order's card once it is in `state`, with the centre's `confirm` where given."""

        def find(screen: Json) -> Json | None:
            card = card_of(screen, order)
            right = card is not None and card["state"].startswith(state)
            return card if right and (not confirm or (card or {})["confirm"] == confirm) else None

        screen = self.wait(find, f"order {order} {state} {confirm}")
        card = card_of(screen, order)
        assert card is not None
        return card

    def has_shown(self, order: str) -> bool:
        """Whether the order ever stood on this screen."""
        return any(card_of(screen, order) is not None for screen in self.shown)

    def _say(self, **message: Any) -> None:
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def _hear(self) -> None:
        with self._socket.makefile("rb") as lines, contextlib.suppress(OSError):
            for line in lines:
                said = json.loads(line)
                (self.shown if said["type"] == "state" else self.replies).append(said)
                self._waiter.notify()


def card_of(screen: Json, order: str) -> Json | None:
    return next((card for card in screen["orders"] if card["order"] == order), None)
