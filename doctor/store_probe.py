"""What an agent's store says: the log-on and the signed configuration in force.

Read as a file that nobody writes, or from a copy where its log must be read too, so that the store
stays untouched: SQLite would leave side files, and a running agent holds it alone.
"""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.configuration import META, effective
from agent.core import configuration as rules
from agent.core import crew as crew_codec
from agent.core.crew import Crew
from agent.core.state_rows import CREW
from agent.logbook_file import read_meta
from agent.settings import AgentSettings
from protocol.refusal import Refused

COPY_BYTES_MAX: Final = 64 << 20  # beyond it what the log says last is not waited for


@dataclass(frozen=True, slots=True)
class Kept:
    """`settings` are the file's with the signed configuration `version` over them (0: none).

    `unread` says why the store could not be looked into; then the file's settings stand alone.
    """

    settings: AgentSettings
    version: int = 0
    crew: Crew = field(default_factory=Crew)
    unread: str = ""


def look_into(own: AgentSettings) -> Kept:
    """Of the store that the file names; a store that is not there yet holds nothing."""
    try:
        meta = _meta_of(own.store.file)
        crew, kept = meta.get(CREW), meta.get(META)
        in_force = rules.decode(kept).in_force if isinstance(kept, bytes) else rules.Held().in_force
        return Kept(
            effective(own, in_force.settings),
            in_force.version,
            crew_codec.decode(crew) if isinstance(crew, bytes) else Crew(),
        )
    except (OSError, sqlite3.Error, Refused) as cause:
        return Kept(own, unread=str(cause))


def _meta_of(store: Path) -> dict[str, object]:
    """Of the file as it is after an orderly end; with its log where that is not empty yet."""
    if not store.exists():
        return {}
    wal = store.with_name(store.name + "-wal")
    parts = [store, wal] if wal.exists() and wal.stat().st_size else [store]
    if parts == [store] or sum(one.stat().st_size for one in parts) > COPY_BYTES_MAX:
        return _read(f"{store.absolute().as_uri()}?immutable=1")
    with tempfile.TemporaryDirectory(prefix="outrider-doctor-") as folder:
        for one in parts:
            shutil.copy(one, Path(folder) / one.name)
        return _read((Path(folder) / store.name).as_uri())


def _read(uri: str) -> dict[str, object]:
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return read_meta(connection)
