"""The uplink against a real broker and a centre that forgets, forges and keeps silent."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol import dispatch, session
from protocol.dispatch import Numbered
from protocol.entry import Alarm, Configured, Delivered, Logon, Start
from protocol.envelope import Kind
from protocol.identities import Role
from protocol.keys import SealKey
from protocol.session import Welcome
from tests.agent.centre import Centre, order
from tests.agent.conftest import World
from tests.agent.enrolled import now_ms


def logged_on(world: World) -> int:
    """Start the agent and log on; the number of the log-on."""
    world.agent.start()
    number: int = world.agent.crew().ask(type="logon", unit="621", crew=["4711"])["entry"]
    centre = world.centre
    centre.wait(lambda: centre.bodies(Logon) and centre.bodies(Start), "start and log-on")
    return number


def test_what_must_be_refused_is_counted_and_changes_nothing(world: World) -> None:
    centre = world.centre
    forged = dispatch.encode(Numbered(1, 200, order("o-forged", None)))
    centre.send(Kind.DISPATCH, forged, retain=True)
    number = logged_on(world)
    good = centre.dispatch(order("o-1", number))
    centre.wait(lambda: centre.bodies(Delivered), "delivered")
    centre.send(Kind.DISPATCH, forged, key=world.enrolment.roles[Role.RECEIPT])
    centre.send(Kind.DISPATCH, forged, key=SealKey(Ed25519PrivateKey.generate()))
    centre.send_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    centre.send(Kind.BATCH, forged)
    centre.send(Kind.DISPATCH, b"\x83\x01\x02\x03")
    centre.send_bytes(b"\xff" * 5000)
    for step in range(len(good)):
        if step % 16 == 0:
            centre.send_bytes(good[:step])
    centre.term = 0
    centre.dispatch(order("o-2", number))
    crew = world.agent.crew()
    crew.say(type="watch")
    state = crew.until(lambda s: "stale_term" in s["refused"], "last refusal")
    refused = state["refused"]
    assert refused["retained"] == 1
    assert refused["unknown_key"] == 2
    assert refused["bad_seal"] == 1
    assert refused["wrong_kind"] == 1
    assert refused["too_large"] == 1
    assert refused["malformed"] > 10
    assert [one["order"] for one in state["orders"]] == ["o-1"]
    centre.term, centre.counter = 1, 1
    centre.dispatch(order("o-3", number))
    crew.until(lambda s: len(s["orders"]) == 2, "the next good one")


def test_birth_is_repeated_unchanged_until_its_own_welcome(world: World) -> None:
    centre = world.centre
    centre.gives_welcomes = False
    world.agent.start()
    centre.wait(lambda: len(centre.births) >= 3, "three births")
    assert len(set(centre.sealed_births)) == 1
    assert centre.positions, "positions do not wait for the welcome"
    assert not centre.batches, "the logbook does"
    foreign = Welcome(b"\1" * 16, now_ms(), 1, 0, bytes(16), 0, bytes(32), None)
    centre.send(Kind.WELCOME, session.encode(foreign))
    crew = world.agent.crew()
    crew.say(type="watch")
    state = crew.until(lambda s: s["refused"], "refusal")
    assert (state["refused"], state["welcomed"]) == ({"replayed": 1}, False)
    centre.welcome()
    crew.until(lambda s: s["welcomed"], "welcome")
    centre.wait(lambda: centre.bodies(Start), "logbook")


def test_boot_that_the_centre_has_seen_is_raised(world: World) -> None:
    centre = world.centre
    centre.highest_boot = 7
    world.agent.start()
    centre.wait(lambda: [p for p in centre.positions if p.boot == 8], "position of boot 8")
    assert [birth.boot for birth in centre.births][:2] == [1, 8]
    world.agent.kill()
    world.agent.start()
    centre.wait(lambda: [p for p in centre.positions if p.boot == 9], "position of boot 9")


def test_reconnect_in_one_boot_keeps_it(world: World) -> None:
    logged_on(world)
    before = len(world.centre.births)
    world.broker.kill()
    world.broker.start()
    world.centre.wait(lambda: len(world.centre.births) > before, "birth after the cut")
    assert {birth.boot for birth in world.centre.births} == {1}
    assert world.centre.births[-1].connection == 2


def forget(centre: Centre) -> None:
    centre.entries.clear()
    centre.heads.clear()


def test_centre_that_has_lost_receipted_entries_gets_them_again(world: World) -> None:
    centre = world.centre
    logged_on(world)
    held = {n for book in centre.entries.values() for n in book}
    assert 1 in held
    world.broker.kill()
    forget(centre)
    world.broker.start()
    centre.wait(lambda: centre.bodies(Start) and centre.bodies(Logon), "entries again")


def test_batches_are_repeated_byte_for_byte_until_their_receipt(world: World) -> None:
    centre = world.centre
    centre.gives_receipts = False
    world.agent.start()
    again = lambda: [b for b in set(centre.batches) if centre.batches.count(b) >= 2]  # noqa: E731
    centre.wait(again, "repeated batch")
    crew = world.agent.crew()
    crew.ask(type="logon", unit="621", crew=["4711"])
    assert crew.ask(type="status")["waiting_entries"] >= 2
    centre.gives_receipts = True
    crew.say(type="watch")
    crew.until(lambda s: s["waiting_entries"] == 0, "all receipted", timeout_s=15)
    (book,) = centre.entries.values()
    assert sorted(book) == list(range(1, len(book) + 1))


def test_receipt_unlike_the_own_chain_begins_a_new_logbook(world: World) -> None:
    centre = world.centre
    logged_on(world)
    old = centre.births[-1].logbook
    world.broker.kill()
    n, _ = centre.contiguous(old)
    centre.heads[old][n] = b"\x99" * 32
    world.broker.start()
    centre.wait(lambda: len(centre.entries) == 2, "new logbook")
    new = next(book for book in centre.entries if book != old)
    centre.wait(lambda: 2 in centre.entries[new], "its first entries")
    start, alarm = centre.entries[new][1].body, centre.entries[new][2].body
    assert isinstance(start, Start)
    assert start.old_logbook == old
    assert isinstance(alarm, Alarm)
    assert alarm.code == "logbook_renewed"
    world.agent.kill()
    world.agent.start()
    centre.wait(lambda: centre.births[-1].boot == 2, "birth of boot 2")
    assert centre.births[-1].logbook == new


def test_order_before_the_welcome_waits_for_trusted_time(world: World) -> None:
    centre, agent = world.centre, world.agent
    agent.tables["clock"] = 'system = "rtc"'
    agent.tables["gnss"] = 'port = "/dev/does-not-exist"'
    logged_on(world)
    centre.gives_welcomes = False
    agent.kill()
    agent.start()
    number = agent.crew().ask(type="status")["logon"]
    centre.wait(lambda: centre.births[-1].boot == 2, "birth")
    centre.dispatch(order("o-1", number))
    crew = agent.crew()
    crew.say(type="watch")
    centre.dispatch(order("o-late", number, expires_ms=now_ms() - 1))
    assert not crew.hear()["orders"]
    centre.welcome()
    shown = crew.until(lambda s: s["orders"], "order after the welcome")
    assert [one["order"] for one in shown["orders"]] == ["o-1"]
    centre.wait(lambda: len(centre.bodies(Delivered)) == 4, "four delivered entries")
    outcomes = [(one.order, one.outcome) for one in centre.bodies(Delivered)]
    assert outcomes == [
        ("o-1", "kept"), ("o-late", "kept"), ("o-1", "shown"), ("o-late", "expired"),
    ]  # fmt: skip


def test_trust_document_changes_the_role_keys_and_never_goes_back(world: World) -> None:
    centre, enrolment = world.centre, world.enrolment
    number = logged_on(world)
    old_key = enrolment.roles[Role.DISPATCH]
    first = enrolment.trust_document(1)
    enrolment.roles[Role.DISPATCH] = SealKey(Ed25519PrivateKey.generate())
    second = enrolment.trust_document(2)
    centre.send_bytes(second)
    centre.send_bytes(second)
    centre.wait(lambda: centre.bodies(Configured), "configured entry")
    centre.send_bytes(first)
    payload = dispatch.encode(Numbered(1, 100, order("o-old", number)))
    centre.send(Kind.DISPATCH, payload, key=old_key)
    centre.dispatch(order("o-new", number))
    crew = world.agent.crew()
    crew.say(type="watch")
    state = crew.until(lambda s: s["orders"], "order by the new key")
    assert state["refused"] == {"stale_version": 1, "unknown_key": 1}
    assert [(one.kind, one.version) for one in centre.bodies(Configured)] == [("trust", 2)]
    world.agent.kill()
    world.agent.start()
    centre.wait(lambda: centre.births[-1].boot == 2, "birth")
    assert centre.births[-1].versions.trust == 2
