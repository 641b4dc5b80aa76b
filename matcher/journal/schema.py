"""The journal's tables (SQLite).

`tx` is the event log: each row one transaction, a command with its events, hash-chained. `entry`
and `head` keep terminals' logbooks verbatim. `held` and `place` are unique indexes under what the
core decides: a unit holds at most one order, a place of a plan is held at most once.
"""

from __future__ import annotations

from runtime.store import Schema

APPLICATION_ID = 0x6F75746A  # "outj"

_FIRST = (
    """CREATE TABLE tx (
    seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, command BLOB NOT NULL, events BLOB NOT NULL,
    chain BLOB NOT NULL
)""",
    """CREATE TABLE logbook (
    logbook BLOB PRIMARY KEY, enrolment BLOB NOT NULL, n INTEGER NOT NULL, head BLOB NOT NULL,
    is_held INTEGER NOT NULL, spans BLOB NOT NULL
) WITHOUT ROWID""",
    """CREATE TABLE head (
    id INTEGER PRIMARY KEY, logbook BLOB NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    sealed BLOB NOT NULL, received_ms INTEGER NOT NULL
)""",
    "CREATE INDEX head_by_logbook ON head (logbook, first)",
    """CREATE TABLE entry (
    logbook BLOB NOT NULL, n INTEGER NOT NULL, digest BLOB NOT NULL, kind INTEGER, data BLOB,
    received_ms INTEGER NOT NULL, PRIMARY KEY (logbook, n)
) WITHOUT ROWID""",
    """CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY, enrolment BLOB NOT NULL, reason TEXT NOT NULL, message BLOB NOT NULL,
    received_ms INTEGER NOT NULL
)""",
    """CREATE TABLE position (
    enrolment BLOB PRIMARY KEY, boot INTEGER NOT NULL, sequence INTEGER NOT NULL,
    sealed BLOB NOT NULL, received_ms INTEGER NOT NULL
) WITHOUT ROWID""",
    """CREATE TABLE session (
    enrolment BLOB PRIMARY KEY, boot INTEGER NOT NULL, connection INTEGER NOT NULL,
    nonce BLOB NOT NULL, logbook BLOB NOT NULL
) WITHOUT ROWID""",
    """CREATE TABLE document (
    kind TEXT NOT NULL, version INTEGER NOT NULL, message BLOB NOT NULL,
    PRIMARY KEY (kind, version)
) WITHOUT ROWID""",
    """CREATE TABLE order_of (
    order_id TEXT PRIMARY KEY, unit TEXT NOT NULL, incident TEXT NOT NULL, slot INTEGER NOT NULL
) WITHOUT ROWID""",
    "CREATE TABLE held (unit TEXT PRIMARY KEY, order_id TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE place (
    incident TEXT NOT NULL, slot INTEGER NOT NULL, order_id TEXT NOT NULL,
    PRIMARY KEY (incident, slot)
) WITHOUT ROWID""",
)

SCHEMA = Schema(application_id=APPLICATION_ID, migrations=(_FIRST,))
