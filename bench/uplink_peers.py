"""How positions are sent elsewhere, each as a process of its own and at its best.

paho    publish at QoS 1 with a durable session; what is under way is in paho's memory
file    as phone trackers do: each position into a file first (SQLite, synced), the oldest is
        published at QoS 1, and deleted when its PUBACK has come
listen  the other end: a durable subscriber that writes down what it gets

    python -m bench.uplink_peers paho|file|listen --keys FOLDER --name CN --port N --topic T …
"""

from __future__ import annotations

import argparse
import sqlite3
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from bench.uplink_receiver import moment_of

KEEPALIVE_S: Final = 10
RECONNECT_S: Final = (1, 2)
SAID: Final = "connected"


def main() -> None:
    options = _options()
    client = _client(options)
    match options.role:
        case "listen":
            _listen(client, options)
        case "paho":
            client.on_connect = lambda *_: print(SAID, flush=True)
            _connect(client, options.port)
            for moment in _moments(options.receiver):
                client.publish(options.topic, moment, 1)
        case "file":
            _file_queue(client, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench.uplink_peers")
    parser.add_argument("role", choices=("paho", "file", "listen"))
    parser.add_argument("--keys", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--receiver", type=Path)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def _client(options: argparse.Namespace) -> Client:
    client = Client(
        CallbackAPIVersion.VERSION2, client_id=options.name, clean_session=False,
        protocol=MQTTProtocolVersion.MQTTv311,
    )  # fmt: skip
    context = ssl.create_default_context(cafile=str(options.keys / "root.pem"))
    context.load_cert_chain(options.keys / "tls.pem", options.keys / "tls.key")
    client.tls_set_context(context)
    client.reconnect_delay_set(*RECONNECT_S)
    return client


def _connect(client: Client, port: int) -> None:
    """In paho's own thread, and again for ever."""
    client.connect_async("localhost", port, KEEPALIVE_S)
    client.loop_start()


def _moments(receiver: Path) -> Iterator[str]:
    """The receiver's epochs as they come."""
    with receiver.open("rb", buffering=0) as port:
        partial = b""
        while chunk := port.read(4096):
            *lines, partial = (partial + chunk).split(b"\n")
            for line in lines:
                moment = moment_of(line.decode("ascii", errors="replace"))
                if moment is not None:
                    yield moment


def _file_queue(client: Client, options: argparse.Namespace) -> None:
    """One is under way at a time, so that a PUBACK belongs to the oldest."""
    queue = _Queue(options.out)
    acknowledged = threading.Event()

    def send() -> None:
        while True:
            number, moment = queue.oldest()
            acknowledged.clear()
            client.publish(options.topic, moment, 1)
            acknowledged.wait()
            queue.delete(number)

    client.on_connect = lambda *_: print(SAID, flush=True)
    client.on_publish = lambda *_: acknowledged.set()
    _connect(client, options.port)
    threading.Thread(target=send, daemon=True).start()
    for moment in _moments(options.receiver):
        queue.append(moment)


class _Queue:
    """Positions on the disk, oldest first."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("CREATE TABLE IF NOT EXISTS queue (id INTEGER PRIMARY KEY, moment TEXT)")
        self._news, self._turn = threading.Semaphore(self._count()), threading.Lock()

    def append(self, moment: str) -> None:
        with self._turn:
            self._db.execute("INSERT INTO queue (moment) VALUES (?)", (moment,))
        self._news.release()

    def oldest(self) -> tuple[int, str]:
        """Waits for one."""
        self._news.acquire()
        with self._turn:
            number, moment = self._db.execute("SELECT * FROM queue ORDER BY id").fetchone()
        return int(number), str(moment)

    def delete(self, number: int) -> None:
        with self._turn:
            self._db.execute("DELETE FROM queue WHERE id = ?", (number,))

    def _count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM queue").fetchone()[0])


def _listen(client: Client, options: argparse.Namespace) -> None:
    """Subscribes at each connection, in case the broker has forgotten its session."""
    with options.out.open("a", encoding="ascii", buffering=1) as out:

        def connected(client: Client, *_: Any) -> None:
            client.subscribe(options.topic, 1)

        def took(_client: Client, _userdata: Any, message: MQTTMessage) -> None:
            out.write(message.payload.decode("ascii", errors="replace") + "\n")

        client.on_connect, client.on_message = connected, took
        client.on_subscribe = lambda *_: print(SAID, flush=True)
        client.connect_async("localhost", options.port, KEEPALIVE_S)
        client.loop_forever(retry_first_connection=True)


if __name__ == "__main__":
    main()
