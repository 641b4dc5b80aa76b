"""A manager's tool takes new role keys from the retained topic, upward only."""

from __future__ import annotations

from pathlib import Path

from authority.office import Office
from manager.client import ManagerClient
from protocol import topics
from tests.authority.fleet import FLEET, Fleet, real_now_ms
from tests.broker import Broker
from tests.manager.centre import MANAGER, centre_at, manager_settings, says_done
from tests.manager.test_client import flipped, hold, run


def test_rotated_role_keys_come_over_the_topic_and_are_kept(tmp_path: Path) -> None:
    """A forged, an older and a foreign document change nothing."""
    fleet = Fleet(tmp_path, real_now_ms())
    keys, old = fleet.enrol_manager(MANAGER), (fleet.centre / "trust.cbor").read_bytes()
    other = Fleet(tmp_path / "other", real_now_ms())
    with Office.open(fleet.authority) as office:
        office.rotate(fleet.now_ms, overlap_hours=0)
        office.save(fleet.now_ms)
    new = (fleet.centre / "trust.cbor").read_bytes()

    async def work(broker: Broker) -> None:
        async with (
            centre_at(fleet, broker, keys, says_done) as centre,
            ManagerClient(manager_settings(keys, broker.port)) as client,
        ):
            await client.connected()
            for message in (flipped(new), (other.centre / "trust.cbor").read_bytes(), new, old):
                centre.link.publish(topics.trust(FLEET), message, qos=1)
            assert (await client.request(hold())).outcome == "done"
            assert client.seals.trust.version == 2
            assert client.counters == {"bad_seal": 1, "unknown_key": 1}

    with fleet.broker() as broker:
        run(lambda: work(broker))
    assert (keys / "trust.cbor").read_bytes() == new
