"""A small gpsd for tests, written from gpsd_json(5): greets, answers a watch, reports on demand."""

from __future__ import annotations

import json
import queue
import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Self

VERSION = {"class": "VERSION", "release": "3.25", "proto_major": 3, "proto_minor": 15}
DEVICE = {"class": "DEVICE", "path": "/dev/ttyUSB0", "activated": "2026-01-01T00:00:00.000Z"}


class FakeGpsd:
    """Serves one client at a time; `commands` are what clients have said, in order."""

    def __init__(self, port: int = 0) -> None:
        self.commands: queue.Queue[str] = queue.Queue()
        self.connections = 0
        self._spoken = datetime.min.replace(tzinfo=UTC)  # a receiver gives an epoch once
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._client: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        self._thread.join(5)

    def send(self, line: bytes) -> None:
        assert self._client is not None
        self._client.sendall(line + b"\r\n")

    def report(self, **fields: Any) -> None:
        self.send(json.dumps(fields).encode())

    def speak(self, lat: float = 24.513, lon: float = 117.647) -> int:
        """One epoch of now, as gpsd reports it: SKY, then TPV twice; returns its time in ms."""
        now = datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 10_000 * 10_000)
        self._spoken = now = max(now, self._spoken + timedelta(milliseconds=10))
        time_text = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03}Z"
        place = {
            "class": "TPV", "device": DEVICE["path"], "mode": 3, "time": time_text, "lat": lat,
            "lon": lon, "speed": 5.0, "track": 90.0, "altMSL": 12.0, "eph": 8.5,
        }  # fmt: skip
        self.report(**{"class": "SKY", "device": DEVICE["path"], "hdop": 0.9, "uSat": 9})
        self.report(**{name: value for name, value in place.items() if name != "altMSL"})
        self.report(**place)
        return round(now.timestamp() * 1000)

    def drop(self) -> None:
        """Ends the connection, as a restart does."""
        if self._client is not None:
            with suppress(OSError):  # it may have gone itself
                self._client.shutdown(socket.SHUT_RDWR)
            self._client.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._client, self.connections = client, self.connections + 1
            self._greet(client)

    def _greet(self, client: socket.socket) -> None:
        try:
            self.report(**VERSION)
            partial = b""
            while data := client.recv(4096):
                *commands, partial = (partial + data).split(b";")
                for command in commands:
                    self._answer(command.decode().strip())
        except OSError:
            return

    def _answer(self, command: str) -> None:
        if command.startswith("?WATCH"):
            self.report(**{"class": "DEVICES", "devices": [DEVICE]})
            self.report(**{"class": "WATCH", "enable": True, "json": True})
        else:
            self.report(**VERSION)
        self.commands.put(command)
