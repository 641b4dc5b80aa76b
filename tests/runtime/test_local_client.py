"""The client side of a local socket against the real server."""

import asyncio
from pathlib import Path

import pytest

from runtime.faults import LinkLost
from runtime.local_client import Line, LocalClient, LocalEvent, Lost, Opened, request
from runtime.local_socket import Client, LocalServer
from tests.runtime.test_local_socket import DEADLINE_S, OURSELVES, echo, serving


def test_request_says_why_there_is_no_answer(tmp_path: Path) -> None:
    async def mute(client: Client, line: bytes) -> None:
        return

    async def run() -> None:
        async with serving(LocalServer(tmp_path / "s", mute, OURSELVES)) as server:
            with pytest.raises(LinkLost, match=r"no answer in 0.1 s – see"):
                await asyncio.to_thread(request, server.path, b"x", 0.1)

    with pytest.raises(LinkLost, match="s: nobody listens – start the daemon"):
        request(tmp_path / "s", b"x", 1)
    asyncio.run(run())


def test_client_finds_the_server_again(tmp_path: Path) -> None:
    async def run() -> None:
        client = LocalClient(tmp_path / "s", retry_s_min=0.01, retry_s_max=0.02)
        events = client.events()

        async def following() -> LocalEvent:
            async with asyncio.timeout(DEADLINE_S):
                return await anext(events)

        assert isinstance(await following(), Lost)
        with pytest.raises(LinkLost, match="is not connected"):
            await client.send(b"x")
        for _ in range(2):
            async with serving(LocalServer(tmp_path / "s", echo, OURSELVES)):
                assert await following() == Opened()
                await client.send(b"x")
                assert await following() == Line(b"echo x")
            assert isinstance(await following(), Lost)
        await events.aclose()

    asyncio.run(run())


def test_frames_with_newlines_are_our_own_fault(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no newline"):
        request(tmp_path / "s", b"a\nb", 1)
