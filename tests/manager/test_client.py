"""A manager's requests over a real broker: repeated until answered, believed only when sealed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from authority.office import Office
from manager import build, request
from manager.client import ManagerClient, NoReply, fleet_topics
from protocol import topics
from protocol.keys import SealKey
from protocol.request import Common
from runtime.faults import ConfigFault
from runtime.key_files import load_private
from tests.authority.fleet import FLEET, Fleet, real_now_ms
from tests.broker import Broker
from tests.manager.centre import MANAGER, Centre, centre_at, manager_settings, says_done

DEADLINE_S = 20.0


def flipped(message: bytes) -> bytes:
    """One bit of the signature's end: never the same bytes again."""
    return message[:-1] + bytes([message[-1] ^ 1])


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    made = Fleet(tmp_path_factory.mktemp("fleet"), real_now_ms())
    made.enrol_manager(MANAGER)
    return made


@pytest.fixture(scope="module")
def broker(fleet: Fleet) -> Iterator[Broker]:
    with fleet.broker() as broker:
        yield broker


@pytest.fixture
def keys(fleet: Fleet) -> Path:
    return fleet.path / MANAGER


def hold(request_id: str = "request-1", life_s: int = 20) -> Common:
    return build.build("hold", {"unit": "car-07", "on": True}, request_id, real_now_ms(), life_s)


def run(work: Callable[[], Any]) -> Any:
    """Run an async test, at most DEADLINE_S."""

    async def limited() -> Any:
        async with asyncio.timeout(DEADLINE_S):
            return await work()

    return asyncio.run(limited())


def test_a_request_gets_its_reply(fleet: Fleet, broker: Broker, keys: Path) -> None:
    async def work() -> None:
        async with (
            centre_at(fleet, broker, keys, says_done) as centre,
            ManagerClient(manager_settings(keys, broker.port)) as client,
        ):
            reply = await client.request(hold())
            assert (reply.outcome, reply.incident, reply.verb) == ("done", "17", "hold")
            assert [topic for topic, _ in centre.seen] == [topics.request(FLEET, MANAGER, "hold")]

    run(work)


def test_many_requests_share_one_connection(fleet: Fleet, broker: Broker, keys: Path) -> None:
    async def work() -> None:
        async with (
            centre_at(fleet, broker, keys, says_done),
            ManagerClient(manager_settings(keys, broker.port)) as client,
        ):
            asked = [hold(f"request-{n}") for n in range(50)]
            replies = await asyncio.gather(*(client.request(one) for one in asked))
            assert [one.request_id for one in replies] == [one.request_id for one in asked]

    run(work)


def test_the_same_bytes_are_repeated_until_the_reply(
    fleet: Fleet, broker: Broker, keys: Path
) -> None:
    def second_time(centre: Centre, asked: Common, count: int) -> list[bytes]:
        return says_done(centre, asked, count) if count >= 2 else []

    async def work() -> None:
        async with (
            centre_at(fleet, broker, keys, second_time) as centre,
            ManagerClient(manager_settings(keys, broker.port)) as client,
        ):
            await client.request(hold())
            assert len(centre.seen) == 2
            assert len(set(centre.seen)) == 1

    run(work)


def test_a_broker_that_was_away_costs_only_time(fleet: Fleet, keys: Path) -> None:
    async def work(broker: Broker) -> None:
        async with ManagerClient(manager_settings(keys, broker.port)) as client:
            await client.connected()
            await asyncio.to_thread(broker.kill)
            pending = asyncio.create_task(client.request(hold()))
            await asyncio.to_thread(broker.start)
            async with centre_at(fleet, broker, keys, says_done):
                assert (await pending).outcome == "done"

    with fleet.broker() as broker:
        run(lambda: work(broker))


def forged(kind: str, fleet: Fleet) -> Callable[[Centre, Common, int], list[bytes]]:
    """A false reply first, the true one after it."""

    def answer(centre: Centre, asked: Common, count: int) -> list[bytes]:
        false = centre.reply(asked, outcome="refused", reason="forged")
        own = SealKey(load_private(fleet.path / MANAGER / "seal.key"))
        receipt = SealKey(load_private(fleet.centre / "receipt.key"))
        made: dict[str, Callable[[], bytes]] = {
            "own key": lambda: centre.sealed(false, key=own),
            "other role": lambda: centre.sealed(false, key=receipt),
            "other enrolment": lambda: centre.sealed(false, enrolment=bytes(16)),
            "altered": lambda: flipped(centre.sealed(false)),
            "plain": lambda: b'{"outcome":"refused"}',
            "unasked": lambda: centre.sealed(false.model_copy(update={"request_id": "other-one"})),
        }
        message = made[kind]()
        return [message, *says_done(centre, asked, count)]

    return answer


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("own key", "unknown_key"),
        ("other role", "unknown_key"),
        ("other enrolment", "bad_seal"),
        ("altered", "bad_seal"),
        ("plain", "malformed"),
        ("unasked", "unasked"),
    ],
)
def test_a_reply_is_believed_only_when_the_centre_sealed_it_for_us(
    fleet: Fleet, broker: Broker, keys: Path, kind: str, reason: str
) -> None:
    async def work() -> None:
        async with (
            centre_at(fleet, broker, keys, forged(kind, fleet)),
            ManagerClient(manager_settings(keys, broker.port)) as client,
        ):
            assert (await client.request(hold())).outcome == "done"
            assert client.counters == {reason: 1}

    run(work)


def test_no_reply_is_said_so(broker: Broker, keys: Path) -> None:
    async def work() -> None:
        async with ManagerClient(manager_settings(keys, broker.port)) as client:
            with pytest.raises(NoReply, match="no reply from the centre"):
                await client.request(hold(life_s=1))
            with pytest.raises(ValueError, match="waits already"):
                await asyncio.gather(client.request(hold()), client.request(hold()))

    run(work)


def test_rotated_role_keys_are_taken_from_the_folder(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, real_now_ms())
    keys = fleet.enrol_manager(MANAGER)

    async def work(broker: Broker) -> None:
        async with ManagerClient(manager_settings(keys, broker.port)) as client:
            with Office.open(fleet.authority) as office:
                office.rotate(fleet.now_ms)
                office.save(fleet.now_ms)
            (keys / "trust.cbor").write_bytes((fleet.centre / "trust.cbor").read_bytes())
            async with centre_at(fleet, broker, keys, says_done):
                assert (await client.request(hold())).outcome == "done"

    with fleet.broker() as broker:
        run(lambda: work(broker))


def test_watched_topics_come_as_they_are(fleet: Fleet, broker: Broker, keys: Path) -> None:
    async def work() -> None:
        settings = manager_settings(keys, broker.port)
        async with (
            centre_at(fleet, broker, keys, says_done) as centre,
            ManagerClient(settings, watch=fleet_topics(FLEET)) as client,
        ):
            await client.connected()
            centre.link.publish(topics.unit(FLEET, "car-07"), b"{}", retain=False)
            centre.link.publish(topics.alert(FLEET, "sos"), b"[]", qos=1)
            updates = client.updates()
            got = {update.topic: update.payload for update in [await anext(updates) for _ in "12"]}
            assert got == {topics.unit(FLEET, "car-07"): b"{}", topics.alert(FLEET, "sos"): b"[]"}

    run(work)


def test_keys_of_another_are_refused_at_the_start(fleet: Fleet, keys: Path) -> None:
    settings = manager_settings(keys, 1).model_copy(update={"name": "d08"})
    with pytest.raises(ConfigFault, match="is somebody else's"):
        ManagerClient(settings)
    (keys / "seal.key").chmod(0o644)
    try:
        with pytest.raises(ConfigFault, match="chmod 600"):
            ManagerClient(manager_settings(keys, 1))
    finally:
        (keys / "seal.key").chmod(0o600)


@pytest.fixture
def config(keys: Path, broker: Broker, tmp_path: Path) -> str:
    path = tmp_path / "manager.toml"
    text = f'fleet = "{FLEET}"\nname = "{MANAGER}"\n[broker]\nport = {broker.port}\n'
    path.write_text(text + f'[keys]\nfolder = "{keys}"\n')
    return str(path)


REPORT = ("report", "--kind", "theft", "--priority", "1", "--lat", "24.5", "--lon", "117.6")


def test_the_command_prints_the_reply(
    fleet: Fleet, broker: Broker, keys: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses(centre: Centre, asked: Common, _count: int) -> list[bytes]:
        return [centre.sealed(centre.reply(asked, outcome="refused", reason="no_such_unit"))]

    async def work() -> None:
        for answer, arguments, code, text in (
            (says_done, (), 0, "done incident 17\n"),
            (refuses, (), 1, ""),
            (refuses, ("--json",), 1, None),
        ):
            async with centre_at(fleet, broker, keys, answer):
                line = [*REPORT, "--config", config, *arguments]
                assert await asyncio.to_thread(request.main, line) == code
            printed = capsys.readouterr()
            if text is None:
                assert json.loads(printed.out)["reason"] == "no_such_unit"
            else:
                assert printed.out == text
                assert ("no_such_unit" in printed.err) == (code == 1)

    run(work)


def test_the_command_without_a_centre_fails_in_time(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert request.main([*REPORT, "--config", config, "--expires-s", "1"]) == 1
    assert "no reply came" in capsys.readouterr().err


def test_watching_ends_by_itself(config: str) -> None:
    assert request.main(["watch", "--seconds", "0.3", "--config", config]) == 0


def test_bad_files_and_options_are_one_line(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        [*REPORT, "--config", str(tmp_path / "none.toml")],
        [*REPORT, "--lat", "95", "--config", config],
        [*REPORT, "--expires-s", "90", "--config", config],
        ["assign", "Inc 1", "car-07", "--config", config],
    ):
        assert request.main(arguments) == 1
        printed = capsys.readouterr()
        assert printed.err.startswith("outrider request: ")
        assert printed.err.count("\n") == 1
    with pytest.raises(SystemExit) as caught:
        request.main(["promote", "--config", config])
    assert caught.value.code == 2
