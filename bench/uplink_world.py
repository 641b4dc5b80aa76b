"""Three senders of the same positions under the same outages: ours, plain paho, a file queue.

Ours is a whole small world (broker, matcher, one agent). The peers share a broker of their own with
persistence on; each has a durable subscriber. Each sender reaches its broker through a TCP proxy
(`outrider hil proxy`). Used by bench/uplink.py.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from bench.options import Options
from bench.small_world import SmallWorld
from bench.uplink_peers import SAID
from bench.uplink_receiver import Mouth
from demo.layout import FLEET, Member
from demo.processes import outrider, until
from demo.world import find_mosquitto

READY_S: Final = 20.0
LINE: Final = (  # as a mobile network: 60 ms there and back, a cut falls into a packet
    b'{"do":"delay","seconds":0.03}\n{"do":"dribble","bytes":32,"gap_s":0.001}\n'
)
OURS, PAHO, FILE = "ours", "paho", "file"
PEERS: Final = (PAHO, FILE)
SENDERS: Final = (OURS, PAHO, FILE)
_KEYS: Final = {PAHO: "t-612", FILE: "t-613"}  # enrolled with the fleet, and otherwise unused here
_LISTENER_KEYS: Final = {PAHO: "t-614", FILE: "t-615"}


class UplinkWorld(SmallWorld):
    """`mouths` are the receiver's lines by sender."""

    def __init__(self, folder: Path, options: Options) -> None:
        super().__init__(folder, options, 1)
        self.mouths: dict[str, Mouth] = {}
        self._proxy_ports: dict[str, int] = {}
        self._connected: set[str] = set()

    @property
    def unit(self) -> Member:
        return self.members[0]

    def process_of(self, sender: str) -> str:
        """The name of a sender's process."""
        return f"agent-{self.unit.unit}" if sender == OURS else f"sender-{sender}"

    def received_file(self, peer: str) -> Path:
        return self.layout.folder / f"received-{peer}"

    async def start_peers(self) -> None:
        """Broker, subscribers, proxies and senders of the peers."""
        port = _free_port()
        config = self._peer_broker(port)
        await self.processes.start("peer-broker", [find_mosquitto(), "-c", str(config)])
        for peer in PEERS:
            await self._start_peer_process(f"listener-{peer}", "listen", _LISTENER_KEYS[peer], port,
                                           "--out", str(self.received_file(peer)))  # fmt: skip
            await self._until_connected(f"listener-{peer}")
        for peer in PEERS:
            await self._start_proxy(peer, port)
            mouth = self._make_mouth(peer)
            await self._start_peer_process(
                self.process_of(peer), peer, _KEYS[peer], self._proxy_ports[peer],
                "--receiver", str(mouth), "--out", str(self.layout.folder / f"queue-{peer}"),
            )  # fmt: skip
            await self._until_connected(self.process_of(peer))

    def cut(self) -> None:
        """Every sender's connection is reset, and no new one taken."""
        self._tell(b'{"do":"refuse"}\n{"do":"cut"}\n')

    def heal(self) -> None:
        self._tell(b'{"do":"heal"}\n' + LINE)

    def kill_brokers(self) -> None:
        for name in ("broker", "peer-broker"):
            self.process(name).kill()

    async def for_each_sender(self, do: Callable[[str], Awaitable[None]]) -> None:
        await asyncio.gather(*(do(sender) for sender in SENDERS))

    # --- how things are started ------------------------------------------------------------------

    async def _start_terminal(self, member: Member) -> None:
        """The agent reads our receiver, and meets its broker through a proxy."""
        await self._start_proxy(OURS, self.layout.port)
        mouth, config = self._make_mouth(OURS), self.layout.terminal_config(member)
        text = config.read_text()
        text = text.replace(str(self.layout.gnss_port(member)), str(mouth))
        text = text.replace(f"port = {self.layout.port}", f"port = {self._proxy_ports[OURS]}")
        # every fix is an entry of its own, synced at once: as the file queue keeps them
        config.write_text(text + "[track]\nfixes_max = 1\n")
        name = self.process_of(OURS)
        await self.processes.start(name, outrider("agent", "run", "--config", str(config)))
        crew = self.quiet[member.unit]
        self._tasks.append(asyncio.create_task(crew.run(), name=f"crew-{member.unit}"))

    def _make_mouth(self, sender: str) -> Path:
        link = self.layout.folder / "ports" / f"uplink-{sender}"
        self.mouths[sender] = Mouth(link)
        return link

    async def _start_proxy(self, sender: str, target: int) -> None:
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def hear(line: str) -> None:
            event = json.loads(line)
            if event["event"] == "ready" and not ready.done():
                ready.set_result(event["port"])

        command = [sys.executable, "-m", "hil", "proxy", "--target", f"127.0.0.1:{target}"]
        running = await self.processes.start(f"proxy-{sender}", command, hear)
        self._proxy_ports[sender] = await asyncio.wait_for(ready, READY_S)
        running.say(LINE)

    async def _start_peer_process(
        self, process: str, role: str, keys: str, port: int, *more: str
    ) -> None:
        peer = process.partition("-")[2]
        command = [sys.executable, "-m", "bench.uplink_peers", role, "--topic", f"bench/{peer}",
                   "--keys", str(self.layout.folder / "keys" / keys),
                   "--name", f"{FLEET}.{keys}", "--port", str(port), *more]  # fmt: skip

        def hear(line: str) -> None:
            if line.strip() == SAID:
                self._connected.add(process)

        await self.processes.start(process, command, hear)

    async def _until_connected(self, process: str) -> None:
        await until(lambda: process in self._connected, READY_S, f"{process} connected")

    def _peer_broker(self, port: int) -> Path:
        """The world's broker, with persistence as people run it, and no access list."""
        folder = self.layout.folder / "peer-broker"
        folder.mkdir()
        folder.chmod(0o777)
        text = (self.layout.folder / "broker" / "mosquitto.conf").read_text()
        kept = [
            line for line in text.splitlines()
            if not line.startswith(("listener", "acl_file", "crlfile", "persistence"))
        ]  # fmt: skip
        lines = [f"listener {port} 127.0.0.1", *kept,
                 "persistence true", f"persistence_location {folder}/"]  # fmt: skip
        path = folder / "mosquitto.conf"
        path.write_text("\n".join(lines) + "\n")
        return path

    def _tell(self, lines: bytes) -> None:
        for sender in SENDERS:
            self.process(f"proxy-{sender}").say(lines)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
