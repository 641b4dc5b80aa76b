"""The real centre and a real terminal without their broker: fed by hand, looked at from inside.

Both open copies of what a stopped world left (journal, stores, keys), so they stand where it stood.
A message goes in where the link hands it over; nothing goes out. Used by the tests of this folder.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from pathlib import Path

from agent.core import state_rows
from agent.core.reporting import Interval
from agent.logbook import Logbook
from agent.logbook_file import Change
from agent.logbook_schema import OPTIONS
from agent.logbook_schema import SCHEMA as AGENT_SCHEMA
from agent.logbook_sender import LogbookSender
from agent.refusals import Refusals
from agent.seals import Seals
from agent.settings import TrackSettings
from agent.terminal import Terminal
from agent.timekeeper import Timekeeper
from agent.uplink import Uplink
from agent.whereabouts import NewestFix, Whereabouts
from matcher.app import Centre
from matcher.journal.schema import SCHEMA
from matcher.settings import MatcherSettings
from protocol.entry import Entry
from protocol.keys import SealKey, VerifyKey
from protocol.words import TimeTrust
from runtime.clock import ManualClock
from runtime.key_files import load_certificate, load_private, public_key_of
from runtime.log import get_log
from runtime.mqtt_types import Message
from runtime.service import Service
from runtime.settings import load
from runtime.store import Store
from tests.agent.bare_terminal import FakeLink
from tests.authority.fleet import FLEET

_COUNTED = ("tx", "entry", "head", "session", "quarantine", "position")


def _copied(store: Path, to: Path) -> Path:
    """A store with its write-ahead log."""
    to.mkdir(parents=True)
    for path in store.parent.glob(f"{store.name}*"):
        if not path.name.endswith(".lock"):
            shutil.copy(path, to / path.name)
    return to / store.name


class CentreInHand:
    """The matcher on a copy of the journal, at `clock`."""

    def __init__(self, config: Path, folder: Path, clock: ManualClock) -> None:
        settings = load(config, MatcherSettings)
        journal = _copied(settings.files.journal, folder)
        files = settings.files.model_copy(update={"journal": journal, "broker": None})
        self.store = Store(journal, SCHEMA, clock=clock)
        self.centre = Centre(
            settings.model_copy(update={"files": files}), self.store, Service(clock, {}),
            get_log("crafted", clock),
        )  # fmt: skip

    async def take_over(self) -> CentreInHand:
        await self.centre.take_over()
        return self

    async def hear(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        await self.centre.ingest.take(topic, payload, retained=retained)

    @property
    def refused(self) -> Counter[str]:
        return Counter(self.centre.refusals.counts)

    def quick_marks(self) -> object:
        """What any message that is acted on changes, cheap enough to ask after each."""
        centre = self.centre
        return centre.engine.journaled, len(centre.book.waiting), sum(map(sum, _floors(centre)))

    def marks(self) -> object:
        """The whole: board, replay floors, every table's rows."""

        def count(db: sqlite3.Connection) -> dict[str, int]:
            return {
                name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608
                for name in _COUNTED
            } | {"sessions": hash(str(db.execute("SELECT * FROM session").fetchall()))}

        centre = self.centre
        return centre.engine.board.digest(), _floors(centre), self.store.commit_now(count)

    def close(self) -> None:
        self.store.close()


def _floors(centre: Centre) -> list[tuple[int, int]]:
    return sorted(centre.book.floors.values())


class TerminalInHand:
    """A terminal's uplink over a copy of its store, at `clock`."""

    def __init__(self, store: Path, keys: Path, device: str, folder: Path, clock: ManualClock,
                 enrolment: bytes) -> None:  # fmt: skip
        self.store = Store(_copied(store, folder), AGENT_SCHEMA, OPTIONS)
        key = SealKey(load_private(keys / "seal.key"))
        root = VerifyKey(public_key_of(load_certificate(keys / "root.pem")))
        self.logbook = Logbook(self.store, enrolment, key.public)
        loaded = self.logbook.load_now()
        now_ms = clock.utc_ms()
        self.logbook.begin_now(
            lambda boot, start: Change((Entry(now_ms, 2, boot, 0, None, start),))
        )
        timekeeper, newest = Timekeeper(clock, 0, lambda: TimeTrust.NTP), NewestFix()
        state = state_rows.state_of(loaded.meta, loaded.cards, loaded.cancels)
        self.terminal = Terminal(self.logbook, timekeeper, state, newest.here)
        self.seals = Seals(FLEET, device, enrolment, key, root)
        document = loaded.meta.get("trust") or (keys / "trust.cbor").read_bytes()
        assert isinstance(document, bytes)
        self.seals.believe(self.seals.open_trust(document), document)
        self.link, self._refusals = FakeLink(), Refusals(get_log("crafted", clock))
        self.uplink = Uplink(self.link, self.terminal, self.seals, self._refusals)
        sender = LogbookSender(
            self.logbook, self.terminal, self.seals, self.uplink.send_batch, lambda: None
        )
        whereabouts = Whereabouts(
            self.terminal, timekeeper, newest, Interval(5, 50, 10), TrackSettings(),
            self.uplink.send_position, 4000,
        )  # fmt: skip
        self.uplink.attach(sender, whereabouts)

    def hear(self, topic: str, payload: bytes) -> None:
        """Queue one for `uplink.run`."""
        self.link.inbox.put_nowait(Message(topic, payload, 1, False, False, 1, 1))

    @property
    def heard(self) -> int:
        return len(self.link.released)

    @property
    def refused(self) -> Counter[str]:
        return Counter(self._refusals.counts)

    def marks(self) -> object:
        """What any message that is acted on changes."""
        book = self.logbook.book
        return (
            self.terminal.state, self.logbook.synced_n, book.receipted_n, book.ranges,
            self.seals.trust_version, self.uplink.welcomed, self.logbook.boot,
        )  # fmt: skip

    def close(self) -> None:
        self.store.close()
