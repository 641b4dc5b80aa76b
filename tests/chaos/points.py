"""The named points at which a daemon is killed: 40 in the matcher, 30 in the agent.

A point is a function of the product and a side of it; `syscall:` points are met inside SQLite's
own commit by strace. docs/chaos.md says what is half done at each.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from typing import Final

from tests.rim.daemon import outrider

SYSCALL: Final = "syscall:"
_ONCE: Final = (  # in the life of a process or of a connection
    "matcher.journal.journal:Journal.load",
    "matcher.outbox:Outbox.load",
    "matcher.sessions:Sessions.welcome",
    "runtime.service:Service.ready",
    "agent.logbook:Logbook.begin_now",
    "agent.uplink:Uplink._welcome",
)
HITS_MAX: Final = 2


@dataclass(frozen=True, slots=True)
class Point:
    """`where` is `module:function` or `syscall:name`; `when` is before or after it."""

    where: str
    when: str

    def __str__(self) -> str:
        return f"{self.when} {self.where}"

    @property
    def is_syscall(self) -> bool:
        return self.where.startswith(SYSCALL)

    @property
    def hits_max(self) -> int:
        """How often it is met within a second or so."""
        return 1 if self.where in _ONCE else HITS_MAX

    @property
    def needs_birth(self) -> bool:
        """Met only where a terminal connects anew."""
        return "Sessions.welcome" in self.where

    def argv(self, hit: int, *words: str) -> list[str]:
        """`outrider WORDS`, which dies at the `hit`th time."""
        if not self.is_syscall:
            doomed = [sys.executable, "-m", "tests.chaos.doomed"]
            return [*doomed, self.where, self.when, str(hit), "--", *words]
        name = self.where.removeprefix(SYSCALL)
        strace = shutil.which("strace") or "strace"
        return [strace, "-f", "--seccomp-bpf", "-q", "-o", "/dev/null", "-e", f"trace={name}",
                "-e", f"inject={name}:signal=KILL:when={hit}", *outrider(*words)]  # fmt: skip


def _points(text: str) -> tuple[Point, ...]:
    """One `module:function side…` a line."""
    found = []
    for line in text.split("\n"):
        where, *sides = line.split()[:3] if line.strip() else [""]
        found += [Point(where, side) for side in sides]
    return tuple(found)


MATCHER: Final = _points(
    """
matcher.journal.journal:Journal.load after
matcher.outbox:Outbox.load after
runtime.service:Service.ready before
matcher.ingest:Ingest.take before after
matcher.ingest:Ingest._request before after
matcher.logbooks:Logbooks.take before after
matcher.logbooks:Logbooks._commit before after
matcher.logbooks:Logbooks.send_receipt before after
matcher.engine:Engine.run before after
matcher.engine:Engine._decide before after
matcher.journal.journal:Journal.append before after
matcher.journal.journal:keep_holdings before after
runtime.store_threads:Writer._commit before after
runtime.store_threads:Writer._run_one after
runtime.store_threads:answer before
matcher.outbox:Outbox.on_events before after
matcher.outbox:Outbox._send before after
matcher.publisher:Publisher.on_events before after
matcher.publisher:Publisher.reply before after
matcher.publisher:Publisher.show_incident after
matcher.sessions:Sessions.welcome before after
matcher.position_task:_keep before after
matcher.link:CentreLink.release before
syscall:fdatasync before
"""
)

AGENT: Final = _points(
    """
agent.logbook:Logbook.begin_now after
runtime.service:Service.ready before
agent.uplink:Uplink._message before after
agent.uplink:Uplink._welcome before after
agent.uplink:Uplink.send_batch before after
agent.terminal:Terminal.take before after
agent.terminal:Terminal.crew before after
agent.terminal:Terminal._commit_decision before after
agent.terminal:Terminal._settle before after
agent.logbook:Logbook.commit before after
agent.logbook:Logbook.receipted before after
agent.logbook_sender:LogbookSender.receipt before after
agent.devices:Devices._show before after
agent.logbook:Logbook.keep_scratch after
runtime.store_threads:Writer._commit before after
runtime.mqtt_link:MqttLink.puback before after
syscall:fdatasync before
"""
)
