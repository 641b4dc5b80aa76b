"""The codebook at a terminal: upward only, kept, its names shown, its codes asked for."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from agent.codebook import META, Codes
from agent.core import codes
from agent.core.answers import CrewRefused
from agent.state_view import view
from protocol import codebook, device
from protocol.cbor import MESSAGE_BYTES_MAX
from protocol.codebook_shipped import shipped, shipped_text
from protocol.entry import Configured
from protocol.envelope import Kind, seal
from protocol.refusal import Reason, Refused
from runtime.mqtt_types import Message
from tests.agent.bare_terminal import FLEET, World
from tests.agent.centre import order
from tests.agent.order_desk import LOGON, T0, Terminal
from tests.protocol.codebooks import edited


def payload(version: int, fleet: str = FLEET, more: str = "") -> bytes:
    text = edited(("version = 1\n", f"version = {version}\n"), text=shipped_text()) + more
    return codebook.encode(codebook.document(fleet, text, T0))


async def refused(held: Codes, data: bytes) -> Reason:
    with pytest.raises(Refused) as caught:
        await held.take(data)
    return caught.value.reason


def test_only_a_higher_one_is_taken_and_it_holds_after_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        held = Codes(world.terminal, world.seals, None)
        assert (held.book, world.seals.codebook_version) == (None, 0)
        await held.take(payload(4))
        await held.take(payload(4))  # the same again, as the centre repeats it
        assert await refused(held, payload(3)) is Reason.STALE_VERSION
        assert await refused(held, payload(4, more="# other\n")) is Reason.STALE_VERSION
        assert await refused(held, payload(9, fleet="yy")) is Reason.WRONG_ROLE
        assert await refused(held, payload(9)[:-1]) is Reason.MALFORMED
        assert await world.bodies(Configured) == [Configured("codebook", 4)]
        row = world.logbook.load_now().meta[META]
        world.store.close()
        world = World(tmp_path, world)
        held = Codes(world.terminal, world.seals, row)
        assert held.book is not None
        assert (held.book.version, world.seals.codebook_version) == (4, 4)
        assert await refused(held, payload(2)) is Reason.STALE_VERSION
        world.store.close()

    asyncio.run(scenario())


def test_a_kept_one_that_cannot_be_read_is_asked_for_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        held = Codes(world.terminal, world.seals, b"\x80")
        assert (held.book, world.seals.codebook_version) == (None, 0)
        await held.take(payload(1))
        assert world.seals.codebook_version == 1
        world.store.close()

    asyncio.run(scenario())


def test_it_comes_by_the_order_topic_and_nothing_else_may_be_so_large(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World(tmp_path)
        held = Codes(world.terminal, world.seals, None)
        world.uplink.handlers = {Kind.CODEBOOK: held.take}
        sealed = seal(Kind.CODEBOOK, FLEET, b"", payload(2), world.role_key)
        assert len(sealed) > 8 * MESSAGE_BYTES_MAX
        await world.uplink._message(Message(world.topic, sealed, 1, False, False, 1, 1))
        assert world.seals.codebook_version == 2
        large = seal(Kind.DISPATCH, world.topic, world.enrolment, payload(3), world.role_key)
        with pytest.raises(Refused) as caught:
            world.seals.open(large, None)
        assert caught.value.reason is Reason.TOO_LARGE
        other = seal(Kind.CODEBOOK, "yy", b"", payload(3, "yy"), world.role_key)
        with pytest.raises(Refused) as caught:
            world.seals.open(other, None)
        assert caught.value.reason is Reason.BAD_SEAL
        assert world.link.released == [1]
        world.store.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (device.Answer(order="o-1", answer="clear", disposition="handeld"), "handled, report_"),
        (device.Answer(order="o-1", answer="decline", reason="tired"), "other, engaged, too_far"),
        (device.SetStatus(status="busy", reason="lunch"), "fuel, meal"),
        (device.Reply(message="m-1", code="okay"), "received"),
    ],
    ids=["disposition", "reason", "status", "reply"],
)  # fmt: skip
def test_a_code_that_is_none_is_refused_with_the_list(command: BaseModel, says: str) -> None:
    with pytest.raises(CrewRefused) as caught:
        codes.check(shipped(), command)
    assert "is not in the codebook" in caught.value.reason
    assert says in caught.value.remedy
    codes.check(None, command)  # without a codebook nobody can tell


@pytest.mark.parametrize("reason", ["silent", "traffic_stop", "report_taken", "meal", None])
def test_a_status_has_a_reason_a_kind_or_an_end(reason: str | None) -> None:
    codes.check(shipped(), device.SetStatus(status="busy", reason=reason))


def test_the_screen_gets_names_beside_the_codes_and_the_line_stays_short() -> None:
    t = Terminal()
    for n in range(60):
        t.take(
            order(
                f"o-{n}",
                LOGON,
                issued_ms=T0 + n,
                hazards=("knife", "unheard_of"),
                incident_kind="theft",
            )
        )
    state = view(
        t.state, terminal="zz/car-1", is_up=True, welcomed=True, waiting_entries=0, fix=None,
        refused={}, store={}, book=shipped(),
    )  # fmt: skip
    (first, *_) = state.orders
    assert (first["incident_kind"], first["incident_kind_zh"]) == ("theft", "盗窃、扒窃")
    assert first["hazards_zh"] == ["刀具", "unheard_of"]
    assert first["hazards_en"] == ["Knife", "unheard_of"]
    assert len(json.dumps(state.model_dump(), ensure_ascii=False).encode()) < 16_384
