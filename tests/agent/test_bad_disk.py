"""A card that stalls, and one whose sync fails: nothing acknowledged is lost, nobody waits for it
but who needs it kept. strace delays or fails the sync calls of the agent's process.
"""

from __future__ import annotations

import shutil
import time

import pytest

from protocol.entry import Health, Logon, Start
from tests.agent.centre import Centre
from tests.agent.conftest import World

STALL_S = 1.5
PROMPT_S = 1.0  # a status is answered from memory; generous for a machine under load


def strace(inject: str) -> list[str]:
    """A command that runs another with `inject` on its syncs; skips where there is none."""
    program = shutil.which("strace")
    if program is None:
        pytest.skip("needs strace")
    return [program, "-f", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e",
            f"inject=fdatasync,fsync:{inject}"]  # fmt: skip


def slowest_ms(centre: Centre) -> list[int]:
    return [dict(one.figures)["slowest_commit_ms"] for one in centre.bodies(Health)]


def test_a_card_that_stalls_delays_only_what_must_be_kept(world: World) -> None:
    agent, centre = world.agent, world.centre
    agent.under = strace(f"delay_enter={round(STALL_S * 1e6)}:when=20+")
    agent.tables["health"] = "interval_s = 10"
    agent.start()
    crew, other = agent.crew(), agent.crew()
    crew.ask(type="logon", unit="621", crew=["4711"])
    for _ in range(20):
        began_s = time.monotonic()
        crew.ask(type="set_status", status="available")
        if time.monotonic() - began_s > STALL_S / 2:
            break
    else:
        pytest.fail("its syncs never stalled")
    crew.say(type="set_status", status="busy")
    slowest_s, at = 0.0, len(centre.positions)
    for _ in range(10):
        began_s = time.monotonic()
        other.ask(type="status")
        slowest_s = max(slowest_s, time.monotonic() - began_s)
    assert slowest_s < PROMPT_S, "the screen waits for no disk"
    assert crew.hear()["type"] == "done", "kept, only later"
    centre.wait(lambda: len(centre.positions) > at + 3, "positions go on")
    centre.wait(lambda: max(slowest_ms(centre), default=0) > STALL_S * 900, "health tells it", 40)
    agent.kill()


def test_a_failed_sync_ends_the_process_and_the_next_one_goes_on(world: World) -> None:
    """No receipt after the failure; what was acknowledged is there; no store is set aside."""
    agent, centre = world.agent, world.centre
    agent.under = strace("error=EIO:when=24+")
    agent.start()
    crew = agent.crew()
    kept = 0
    assert crew.ask(type="logon", unit="621", crew=["4711"])["type"] == "done"
    for n in range(40):
        try:
            reply = crew.ask(type="set_status", status="busy" if n % 2 else "available")
        except (OSError, ValueError):
            break
        kept += reply["type"] == "done"
    assert agent.ended() == 1
    assert "disk error" in agent.log.read_text()
    agent.under = []
    centre.new_session()
    agent.start()
    number = agent.crew().ask(type="logon", unit="622", crew=["4711"])["entry"]
    centre.wait(lambda: [one for one in centre.bodies(Logon) if one.number == number], "log-on")
    statuses = [one for book in centre.entries.values() for one in book.values() if one.kind == 3]
    assert 0 < kept <= len(statuses) <= kept + 2
    centre.wait(lambda: len(centre.bodies(Start)) == 2, "both boots")
    assert [one.unclean for one in centre.bodies(Start)] == [False, True]
    assert not list(agent.folder.glob("*.damaged-*"))
