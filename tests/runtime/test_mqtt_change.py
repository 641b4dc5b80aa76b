"""Another connection on request: politely, at once, and back again where it leads nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.faults import ConfigFault
from runtime.mqtt_types import ConnectFailed, LinkReason, Will
from tests.broker import free_port
from tests.runtime.links import World, make_world, run


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("change"))
    try:
        yield made
    finally:
        made.broker.kill()


def test_no_will_is_sent_and_no_delay_is_made(world: World) -> None:
    will = Will(topic="gone/asks", payload=b"gone")

    async def test() -> None:
        async with (
            world.peer("watcher", "gone/asks", "said/asks") as watcher,
            world.peer(
                "asks", make_will=lambda _: will, backoff_base_s=60.0, backoff_cap_s=60.0
            ) as one,
        ):
            await watcher.connected()
            first = await one.connected()
            one.link.publish("said/asks", b"before", qos=1)
            one.link.reconnect()
            assert (await one.disconnected()).reason is LinkReason.RENEWED
            again = await one.connected()
            assert again.connection == first.connection + 1
            one.link.publish("said/asks", b"after", qos=1)
            heard = [message.payload for message in await watcher.messages(2)]
            assert heard == [b"before", b"after"]

    run(test())


def test_to_another_address_and_back(world: World) -> None:
    """A change cuts a waiting delay short: whoever went wrong is soon back."""

    async def test() -> None:
        async with world.peer("moves", backoff_base_s=30.0, backoff_cap_s=60.0) as one:
            await one.connected()
            one.link.reconnect(world.settings("moves", port=free_port(), backoff_base_s=60.0,
                                              backoff_cap_s=60.0))  # fmt: skip
            assert (await one.disconnected()).reason is LinkReason.RENEWED
            failed = await one.next(ConnectFailed)
            assert failed.reason is LinkReason.UNREACHABLE
            one.link.reconnect(world.settings("moves"))
            await one.connected()

    run(test())


def test_files_that_cannot_be_used_change_nothing(world: World, tmp_path: Path) -> None:
    async def test() -> None:
        async with world.peer("stays") as one:
            await one.connected()
            with pytest.raises(ConfigFault):
                one.link.reconnect(world.settings("stays", cert_file=tmp_path / "none.pem"))
            assert one.link.is_connected

    run(test())
