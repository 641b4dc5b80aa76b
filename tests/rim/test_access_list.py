"""Who may say and hear what, tried by delivery: the generated list in a real broker.

A SUBACK proves nothing, since mosquitto grants what it will never deliver. So every identity says a
message on every topic and one that may hear all listens; then the other way round. What the table
of the wire contract allows is written here once more, by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from authority import ceremony
from authority.acts import Invitee
from authority.office import Office
from matcher.core.access_list import access_list, name_of
from protocol.identities import IdentityKind
from tests.authority.fleet import FLEET, BrokerKeys, Fleet, real_now_ms
from tests.broker import Broker
from tests.rim.access_table import (
    ANEW,
    EAR,
    EVERYBODY,
    GATEWAY,
    MANAGERS,
    MATCHER,
    REVOKED,
    ROOT,
    TERMINALS,
    allowed,
    may,
    topics_tried,
)
from tests.rim.daemon import until
from tests.rim.raw_peer import Peer

pytestmark = [pytest.mark.xdist_group("rim-access-list"), pytest.mark.timeout(60)]

PAIRS_MIN, STOLEN_MIN = 2_000, 500


@dataclass(frozen=True, slots=True)
class Guarded:
    """The broker with its list, and everybody's certificate by name."""

    broker: Broker
    root: Path
    pairs: dict[str, Path]
    list_name: str

    def peer(self, name: str, will: tuple[str, bytes] | None = None) -> Peer:
        return Peer(self.broker.port, self.root, self.pairs[name], will=will)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    made = Fleet(tmp_path_factory.mktemp("access"), real_now_ms())
    members = [Invitee(name, IdentityKind.TERMINAL) for name in (*TERMINALS, EAR, REVOKED, ANEW)]
    members += [
        Invitee(name, IdentityKind.MANAGER, f"person of {name}", roles)
        for name, roles in MANAGERS.items()
    ]
    members.append(Invitee(GATEWAY, IdentityKind.GATEWAY))
    ceremony.enrol_all(
        made.authority, [ceremony.Member(one, made.path / one.device) for one in members],
        made.now_ms,
    )  # fmt: skip
    ceremony.enrol_directly(
        made.authority, ANEW, IdentityKind.TERMINAL, made.path / "anew-2", made.now_ms
    )
    with Office.open(made.authority) as office:
        office.revoke(REVOKED, made.now_ms)
        office.save(made.now_ms)
    return made


@pytest.fixture(scope="module")
def world(fleet: Fleet) -> Iterator[Guarded]:
    text = access_list(fleet.identities())
    name = name_of(text)
    assert name is not None
    keys = BrokerKeys(fleet.authority / "broker")
    options = (f"crlfile {keys.folder / 'crl.pem'}", "sys_interval 1")
    ear = f"user {FLEET}.{EAR}\ntopic readwrite #\ntopic read $SYS/#\n"
    broker = Broker(fleet.path / "mosquitto", keys, acl=text + "\n" + ear, options=options)
    pairs = {one: fleet.path / one / "tls" for one in (*TERMINALS, EAR, *MANAGERS, GATEWAY)}
    pairs |= {
        MATCHER: fleet.centre / "tls", ANEW: fleet.path / "anew-2" / "tls",
        REVOKED: fleet.centre / "takeover" / REVOKED,  # its own certificate gets no connection
    }  # fmt: skip
    with broker:
        yield Guarded(broker, fleet.centre / "root.pem", pairs, name)


def test_every_pair_of_identity_and_topic(world: Guarded) -> None:
    topics = topics_tried(world.list_name)
    assert len(set(topics)) == len(topics)
    pairs = 0
    with world.peer(EAR) as ear:
        ear.listen("#")
        for name in EVERYBODY:
            say, hear = may(name, world.list_name)
            with world.peer(name) as peer:
                peer.listen("#")
                peer.say(topics, f"{name} says".encode())
                peer.barrier()
                assert ear.topics_heard(f"{name} says".encode()) == allowed(say, topics), name
                ear.say(topics, f"to {name}".encode())
                ear.barrier()
                assert peer.topics_heard(f"to {name}".encode()) == allowed(hear, topics), name
            pairs += 2 * len(topics)
    print(f"\n{pairs} pairs of identity and topic tried by delivery")  # noqa: T201
    assert pairs >= PAIRS_MIN


@pytest.mark.parametrize(
    "filters",
    [
        ("exact",),
        ("+/+/+/+/+", "+/+/+/+/+/+"),
        (f"{ROOT}/#",),
        ("$share/group/#",),
        ("$share/g/exact",),
    ],
    ids=["exact", "plus", "tree", "shared-tree", "shared-exact"],
)
def test_however_it_subscribes_it_hears_the_same(world: Guarded, filters: tuple[str, ...]) -> None:
    """Every filter is granted by the broker; what comes is what the table says."""
    topics = topics_tried(world.list_name)
    with world.peer(EAR) as ear:
        for name in ("car-1", "desk", REVOKED, MATCHER):
            wanted: list[str] = list(filters)
            if filters[0].endswith("exact"):
                wanted = [filters[0].replace("exact", topic) for topic in topics]
            with world.peer(name) as peer:
                peer.listen(*wanted)
                ear.say(topics, f"{name} {filters[0]}".encode())
                ear.barrier()
                heard = peer.topics_heard(f"{name} {filters[0]}".encode())
                expected = allowed(may(name, world.list_name)[1], topics)
                if "+" in filters[0]:
                    expected = {one for one in expected if one.count("/") in (4, 5)}
                assert heard == expected, name


def test_retained_messages_are_as_closed_as_others(world: Guarded) -> None:
    """Found by whoever comes later; and nobody can leave one where it may not speak."""
    topics = topics_tried(world.list_name)
    with world.peer(EAR) as ear:
        ear.say(topics, b"left here", retain=True)
        ear.barrier()
        for name in ("car-1", "intake", GATEWAY, REVOKED, MATCHER):
            with world.peer(name) as peer:
                peer.listen("#")
                expected = allowed(may(name, world.list_name)[1], topics)
                assert peer.topics_heard(b"left here") == expected, name
        with world.peer("car-2") as thief:
            thief.say(topics, b"", retain=True)  # would take them away
            thief.say(topics, b"planted", retain=True)
            thief.barrier()
        ear.listen("#")
        mine = allowed(may("car-2", world.list_name)[0], topics)
        assert ear.topics_heard(b"planted") == mine
        assert ear.topics_heard(b"left here") == set(topics) - mine
        ear.say(topics, b"", retain=True)
        ear.barrier()


@pytest.mark.parametrize("name", ["car-1", "desk", REVOKED])
def test_a_will_says_no_more_than_its_owner_may(world: Guarded, name: str) -> None:
    own = f"{ROOT}/terminal/{FLEET}/car-1/link"
    topics = [own, f"{ROOT}/terminal/{FLEET}/car-2/link", f"{ROOT}/fleet/{FLEET}/statistics",
              f"{ROOT}/terminal/{FLEET}/car-1/order", f"{ROOT}/fleet/{FLEET}/request/desk/report",
              f"{ROOT}/fleet/{FLEET}/canary/shut", f"{ROOT}/fleet/{FLEET}/alert/sos"]  # fmt: skip
    expected = allowed(may(name, world.list_name)[0], topics)
    with world.peer(EAR) as ear:
        ear.listen("#")
        for topic in topics:
            payload = f"last words of {name}".encode()
            with world.peer(name, will=(topic, payload)):
                pass
        with world.peer(name) as last:  # the one before it has ended by now: same client id
            last.barrier()
        assert ear.topics_heard(payload) == expected


def test_the_brokers_own_topics_are_nobodys(world: Guarded) -> None:
    with world.peer(EAR) as ear, world.peer("chief") as chief, world.peer(MATCHER) as matcher:
        for peer in (ear, chief, matcher):
            peer.listen("$SYS/#", "$SYS/broker/clients/total", "$share/g/$SYS/#", "$CONTROL/#")

        def figures() -> bool:
            ear.barrier()
            return bool(ear.heard)

        until(figures, "the broker's figures")
        for peer in (chief, matcher):
            peer.barrier()
            assert not peer.heard


@pytest.mark.parametrize("version", [5, 4], ids=["mqtt5", "mqtt311"])
def test_a_borrowed_client_id_disturbs_nobody(world: Guarded, version: int) -> None:
    """The certificate's name is the client id, whatever the client says it is."""
    topic = f"{ROOT}/terminal/{FLEET}/car-1/order"
    with world.peer("car-1") as owner, world.peer(EAR) as ear:
        owner.listen(topic)
        for name in ("car-2", "desk", REVOKED):
            with Peer(
                world.broker.port, world.root, world.pairs[name], version=version,
                client_id=f"{FLEET}.car-1", user_name=f"{FLEET}.car-1",
            ) as thief:  # fmt: skip
                thief.listen("#")
                payload = f"beside {name}".encode()
                ear.say([topic], payload)
                ear.barrier()
                assert owner.topics_heard(payload) == {topic}, "its session is still there"
                assert not thief.topics_heard(payload)
                thief.say([f"{ROOT}/terminal/{FLEET}/car-1/position"], payload)
                thief.barrier()
                assert not [one for one in ear.heard if one[1] == payload]


def test_stolen_files_of_one_terminal_open_nothing_else(world: Guarded) -> None:
    """As another terminal, a manager or the centre: none of them by its files."""
    topics = [
        topic for topic in topics_tried(world.list_name)
        if not topic.startswith(f"{ROOT}/terminal/{FLEET}/car-1/")
    ]  # fmt: skip
    tried = 0
    with world.peer(EAR) as ear:
        ear.listen("#")
        for version in (5, 4):
            for claim in ("car-1", "car-2", "desk", MATCHER):
                payload = f"{version} {claim}".encode()
                with Peer(
                    world.broker.port, world.root, world.pairs["car-1"], version=version,
                    client_id=f"{FLEET}.{claim}", user_name=f"{FLEET}.{claim}",
                ) as thief:  # fmt: skip
                    thief.listen("#", "$SYS/#", "$share/x/#")
                    thief.say(topics, payload)
                    thief.barrier()
                    ear.say(topics, b"for others")
                    ear.barrier()
                    assert not ear.topics_heard(payload)
                    assert not thief.topics_heard(b"for others")
                tried += 2 * len(topics)
    assert tried >= STOLEN_MIN
