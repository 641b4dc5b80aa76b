"""The authority is away: role keys hold 72 h past their end, with an alarm, and no longer."""

from __future__ import annotations

import pytest

from tests.rim.daemon import outrider, run
from tests.rim.work import Work, nothing_refused
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-away"), pytest.mark.timeout(120)]

HOUR_MS = 3_600_000
ROLE_KEYS_MS = 7 * 24 * HOUR_MS


def test_71_h_after_the_end_all_goes_on_with_an_alarm() -> None:
    with World("611", age_ms=ROLE_KEYS_MS + 71 * HOUR_MS) as world:
        world.start()
        world.log_on()
        with Work(world) as work:
            work.more(2)
        desk, named = world.desk, ("role-keys-ended-", "alarm-t-611-")
        for start in named:  # the centre says it, and so does the terminal
            desk.wait(
                lambda start=start: [  # type: ignore[misc]
                    one
                    for one in desk.alerts.values()
                    if one["kind"] == "role_keys_ended" and one["alert"].startswith(start)
                ],
                f"alert {start}",
            )
        nothing_refused(world)


def test_73_h_after_the_end_nothing_starts_until_the_authority_rotates() -> None:
    """Terminals need no visit then: the new trust comes to them before their welcome."""
    with World("611", age_ms=ROLE_KEYS_MS + 73 * HOUR_MS) as world:
        world.write_matcher_config()
        world.matcher.start(ready=None)
        assert world.matcher.ended() == 78
        assert "identities.cbor: is refused" in world.matcher.tail()
        assert "authority rotate" in world.matcher.tail()
        done = run(outrider("authority", "--dir", world.fleet.authority, "rotate"))
        assert done.returncode == 0, done.stderr
        world.start()
        world.log_on()
        world.terminals["611"].agent.wait_for("event=trust version=2")
        with Work(world) as work:
            work.more()
        nothing_refused(world)
