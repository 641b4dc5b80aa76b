"""One SQLite file opened the way the store needs it, and SQLite's errors as our faults.

Invariants: WAL, synchronous=FULL, foreign keys on; application_id says whose file it is,
user_version how many migration steps it has seen; a newer file is refused, an older one is
migrated in one transaction. Called by `runtime.store` only.
"""

import contextlib
import errno
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.faults import StoreBroken, StoreBusy, StoreDamaged, StoreFault, StoreFull

BUSY_TIMEOUT_MS: Final = 5_000
_PRIMARY: Final = 0xFF  # extended result codes keep the primary one in the low byte
_SYNC_CODES: Final = frozenset((sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC))
_RESTORE: Final = "move the file aside and restore it from a backup or the other side"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Whose file it is and how it came to its shape.

    `migrations[i]` holds the SQL statements that lead from version i to i + 1; steps are
    appended, never changed. The version is their count.
    """

    application_id: int  # 1 .. 2**31-1, unlike any other product's
    migrations: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """How the file is laid out and kept."""

    page_bytes: int = 4096  # of a new file; small pages write less flash for small records
    wal_pages: int = 1000  # checkpoint after so many: fewer, larger copies wear flash less
    busy_timeout_ms: int = BUSY_TIMEOUT_MS  # how long another process may hold the file
    exclusive: bool = False  # no other process, no -shm file that the kernel flushes each 30 s
    size_bytes_max: int = 0  # the file grows no further: as a full disk; 0 for no limit
    reserve_bytes: int = 0  # blocks held back for the moment when the disk is full


def open_writer(path: Path, schema: Schema, options: FileOptions) -> sqlite3.Connection:
    """The one connection that writes; creates or migrates the file. Raises StoreFault."""
    _create_private(path)
    _drop_cached_pages(path)
    with store_errors(path):
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=256
        )
    try:
        with store_errors(path):
            _configure(connection, options)
            _migrate(connection, path, schema)
            # what an earlier failed sync left in the page cache only is written anew
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path, schema: Schema) -> sqlite3.Connection:
    """A read-only connection for long reads and for the command line. Raises StoreFault."""
    with store_errors(path):
        uri = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        with store_errors(path):
            connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            connection.execute("PRAGMA query_only=ON")
            _version(connection, path, schema)
    except BaseException:
        connection.close()
        raise
    return connection


def check_file(connection: sqlite3.Connection, path: Path) -> None:
    """Read every page and index; raises StoreBroken naming the first damage."""
    with store_errors(path):
        found = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if found != "ok":
        raise StoreDamaged(path, "is damaged", found.replace("\n", " "), _RESTORE)


@contextlib.contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """SQLite speaks sqlite3.Error; whoever stores knows StoreFault. The caller's own SQL
    errors (a constraint, a typo) pass through unchanged."""
    try:
        yield
    except sqlite3.Error as cause:
        fault = store_fault(path, cause)
        if fault is None:
            raise
        raise fault from cause


def store_fault(path: Path, cause: sqlite3.Error) -> StoreFault | None:
    """The fault behind a SQLite error, None where the SQL itself was at fault."""
    code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_OK)
    name = getattr(cause, "sqlite_errorname", str(cause))
    match code & _PRIMARY:
        case sqlite3.SQLITE_FULL:
            return _full(path, name)
        case sqlite3.SQLITE_IOERR if code not in _SYNC_CODES and _is_out_of_space(path):
            return _full(path, name)  # quota, or no room for the index file
        case sqlite3.SQLITE_IOERR:
            return StoreBroken(path, "disk error", name, "restart reads it anew; check the disk")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy(path, "is held by another process", name, "end the other one")
        case sqlite3.SQLITE_INTERRUPT:
            return StoreBusy(path, "the read took too long and was cut", name, "read less at once")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreDamaged(path, "is damaged", str(cause), _RESTORE)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            remedy = "give this user write access to file and folder, or remount"
            return StoreBroken(path, "cannot be opened for writing", name, remedy)
        case _:
            return None


def _full(path: Path, name: str) -> StoreFull:
    return StoreFull(path, "no space left", name, f"free space in {path.parent}")


def _is_out_of_space(path: Path) -> bool:
    """Quotas and some writes show as a plain I/O error: try a block of our own."""
    try:
        with tempfile.TemporaryFile(dir=path.parent) as probe:
            probe.write(b"\1" * 8192)
    except OSError as cause:
        return cause.errno in {errno.ENOSPC, errno.EDQUOT}
    return False


def _create_private(path: Path) -> None:
    """Positions and orders are nobody else's business; SQLite's side files take the same mode."""
    with contextlib.suppress(OSError):  # SQLite says better what is wrong
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600))


def _drop_cached_pages(path: Path) -> None:
    """Read from the disk, not from pages that a failed sync may have left in memory."""
    for name in (path, path.with_name(path.name + "-wal")):
        with contextlib.suppress(OSError):
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def _configure(connection: sqlite3.Connection, options: FileOptions) -> None:
    connection.execute(f"PRAGMA busy_timeout={options.busy_timeout_ms}")
    connection.execute(f"PRAGMA page_size={options.page_bytes}")  # no effect on an existing file
    if options.exclusive:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("PRAGMA journal_mode=WAL").fetchone()
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=FAST")  # Debian's default rewrites freed pages
    if options.size_bytes_max:
        page_bytes = int(connection.execute("PRAGMA page_size").fetchone()[0])
        pages = options.size_bytes_max // page_bytes
        connection.execute(f"PRAGMA max_page_count={pages}").fetchone()
    # the writer copies the log at half of this, between commits
    connection.execute(f"PRAGMA wal_autocheckpoint={2 * options.wal_pages}")
    size = options.wal_pages * (options.page_bytes + 24)
    connection.execute(f"PRAGMA journal_size_limit={2 * size}")


def _version(connection: sqlite3.Connection, path: Path, schema: Schema) -> int:
    """The file's schema version, 0 for an empty file; refuses another product's or a newer one."""
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    is_empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if application_id == 0 and version == 0 and is_empty:
        return 0
    if application_id != schema.application_id:
        raise StoreBroken(path, "belongs to another program", application_id, "name another file")
    if version > len(schema.migrations):
        what = f"was written by a newer release: schema {version}"
        remedy = "install that release again, or restore the file's backup"
        raise StoreBroken(path, what, f"this one knows {len(schema.migrations)}", remedy)
    return version


def _migrate(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    """Bring the file to the newest version, all steps or none."""
    if _version(connection, path, schema) == len(schema.migrations):
        return
    connection.execute("BEGIN EXCLUSIVE")
    try:
        for step in schema.migrations[_version(connection, path, schema) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id={schema.application_id}")
        connection.execute(f"PRAGMA user_version={len(schema.migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
