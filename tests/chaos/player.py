"""A crew that plays by a script and whose screen is kept, over restarts of its terminal.

Answers each new order at once: accept (now and then decline), en route, on scene, clear. The
socket may vanish and come back; `screen` goes on as an officer's memory does.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.watched_crew import Screen
from tests.rim.daemon import DEADLINE_S, Waiter

Json = dict[str, Any]
_AGAIN_S = 1.0  # a touch that was refused is made again after so long
_CONNECT_AGAIN_S = 0.05
_NEXT = {"confirmed": "en-route", "en_route": "on-scene", "on_scene": "clear"}


class Player:
    """`state` is what the screen shows now; `refusals` what the terminal would not take."""

    def __init__(self, unit: str, path: Path, rng: random.Random, decline_share: float = 0) -> None:
        self.unit, self.screen, self.refusals = unit, Screen(), list[str]()
        self.state: Json = {}
        self.is_silent = False  # the crew does not look
        self._path, self._rng, self._decline_share = path, rng, decline_share
        self._waiter, self._over = Waiter(), threading.Event()
        self._socket: socket.socket | None = None
        self._sending = threading.Lock()
        self._touched: dict[tuple[str, str], float] = {}
        self._thread = threading.Thread(target=self._run, name=f"player {unit}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._hang_up()
        self._thread.join(DEADLINE_S)

    def wait(self, true: Callable[[Json], Any], what: str, timeout_s: float = DEADLINE_S) -> Json:
        """The screen once `true` holds of it."""
        return self._waiter.wait(
            lambda: self.state if self.state and true(self.state) else None,
            timeout_s, lambda: f"{self.unit} {what}: {self.state}",
        )  # fmt: skip

    def card(self, order: str) -> Json | None:
        cards = self.state.get("orders", ())
        return next((one for one in cards if one["order"] == order), None)

    def say(self, **message: Any) -> None:
        """A command whose answer does not matter, or is seen on the screen."""
        with contextlib.suppress(OSError), self._sending:
            if self._socket is not None:
                self._socket.sendall(json.dumps(message).encode() + b"\n")

    # --- in its own thread -----------------------------------------------------------------------

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                sock.connect(str(self._path))
            except OSError:
                sock.close()
                self._over.wait(_CONNECT_AGAIN_S)
                continue
            self._socket = sock
            self._touched.clear()
            self.say(type="watch")
            with sock, contextlib.suppress(OSError), sock.makefile("rb") as lines:
                for line in lines:
                    self._hear(line)
            self._socket = None

    def _hang_up(self) -> None:
        sock = self._socket
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _hear(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            return  # the last line of a terminal that was killed
        if said["type"] == "refused":
            self.refusals.append(said["reason"])
        if said["type"] != "state":
            return
        self.state = said
        for card in said["orders"]:
            self.screen.see(card)
        self._waiter.notify()
        if not self.is_silent:
            self._act(said)

    def _act(self, said: Json) -> None:
        if said["logon"] is None:
            self._touch(("", "log on"), type="logon", unit=self.unit, crew=["4711", "4712"])
            return
        for card in said["orders"]:
            order, state = card["order"], card["state"]
            if state == "delivered":
                word = "decline" if self._rng.random() < self._decline_share else "accept"
                more = {"reason": "engaged"} if word == "decline" else {}
                self._touch((order, state), type="answer", order=order, answer=word, **more)
            elif state in _NEXT:
                more = {"disposition": "handled"} if _NEXT[state] == "clear" else {}
                self._touch((order, state), type="answer", order=order, answer=_NEXT[state], **more)

    def _touch(self, card: tuple[str, str], **message: Any) -> None:
        now_s = time.monotonic()
        if now_s - self._touched.get(card, -_AGAIN_S) >= _AGAIN_S:
            self._touched[card] = now_s
            self.say(**message)
