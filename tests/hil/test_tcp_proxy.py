"""The TCP proxy between two real sockets: each fault as both ends see it."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from hil.tcp_proxy import TcpProxy
from tests.hil.helpers import Emulator, run, until

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Target:
    """A server that keeps its connections for the test."""

    port: int = 0
    pairs: list[Pair] = field(default_factory=list)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pairs.append((reader, writer))


@dataclass
class Bench:
    proxy: TcpProxy
    target: Target
    clients: list[Pair] = field(default_factory=list)

    async def connect(self) -> tuple[Pair, Pair]:
        """A new client's end, and the target's end of the same connection."""
        known = len(self.target.pairs)
        self.clients.append(await asyncio.open_connection("127.0.0.1", self.proxy.port))
        await until(lambda: len(self.target.pairs) > known)
        return self.clients[-1], self.target.pairs[-1]


@contextlib.asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    target = Target()
    server = await asyncio.start_server(target.accept, "127.0.0.1", 0)
    target.port = server.sockets[0].getsockname()[1]
    async with TcpProxy(target_port=target.port) as proxy:
        made = Bench(proxy, target)
        try:
            yield made
        finally:
            for _, writer in [*made.clients, *target.pairs]:
                writer.transport.abort()
            server.close()
    await asyncio.sleep(0)


async def is_silent(reader: asyncio.StreamReader, for_s: float = 0.1) -> bool:
    try:
        async with asyncio.timeout(for_s):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


async def is_reset(pair: Pair) -> bool:
    try:
        return await pair[0].read(1) == b"never"
    except ConnectionResetError:
        return True


def test_bytes_pass_both_ways_and_ends_too() -> None:
    async def work() -> None:
        async with bench() as b:
            (client_reads, client_writes), (target_reads, target_writes) = await b.connect()
            data = bytes(range(256)) * 4000
            client_writes.write(data)
            client_writes.write_eof()
            assert await target_reads.read(-1) == data
            target_writes.write(data)  # half closed: the way back still works
            target_writes.close()
            assert await client_reads.read(-1) == data
            assert (b.proxy.up.bytes_passed, b.proxy.down.bytes_passed) == (len(data),) * 2
            await until(lambda: b.proxy.connections == 0)

    run(work())


def test_cut_resets_both_ends_and_new_connections_work() -> None:
    async def work() -> None:
        async with bench() as b:
            client, target = await b.connect()
            b.proxy.cut()
            assert await is_reset(client)
            assert await is_reset(target)
            (_, writes), (reads, _) = await b.connect()
            writes.write(b"again")
            assert await reads.readexactly(5) == b"again"

    run(work())


@pytest.mark.parametrize(("up", "down"), [(True, True), (True, False), (False, True)])
def test_a_black_hole_swallows_its_directions_for_ever(up: bool, down: bool) -> None:
    async def work() -> None:
        async with bench() as b:
            (client_reads, client_writes), (target_reads, target_writes) = await b.connect()
            b.proxy.black_hole(up=up, down=down)
            client_writes.write(b"up")
            target_writes.write(b"down")
            for reads, is_gone in ((target_reads, up), (client_reads, down)):
                if is_gone:
                    assert await is_silent(reads)
                else:
                    assert len(await reads.readexactly(1)) == 1
            if up and down:
                await b.connect()  # still accepted
            b.proxy.heal()
            client_writes.write(b"U")
            target_writes.write(b"D")
            assert (await target_reads.readuntil(b"U"))[:-1] == (b"" if up else b"p")
            assert (await client_reads.readuntil(b"D"))[:-1] == (b"" if down else b"own")
            assert b.proxy.up.bytes_swallowed == (2 if up else 0)

    run(work())


def test_the_end_of_a_connection_does_not_cross_a_black_hole() -> None:
    async def work() -> None:
        async with bench() as b:
            (_, client_writes), (target_reads, _) = await b.connect()
            b.proxy.black_hole()
            client_writes.close()
            assert await is_silent(target_reads)
            b.proxy.heal()
            assert await target_reads.read(1) == b""

    run(work())


def test_a_stall_holds_bytes_and_loses_none() -> None:
    async def work() -> None:
        async with bench() as b:
            (_, client_writes), (target_reads, _) = await b.connect()
            b.proxy.stall()
            client_writes.write(b"held")
            assert await is_silent(target_reads)
            b.proxy.heal()
            assert await target_reads.readexactly(4) == b"held"

    run(work())


def test_delay_shifts_without_slowing() -> None:
    async def work() -> None:
        async with bench() as b:
            (_, client_writes), (target_reads, _) = await b.connect()
            b.proxy.delay(0.2, down=False)
            started_s = time.monotonic()
            client_writes.write(bytes(500_000))
            await target_reads.readexactly(1)
            first_s = time.monotonic() - started_s
            await target_reads.readexactly(499_999)
            assert first_s >= 0.2
            assert time.monotonic() - started_s < 3  # each chunk for itself would take 6 s

    run(work())


def test_rate_limit_is_kept_and_seen_by_the_sender() -> None:
    async def work() -> None:
        async with bench() as b:
            (_, client_writes), (target_reads, _) = await b.connect()
            sock: socket.socket = client_writes.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
            b.proxy.rate_limit(100_000)
            started_s = time.monotonic()
            client_writes.write(bytes(300_000))
            await target_reads.readexactly(50_000)
            took_s = time.monotonic() - started_s
            assert 0.4 <= took_s <= 2.5
            unsent_bytes = client_writes.transport.get_write_buffer_size()
            assert unsent_bytes > 100_000  # the proxy has not swallowed it into a buffer

    run(work())


def test_dribble_passes_few_bytes_at_a_time() -> None:
    async def work() -> None:
        async with bench() as b:
            (_, client_writes), (target_reads, _) = await b.connect()
            b.proxy.dribble(2, 0.02)
            client_writes.write(b"abcdefgh")
            pieces: list[bytes] = []
            while len(b"".join(pieces)) < 8:
                pieces.append(await target_reads.read(100))
            assert b"".join(pieces) == b"abcdefgh"
            assert len(pieces) >= 2

    run(work())


@pytest.mark.parametrize("up", [True, False])
def test_one_bit_is_flipped_once_at_its_byte(up: bool) -> None:
    async def work() -> None:
        async with bench() as b:
            client, target = await b.connect()
            writes, reads = (client[1], target[0]) if up else (target[1], client[0])
            b.proxy.flip_bit(7, 3, up=up)
            b.proxy.dribble(5, 0.0)  # in whichever piece it lies
            writes.write(bytes(20))
            assert await reads.readexactly(20) == bytes(7) + b"\x08" + bytes(12)
            writes.write(bytes(20))
            assert await reads.readexactly(20) == bytes(20)

    run(work())


@pytest.mark.parametrize("told", ["client", "target"])
def test_half_open_tells_one_side_only(told: str) -> None:
    async def work() -> None:
        async with bench() as b:
            client, target = await b.connect()
            b.proxy.half_open("client" if told == "client" else "target")
            hears, deaf = (client, target) if told == "client" else (target, client)
            assert await is_reset(hears)
            deaf[1].write(b"hello?")
            await deaf[1].drain()
            assert await is_silent(deaf[0])
            b.proxy.heal()
            assert await is_silent(deaf[0])  # forgotten for ever
            deaf[1].close()
            await until(lambda: b.proxy.connections == 0)

    run(work())


def test_refuse_and_heal_keep_the_port() -> None:
    async def work() -> None:
        async with bench() as b:
            (_, client_writes), (target_reads, _) = await b.connect()
            port = b.proxy.port
            b.proxy.refuse()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            client_writes.write(b"still")
            assert await target_reads.readexactly(5) == b"still"
            b.proxy.heal()
            assert b.proxy.port == port
            await b.connect()

    run(work())


def test_a_target_that_is_not_there_is_a_reset() -> None:
    async def work() -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            async with TcpProxy(target_port=port) as proxy:
                client = await asyncio.open_connection("127.0.0.1", proxy.port)
                assert await is_reset(client)
                client[1].transport.abort()
                await until(lambda: proxy.connections == 0)

    run(work())


def test_as_a_process_it_takes_faults_as_commands() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = f"127.0.0.1:{server.getsockname()[1]}"
        with Emulator("proxy", "--target", target) as emulator:
            port = emulator.event("ready")["port"]
            assert isinstance(port, int)
            server.settimeout(10)
            with socket.create_connection(("127.0.0.1", port), 10) as client:
                accepted, _ = server.accept()
                with accepted:
                    emulator.tell(do="flip_bit", byte=0, bit=1)
                    emulator.tell(do="count")
                    assert emulator.event("count")["connections"] == 1
                    client.sendall(b"\x00")
                    assert accepted.recv(1) == b"\x02"
                    for wrong in ({"do": "rate_limit"}, {"do": "half_open", "told": "me"}):
                        emulator.tell(**wrong)
                        assert emulator.event("refused")["remedy"]
                    emulator.tell(do="cut")
                    with pytest.raises(ConnectionResetError):
                        client.recv(1)
            assert emulator.end() == 0


def test_a_port_that_is_taken_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Emulator("proxy", "--target", "127.0.0.1:1", "--listen", str(port)) as emulator:
            assert emulator.wait() == 1


def test_a_fault_after_so_many_bytes_meets_the_byte() -> None:
    async def work() -> None:
        async with bench() as b:
            (_, writes), (reads, _) = await b.connect()
            b.proxy.after_bytes(7, lambda: b.proxy.stall(down=False))
            writes.write(b"0123456789")
            assert await reads.readexactly(7) == b"0123456"
            assert await is_silent(reads)
            b.proxy.heal()
            assert await reads.readexactly(3) == b"789"

    run(work())


def test_another_host_takes_the_address() -> None:
    async def work() -> None:
        async with bench() as b, bench() as other:
            (_, stays), (reads, _) = await b.connect()
            b.proxy.retarget(other.target.port)
            stays.write(b"old")
            assert await reads.readexactly(3) == b"old"
            known = len(b.target.pairs)
            b.clients.append(await asyncio.open_connection("127.0.0.1", b.proxy.port))
            await until(lambda: len(other.target.pairs) == 1)
            assert len(b.target.pairs) == known

    run(work())
