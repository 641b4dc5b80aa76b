"""`position`: bytes of a sealed position on the wire, beside what others send unsigned.

The PUBLISH packets are taken from a socket: paho writes them, with topic alias and expiry as the
link makes them, to a listener that speaks just enough MQTT to be connected to.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from agent import uplink
from bench import peer_encodings, samples
from bench.figure import Figure, number
from bench.options import Options
from protocol import position
from runtime.mqtt_wire import TopicAliases, publish_properties

BYTES_MAX: Final = 140
EXPIRY_S: Final[int | None] = getattr(uplink, "POSITION_EXPIRY_S", None)  # as the agent says
TIMEOUT_S: Final = 10.0
_CONNACK: Final = bytes.fromhex("20060000032200 0a")  # topic alias maximum 10
_PUBLISH, _DISCONNECT = 3, 14


async def run(options: Options) -> list[Figure]:
    """Mean size of the packets after the first, which carries the topic's name."""
    moving = samples.moving(options.count(500, 50))
    sealed = [samples.seal(one) for one in moving]
    packets = await asyncio.to_thread(publish_packets, samples.TOPIC, sealed)
    sizes = [len(packet) for packet in packets[1:]]
    mean = sum(sizes) / len(sizes)
    around = mean - sum(map(len, sealed[1:])) / len(sizes)
    unsigned = [len(position.encode(one)) for one in moving]
    beside = [
        f"largest {max(sizes)}, the first with its topic's name {len(packets[0])} bytes",
        f"of it signature 64, payload {number(_mean(unsigned))}, MQTT {number(around)} bytes",
        f"OwnTracks JSON, unsigned: {_peer(moving, peer_encodings.owntracks, around)}",
        f"Sparkplug B by alias, unsigned: {_peer(moving, peer_encodings.sparkplug, around)}",
        "JT/T 808-2019 0x0200, one check byte: "
        f"{number(_mean([len(peer_encodings.jt808(p)) for p in moving]))} bytes in its own frame",
        "others constructed from their specifications, same fixes, in the same PUBLISH",
    ]
    return [
        Figure("position", "sealed position, PUBLISH packet with topic alias", mean, "bytes",
               BYTES_MAX, beside=tuple(beside))
    ]  # fmt: skip


def _mean(sizes: Sequence[int]) -> float:
    return sum(sizes) / len(sizes)


def _peer(moving: Sequence[position.Position], encode: object, around: float) -> str:
    assert callable(encode)
    size = _mean([len(encode(one)) for one in moving])
    return f"{number(size + around)} bytes ({number(size)} payload)"


def publish_packets(topic: str, payloads: Sequence[bytes]) -> list[bytes]:
    """The PUBLISH packets of these payloads on one connection, as they are on the wire."""
    found: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT_S)
        tap = threading.Thread(target=_tap, args=(listener, found), daemon=True)
        tap.start()
        client = Client(
            CallbackAPIVersion.VERSION2, client_id="bench", protocol=MQTTProtocolVersion.MQTTv5
        )
        client.connect("127.0.0.1", listener.getsockname()[1])
        while not client.is_connected():
            if client.loop(TIMEOUT_S) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                raise ConnectionError("the listener did not answer CONNECT")
        aliases = TopicAliases(10)
        for payload in payloads:
            name, alias = aliases.name(topic)
            client.publish(name, payload, 0, properties=publish_properties(alias, EXPIRY_S))
            client.loop_write()
        client.disconnect()
        client.loop_write()
        tap.join(TIMEOUT_S)
    if len(found) != len(payloads):
        raise ValueError(f"{len(found)} of {len(payloads)} packets came to the listener")
    return found


def _tap(listener: socket.socket, found: list[bytes]) -> None:
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as stream:
        connection.settimeout(TIMEOUT_S)
        while head := stream.read(1):
            length_bytes, length, shift = b"", 0, 0
            while True:
                byte = stream.read(1)
                length_bytes += byte
                length |= (byte[0] & 127) << shift
                shift += 7
                if not byte[0] & 128:
                    break
            packet = head + length_bytes + stream.read(length)
            kind = head[0] >> 4
            if kind == 1:
                connection.sendall(_CONNACK)
            elif kind == _PUBLISH:
                found.append(packet)
            elif kind == _DISCONNECT:
                return
