"""Frames over a real Unix socket: good clients are served whatever the bad ones do."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from runtime.faults import ConfigFault, LinkLost
from runtime.local_client import request
from runtime.local_socket import Client, LocalServer

OURSELVES = (os.geteuid(),)
DEADLINE_S = 10.0


async def echo(client: Client, line: bytes) -> None:
    client.send(b"echo " + line)


def _tell(client: Client, reason: str) -> None:
    client.send(reason.encode())


@contextlib.asynccontextmanager
async def serving(server: LocalServer) -> AsyncIterator[LocalServer]:
    server.listen()
    async with asyncio.timeout(DEADLINE_S):
        running = asyncio.create_task(server.run())
        try:
            yield server
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - state without an event; deadline in serving
        await asyncio.sleep(0.001)


async def _connect(server: LocalServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(server.path)


def test_question_and_answer(tmp_path: Path) -> None:
    async def run() -> bytes:
        async with serving(LocalServer(tmp_path / "s", echo, OURSELVES)) as server:
            assert server.path.stat().st_mode & 0o777 == 0o660
            return await asyncio.to_thread(request, server.path, b"hello", 5)

    assert asyncio.run(run()) == b"echo hello"
    assert not (tmp_path / "s").exists()


def test_narrow_umask_still_lets_the_group_in(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        server = LocalServer(tmp_path / "s", echo, OURSELVES)
        server.listen()
        assert server.path.stat().st_mode & 0o777 == 0o660
        assert server._listener is not None
        server._listener.close()
    finally:
        os.umask(before)


def test_answer_comes_although_the_asker_ended_its_side(tmp_path: Path) -> None:
    async def slow(client: Client, line: bytes) -> None:
        await asyncio.sleep(0.02)
        client.send(line)

    async def run() -> None:
        async with serving(LocalServer(tmp_path / "s", slow, OURSELVES)) as server:
            reader, writer = await _connect(server)
            writer.write(b"one\n\ntwo\n")
            writer.write_eof()
            assert await reader.read() == b"one\ntwo\n"
            writer.close()

    asyncio.run(run())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be someone else")
def test_other_user_is_refused_and_counted() -> None:
    ask = (
        "import os, socket, sys\n"
        "s = socket.socket(socket.AF_UNIX); os.setuid(12345); s.connect(sys.argv[1])\n"
        "print(s.recv(10))"
    )

    async def run(path: Path) -> None:
        async with serving(LocalServer(path, echo, (0,))) as server:
            path.chmod(0o666)
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", ask, path, stdout=subprocess.PIPE
            )
            heard, _ = await process.communicate()
            assert heard == b"b''\n"
            assert server.counts["cut_not_allowed"] == 1
            assert await asyncio.to_thread(request, path, b"hello", 5) == b"echo hello"

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        asyncio.run(run(Path(folder) / "s"))


def test_stale_socket_is_replaced_and_a_living_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    async def run() -> None:
        async with serving(LocalServer(path, echo, OURSELVES)):
            with pytest.raises(ConfigFault, match="served by another"):
                LocalServer(path, echo, OURSELVES).listen()
            assert await asyncio.to_thread(request, path, b"x", 5) == b"echo x"

    asyncio.run(run())


def test_other_files_and_bad_places_are_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("precious")
    with pytest.raises(ConfigFault, match="is no socket"):
        LocalServer(tmp_path / "f", echo, OURSELVES).listen()
    assert (tmp_path / "f").read_text() == "precious"
    for bad in (tmp_path / "none" / "s", tmp_path / ("x" * 120)):
        with pytest.raises(ConfigFault, match="cannot listen here"):
            LocalServer(bad, echo, OURSELVES).listen()


def test_slow_client_is_cut_and_others_are_served(tmp_path: Path) -> None:
    async def run() -> None:
        left: list[int] = []
        server = LocalServer(
            tmp_path / "s", echo, OURSELVES, on_close=lambda client: left.append(client.number)
        )
        async with serving(server):
            _, deaf = await _connect(server)
            await _until(lambda: len(server.clients) == 1)
            (client,) = server.clients
            await _until(lambda: not client.send(b"x" * 16_000))
            assert server.counts["cut_slow"] == 1
            await _until(lambda: left == [1])
            assert await asyncio.to_thread(request, server.path, b"x", 5) == b"echo x"
            deaf.close()

    asyncio.run(run())


def test_flooding_client_is_throttled_and_others_are_served(tmp_path: Path) -> None:
    taken: list[int] = []

    async def count(client: Client, line: bytes) -> None:
        taken.append(client.number)
        client.send(line)

    async def run() -> None:
        server = LocalServer(tmp_path / "s", count, OURSELVES, lines_per_s=50, lines_burst=20)
        async with serving(server):
            _, flood = await _connect(server)
            flood.write(b"f\n" * 100_000)
            await _until(lambda: server.counts["throttled"] > 0)
            for _ in range(5):
                assert await asyncio.to_thread(request, server.path, b"x", 1) == b"x"
            assert 20 <= taken.count(1) < 100
            flood.close()

    asyncio.run(run())


def test_one_client_too_many_is_shed(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(LocalServer(tmp_path / "s", echo, OURSELVES, clients_max=2)) as server:
            kept = [await _connect(server) for _ in range(2)]
            await _until(lambda: len(server.clients) == 2)
            with pytest.raises(LinkLost):
                await asyncio.to_thread(request, server.path, b"x", 5)
            assert server.counts["cut_too_many"] == 1
            kept[0][1].write(b"still\n")
            assert await kept[0][0].readline() == b"echo still\n"
            kept[1][1].close()
            await _until(lambda: len(server.clients) == 1)
            assert await asyncio.to_thread(request, server.path, b"x", 5) == b"echo x"
            kept[0][1].close()

    asyncio.run(run())


def test_too_long_line_is_refused_and_the_next_is_served(tmp_path: Path) -> None:
    async def run() -> None:
        server = LocalServer(
            tmp_path / "s", echo, OURSELVES, line_max=100,
            on_refused=_tell,
        )  # fmt: skip
        async with serving(server):
            reader, writer = await _connect(server)
            writer.write(b"x" * 300_000 + b"\n" + b"y" * 100 + b"\n")
            assert await reader.readline() == b"a line is longer than 100 bytes\n"
            assert await reader.readline() == b"echo " + b"y" * 100 + b"\n"
            assert server.counts["too_long"] == 1
            writer.close()

    asyncio.run(run())


def test_exception_of_the_handler_ends_the_server(tmp_path: Path) -> None:
    async def fail(client: Client, line: bytes) -> None:
        raise KeyError(line)

    async def run() -> None:
        server = LocalServer(tmp_path / "s", fail, OURSELVES)
        server.listen()
        running = asyncio.create_task(server.run())
        with pytest.raises(LinkLost):
            await asyncio.to_thread(request, server.path, b"x", 5)
        with pytest.raises(ExceptionGroup) as caught:
            await running
        assert isinstance(caught.value.exceptions[0], KeyError)

    asyncio.run(run())


_SHORT_OF_DESCRIPTORS = """
import asyncio, os, resource, socket, sys
from pathlib import Path
from runtime.local_socket import LocalServer

async def echo(client, line):
    client.send(line)

async def main():
    server = LocalServer(Path(sys.argv[1]), echo, (os.geteuid(),), clients_max=100)
    server.listen()
    running = asyncio.create_task(server.run())
    reader, writer = await asyncio.open_unix_connection(sys.argv[1])
    writer.write(b"first\\n")
    assert await reader.readline() == b"first\\n"
    late = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    spare = len(os.listdir("/proc/self/fd")) - 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, spare))
    for one in late:
        one.connect(sys.argv[1])
    while not server.counts["refused_resources"]:
        await asyncio.sleep(0.001)
    writer.write(b"still\\n")
    assert await reader.readline() == b"still\\n"
    for one in late:
        one.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, spare))
    running.cancel()

asyncio.run(main())
print("served")
"""


def test_out_of_descriptors_keeps_the_old_clients(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _SHORT_OF_DESCRIPTORS, tmp_path / "s"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert ended.stdout == "served\n", ended.stderr
