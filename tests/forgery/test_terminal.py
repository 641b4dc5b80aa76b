"""Terminals and managers' tools believe nothing altered, moved or wrongly sealed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from manager.seals import Seals
from protocol import envelope
from protocol.envelope import Kind
from protocol.refusal import Refused
from runtime.clock import ManualClock
from tests.authority.fleet import FLEET
from tests.forgery.crafted import flips, forms, resealed, with_kid_of
from tests.forgery.in_hand import TerminalInHand
from tests.forgery.material import real, to_terminals
from tests.forgery.recording import CLERK, EVIL, UNITS, Recording
from tests.rim.world import DESK

pytestmark = [pytest.mark.xdist_group("forgery"), pytest.mark.timeout(600)]


def terminal_refuses(
    recording: Recording, unit: str, folder: Path, clock: ManualClock, crafted: Iterable[bytes]
) -> Counter[str]:
    async def feed() -> Counter[str]:
        name = f"t-{unit}"
        terminal = TerminalInHand(
            recording.store(unit), recording.world.keys(name), name, folder, clock,
            recording.enrolment(name),
        )  # fmt: skip
        running = asyncio.create_task(terminal.uplink.run())
        before, said = terminal.marks(), 0
        for payload in crafted:
            terminal.hear(terminal.seals.order_topic, payload)
            said += 1
        async with asyncio.timeout(300):
            while terminal.heard < said:  # noqa: ASYNC110 - released by the loop's own turns
                await asyncio.sleep(0.01)
        assert terminal.refused.total() == said
        assert terminal.marks() == before
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        terminal.close()
        return terminal.refused

    return asyncio.run(feed())


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("how", ["flips", "forms"])
def test_a_terminal_believes_no_altered_message(
    recording: Recording, clock: ManualClock, tmp_path: Path, unit: str, how: str
) -> None:
    make: Callable[[bytes], Iterator[bytes]] = flips if how == "flips" else forms
    topic = recording.terminal(unit, "order")
    crafted = (one for at, m in to_terminals(recording) if at == topic for one in make(m))
    terminal_refuses(recording, unit, tmp_path / unit, clock, crafted)


@pytest.mark.parametrize("unit", UNITS)
def test_a_terminal_believes_no_other_key_role_or_terminal(
    recording: Recording, clock: ManualClock, tmp_path: Path, unit: str
) -> None:
    terminal_refuses(recording, unit, tmp_path / unit, clock, list(_wrong_orders(recording, unit)))


def _wrong_orders(recording: Recording, unit: str) -> Iterator[bytes]:
    topic, enrolment = recording.terminal(unit, "order"), recording.enrolment(f"t-{unit}")
    keys = [recording.seal_key(name) for name in (f"t-{EVIL}", f"t-{unit}", DESK)]
    dispatch, receipt = recording.role_key("dispatch"), recording.role_key("receipt")
    yield from (message for _, message in real(recording))
    for at, message in to_terminals(recording):
        if at != topic:
            yield message  # the other terminal's
            continue
        kind = envelope.peek(message)[0]
        right = receipt if kind is Kind.RECEIPT else dispatch
        wrong = dispatch if kind is Kind.RECEIPT else receipt
        for key in (*keys, wrong):
            if kind is Kind.TRUST:
                continue
            forged = resealed(message, topic, enrolment, key, kind)
            yield forged
            yield with_kid_of(forged, message)
        if kind is not Kind.TRUST:
            yield resealed(message, topic, bytes(16), right, kind)
            yield resealed(message, topic, recording.enrolment(f"t-{EVIL}"), right, kind)


def test_a_managers_tool_believes_no_altered_reply(recording: Recording) -> None:
    for manager in (DESK, CLERK):
        seals = Seals.load(recording.world.keys(manager), FLEET, manager)
        replies = recording.of(recording.reply(manager))[:2]
        assert replies
        for reply in replies:
            seals.open_reply(reply, recording.now_ms)
            for crafted in (*flips(reply), *forms(reply)):
                with pytest.raises(Refused) as refusal:
                    seals.open_reply(crafted, recording.now_ms)
                assert refusal.value.reason
