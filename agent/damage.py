"""A damaged store is set aside and a new one begins: never a crash loop, never a silent loss.

The centre's welcome gives the new one a boot above the old, and people hear of it. What had no
receipt lies in the file that was set aside. Called by `agent.app`.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from protocol.entry import Alarm
from protocol.refusal import Refused
from runtime.clock import Clock
from runtime.faults import StoreBroken, StoreDamaged
from runtime.log import get_log
from runtime.service import first_cause
from runtime.store import FileOptions, Schema, Store

log = get_log("store")

KEPT_ASIDE_MAX: Final = 4  # the newest takes the place of the last one
_UNREADABLE: Final = ("SQLITE_IOERR_READ", "SQLITE_IOERR_SHORT_READ", "SQLITE_IOERR_CORRUPTFS")


class Daemon(Protocol):
    """What runs on a store."""

    async def run(self, told_first: Alarm | None = None) -> None: ...


async def run_on_store(
    path: Path,
    schema: Schema,
    options: FileOptions,
    clock: Clock,
    make: Callable[[Store], Daemon],
) -> None:
    """Open the store and run on it what `make` makes; a damaged one is set aside.

    Found at the start it goes on with a new store; found later it ends, and the next start does.
    Raises what the store and the daemon raise.
    """
    store, alarm = _open(path, schema, options, clock)
    try:
        try:
            daemon = make(store)
        except (StoreDamaged, Refused) as cause:
            store.close()
            alarm = set_aside(path, _as_damage(path, cause))
            store = Store(path, schema, options, clock)
            daemon = make(store)
        await daemon.run(alarm)
    except BaseException as cause:
        fault = first_cause(cause)
        if isinstance(fault, StoreDamaged):
            store.close()
            set_aside(path, fault)
        raise
    finally:
        store.close()


def _open(
    path: Path, schema: Schema, options: FileOptions, clock: Clock
) -> tuple[Store, Alarm | None]:
    try:
        return Store(path, schema, options, clock), None
    except StoreBroken as fault:
        if not isinstance(fault, StoreDamaged) and fault.value not in _UNREADABLE:
            raise
        alarm = set_aside(path, fault)
    return Store(path, schema, options, clock), alarm


def _as_damage(path: Path, cause: StoreDamaged | Refused) -> StoreDamaged:
    if isinstance(cause, StoreDamaged):
        return cause
    return StoreDamaged(path, "holds a state that cannot be read", cause.detail, "keep the file")


def set_aside(path: Path, fault: StoreBroken) -> Alarm:
    """Move the file and its log out of the way; raises `fault` where even that fails."""
    names = [path.with_name(f"{path.name}.damaged-{n}") for n in range(1, KEPT_ASIDE_MAX + 1)]
    aside = next((name for name in names if not name.exists()), names[-1])
    try:
        path.replace(aside)
        with suppress(FileNotFoundError):
            path.with_name(path.name + "-wal").replace(aside.with_name(aside.name + "-wal"))
    except OSError as cause:
        raise fault from cause
    remedy = "keep the file; look at the card"
    log.error("store_set_aside", reason=str(fault), kept=aside.name, remedy=remedy)
    return Alarm("store_damaged", f"{fault.what}; kept as {aside.name}, a new store begins")
