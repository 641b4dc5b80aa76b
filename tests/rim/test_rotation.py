"""Every role key rotates while the fleet works: nothing is lost, nothing refused, no restart."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest

from authority.office import Office
from protocol.identities import Role, open_trust
from tests.authority.fleet import FLEET, real_now_ms
from tests.rim.daemon import until
from tests.rim.work import Work, nothing_refused
from tests.rim.world import DESK, World

pytestmark = [pytest.mark.xdist_group("rim-rotation"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World("611", "612") as world:
        world.start()
        world.log_on()
        yield world


def rotate(world: World, *roles: Role, overlap_hours: int = 24) -> int:
    """The authority's act; its folder is the centre's here. The new trust document's version."""
    with Office.open(world.fleet.authority) as office:
        office.rotate(real_now_ms(), roles=roles, overlap_hours=overlap_hours)
        office.save(real_now_ms())
        return office.book.trust.version


def all_know(world: World, version: int) -> None:
    for terminal in world.terminals.values():
        terminal.agent.wait_for(rf"event=trust version={version}\b")
    kept = world.keys(DESK) / "trust.cbor"
    until(
        lambda: open_trust(kept.read_bytes(), FLEET, world.fleet.root).version >= version,
        "the desk's tool has the trust document",
    )


@pytest.mark.parametrize("role", Role, ids=[role.value for role in Role])
def test_a_role_key_rotates_under_load(world: World, role: Role) -> None:
    with Work(world) as work:
        work.more()
        mark = world.matcher.mark
        version = rotate(world, role)
        all_know(world, version)
        if role in {Role.DISPATCH, Role.RECEIPT}:
            world.matcher.wait_for(f"event=role_key role={role}", after=mark)
        work.more(2)
    nothing_refused(world)
    assert world.matcher.count("event=ready") == 1
    assert all(one.agent.count("event=ready") == 1 for one in world.terminals.values())


def test_all_keys_at_once_and_the_old_ones_end(world: World) -> None:
    """Overlap 0, as after a theft: what the old keys seal from now on is believed by nobody."""
    with Work(world) as work:
        work.more()
        mark = world.matcher.mark
        version = rotate(world, overlap_hours=0)
        all_know(world, version)
        for role in (Role.DISPATCH, Role.RECEIPT):
            world.matcher.wait_for(f"event=role_key role={role}", after=mark)
        work.more(2)
    nothing_refused(world)
    trust, now_ms = world.fleet.trust(), real_now_ms()
    for role in Role:
        keys = [key for key in trust.role_keys if key.role is role]
        assert [key.not_after_ms > now_ms for key in keys] == [False] * (len(keys) - 1) + [True]


def server_certificate(world: World) -> bytes:
    """What the broker shows to a new connection."""
    keys = world.keys(DESK)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(keys / "root.pem")
    context.load_cert_chain(keys / "tls.pem", keys / "tls.key")
    place = ("127.0.0.1", world.broker.port)
    with (
        socket.create_connection(place, 5) as plain,
        context.wrap_socket(plain, server_hostname=place[0]) as tls,
    ):
        shown = tls.getpeercert(binary_form=True)
    assert shown is not None
    return shown


def test_the_brokers_certificate_rotates_and_cuts_nobody_off(world: World) -> None:
    """By SIGHUP, as the packaged mosquitto takes it."""
    before = server_certificate(world)
    connects = [one.agent.count("event=mqtt_connected") for one in world.terminals.values()]
    with Work(world) as work:
        work.more()
        rotate(world)
        world.broker.reload()
        until(lambda: server_certificate(world) != before, "new server certificate")
        work.more(2)
    now = ssl.DER_cert_to_PEM_cert(server_certificate(world)).strip()
    assert now == (world.fleet.authority / "broker" / "server.pem").read_text().strip()
    assert [one.agent.count("event=mqtt_connected") for one in world.terminals.values()] == connects
    nothing_refused(world)


def test_a_terminal_that_was_away_learns_it_at_its_birth(world: World) -> None:
    terminal = world.terminals["612"]
    assert terminal.agent.stop() == 0
    version = rotate(world, Role.DISPATCH, Role.RECEIPT)
    until(lambda: world.matcher.count("event=role_key role=receipt") >= 3, "keys in use")
    mark = terminal.agent.mark
    terminal.start()
    terminal.agent.wait_for(rf"event=trust version={version}\b", after=mark)
    terminal.agent.wait_for("event=welcomed", after=mark)
    assert terminal.agent.count("event=refused") == 0


def test_a_manager_that_was_away_takes_the_retained_document(world: World) -> None:
    """And never one that is older than its own."""
    version = world.fleet.trust().version
    kept = world.keys(DESK) / "trust.cbor"
    until(
        lambda: open_trust(kept.read_bytes(), FLEET, world.fleet.root).version == version,
        "newest trust",
    )


def test_the_journal_is_whole_after_all_of_it(world: World) -> None:
    world.ask_journal("verify")
