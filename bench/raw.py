"""The limits under every figure of the running system: a bare round trip, a bare synced commit.

Round trip: QoS 1, 200 bytes, client A → broker → client B → broker → A; two processes, paho alone,
TLS with client certificates and TCP_NODELAY at all ends. The broker is one of its own with the
same settings, since the fleet's access list lets no two tools talk to each other.
Commit: one row of 200 bytes into a SQLite file with WAL and synchronous=FULL.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
import ssl
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from demo.layout import CALLER, DESK, FLEET
from demo.processes import Gone
from demo.world import find_mosquitto

PAYLOAD: Final = bytes(200)
TIMEOUT_S: Final = 10.0
PING, PONG = "bench/ping", "bench/pong"


class Commits:
    """A file of its own on the disk that is measured."""

    def __init__(self, folder: Path) -> None:
        self._db = sqlite3.connect(
            folder / "bench.db", isolation_level=None, check_same_thread=False
        )
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, data BLOB NOT NULL)")

    def one_s(self) -> float:
        """Seconds of one synced commit."""
        started_s = time.monotonic()
        self._db.execute("INSERT INTO row (data) VALUES (?)", (PAYLOAD,))
        return time.monotonic() - started_s

    def close(self) -> None:
        self._db.close()


class RoundTrips:
    """Client A. Blocks: call `one_s` where nothing else has to run."""

    def __init__(self, folder: Path, port: int) -> None:
        self._echoed = False
        self._client = _client(folder, CALLER, port)
        self._client.on_message = self._on_message
        _until_connected(self._client)
        self._client.subscribe(PONG, 1)

    def one_s(self) -> float:
        """Seconds from publish to the echo. Raises TimeoutError."""
        self._echoed = False
        started_s = time.monotonic()
        self._client.publish(PING, PAYLOAD, 1)
        while not self._echoed:
            self._client.loop(1.0)
            if time.monotonic() - started_s > TIMEOUT_S:
                raise TimeoutError("no echo of a raw QoS 1 message")
        ended_s = time.monotonic()
        self._client.loop(0.001)  # its own PUBACKs do not belong to the next
        return ended_s - started_s

    def keep_alive(self) -> None:
        self._client.loop(0.001)

    def close(self) -> None:
        self._client.disconnect()

    def _on_message(self, _client: Client, _userdata: Any, _message: MQTTMessage) -> None:
        self._echoed = True


@contextlib.asynccontextmanager
async def round_trips(folder: Path) -> AsyncIterator[RoundTrips]:
    """Broker, echoing client and client A beside the world in `folder`."""
    port = _free_port()
    config = _broker_config(folder, port)
    broker = await asyncio.create_subprocess_exec(find_mosquitto(), "-c", str(config))
    echo = None
    try:
        await _until_listening(port)
        echo = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.raw", str(folder), str(port),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert echo.stdout is not None
        if await asyncio.wait_for(echo.stdout.readline(), TIMEOUT_S) != b"ready\n":
            raise Gone("the echoing client of the raw round trip did not start")
        trips = await asyncio.to_thread(RoundTrips, folder, port)
        yield trips
        trips.close()
    finally:
        for process in (echo, broker):
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()


def _broker_config(folder: Path, port: int) -> Path:
    """The world's broker with another port, and no access list."""
    target = folder / "bench-broker"
    target.mkdir()
    text = (folder / "broker" / "mosquitto.conf").read_text()
    acl = target / "acl"
    acl.write_text("pattern readwrite bench/#\n")
    acl.chmod(0o700)
    lines = [
        f"acl_file {acl}" if line.startswith("acl_file")
        else f"listener {port} 127.0.0.1" if line.startswith("listener") else line
        for line in text.splitlines()
    ]  # fmt: skip
    path = target / "mosquitto.conf"
    path.write_text("\n".join(lines) + "\n")
    return path


def _client(folder: Path, name: str, port: int) -> Client:
    keys = folder / "keys" / name
    client = Client(
        CallbackAPIVersion.VERSION2, client_id=f"{FLEET}.{name}",
        protocol=MQTTProtocolVersion.MQTTv5,
    )  # fmt: skip
    context = ssl.create_default_context(cafile=str(keys / "root.pem"))
    context.load_cert_chain(keys / "tls.pem", keys / "tls.key")
    client.tls_set_context(context)
    client.on_socket_open = _no_delay
    client.connect("localhost", port)
    return client


def _no_delay(_client: Client, _userdata: Any, opened: Any) -> None:
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _until_connected(client: Client) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not client.is_connected():
        client.loop(0.1)
        if time.monotonic() > deadline_s:
            raise TimeoutError("no CONNACK from the broker of the raw round trip")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def _until_listening(port: int) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


def _echo(folder: Path, port: int) -> None:
    """Client B, a process of its own."""
    client = _client(folder, DESK, port)

    def back(client: Client, _userdata: Any, message: MQTTMessage) -> None:
        client.publish(PONG, message.payload, 1)

    def ready(*_: Any) -> None:
        print("ready", flush=True)

    client.on_message, client.on_subscribe = back, ready
    _until_connected(client)
    client.subscribe(PING, 1)
    client.loop_forever()


if __name__ == "__main__":
    _echo(Path(sys.argv[1]), int(sys.argv[2]))
