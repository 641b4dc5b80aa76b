"""An agent's end of the device socket: says `kept`, remembers what it was told, gives commands."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from runtime.local_socket import Client, LocalServer

Message = dict[str, Any]
WAIT_S = 15.0


class FakeAgent:
    """Serves `path` in a thread of its own; a context manager. `keeps` off: it says nothing."""

    def __init__(self, path: Path, *, keeps: bool = True) -> None:
        self.path, self.keeps = path, keeps
        self.heard: list[tuple[float, Message]] = []  # each line with its arrival, monotonic
        self.refuses: Callable[[Message], bool] = lambda _: False
        self._loop = asyncio.new_event_loop()
        self._server = LocalServer(path, self._handle, (os.geteuid(),))
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._server.listen()
        self._serving = self._loop.create_task(self._server.run())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """As if killed: connections are cut, the socket is gone."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._serving.cancel)
            self._thread.join(10)
            self._loop.close()

    def command(self, device: str, number: int, name: str) -> None:
        """Sends a command to every client."""
        line = {"type": "command", "device": device, "id": number, "name": name}

        def send() -> None:
            for client in self._server.clients:
                client.send(json.dumps(line).encode())

        self._loop.call_soon_threadsafe(send)

    def say(self, line: bytes) -> None:
        """Sends any line to every client."""
        self._loop.call_soon_threadsafe(
            lambda: [client.send(line) for client in self._server.clients]
        )

    def events(self, **fields: Any) -> list[Message]:
        """The different events so far that have all these fields (also of the detail)."""
        found: dict[tuple[Any, ...], Message] = {}
        for _, one in list(self.heard):
            flat = one | one.get("detail", {}) | {"device": one.get("device")}
            if one["type"] == "event" and all(flat.get(k) == v for k, v in fields.items()):
                found.setdefault((one["device"], one["boot"], one["event"]), one)
        return list(found.values())

    def sendings(self, event: Message) -> int:
        """How often that event came."""
        key = [event[name] for name in ("device", "boot", "event")]
        return sum(
            [one.get(name) for name in ("device", "boot", "event")] == key for _, one in self.heard
        )

    def wait(self, what: str, found: Callable[[], Any], timeout_s: float = WAIT_S) -> Any:
        """The first true value of `found`."""
        deadline_s = time.monotonic() + timeout_s
        while not (value := found()):
            told = [one for _, one in self.heard][-10:]
            assert time.monotonic() < deadline_s, f"no {what} in {timeout_s} s; had {told}"
            time.sleep(0.002)
        return value

    def event(self, timeout_s: float = WAIT_S, **fields: Any) -> Message:
        """The first event that has all these fields."""
        found: Message = self.wait(str(fields), lambda: self.events(**fields), timeout_s)[0]
        return found

    async def _handle(self, client: Client, line: bytes) -> None:
        message: Message = json.loads(line)
        self.heard.append((time.monotonic(), message))
        if message["type"] != "event" or not self.keeps:
            return
        key = {name: message[name] for name in ("device", "boot", "event")}
        if self.refuses(message):
            reply: Message = {"type": "refused", **key, "reason": "no", "remedy": "none"}
        else:
            reply = {"type": "kept", **key}
        client.send(json.dumps(reply).encode())

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.gather(self._serving, return_exceptions=True))
