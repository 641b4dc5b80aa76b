"""The journal's tables (SQLite).

`tx` is the event log: each row one transaction, a command with its events, hash-chained. `entry`
and `head` keep terminals' logbooks verbatim. `held` and `place` are unique indexes under what the
core decides: a unit holds at most one order, a place of a plan is held at most once. `receipt` and
`witness` keep what proves a logbook's length; `erasure` is a chain of its own, told in the same
transaction as what went; `thinned_track` is the centre's extract of tracks that are gone.
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

# evidence and retention; old entries are indexed by age as they migrate
_SECOND = (
    """CREATE TABLE receipt (
    logbook BLOB NOT NULL, hour INTEGER NOT NULL, n INTEGER NOT NULL, sealed BLOB NOT NULL,
    at_ms INTEGER NOT NULL, PRIMARY KEY (logbook, hour)
) WITHOUT ROWID""",
    """CREATE TABLE witness (
    enrolment BLOB NOT NULL, label TEXT NOT NULL, sealed BLOB NOT NULL,
    received_ms INTEGER NOT NULL, PRIMARY KEY (enrolment, label)
) WITHOUT ROWID""",
    """CREATE TABLE erasure (
    number INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, rule TEXT NOT NULL, logbook BLOB NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL, chain BLOB NOT NULL
)""",
    "CREATE INDEX erasure_by_logbook ON erasure (logbook, first)",
    """CREATE TABLE thinned_track (
    logbook BLOB NOT NULL, minute INTEGER NOT NULL, n INTEGER NOT NULL, time_ms INTEGER NOT NULL,
    lat_e6 INTEGER NOT NULL, lon_e6 INTEGER NOT NULL, PRIMARY KEY (logbook, minute)
) WITHOUT ROWID""",
    "CREATE INDEX entry_by_age ON entry (kind, received_ms) WHERE data IS NOT NULL",
)

SCHEMA = Schema(application_id=APPLICATION_ID, migrations=(_FIRST, _SECOND))
