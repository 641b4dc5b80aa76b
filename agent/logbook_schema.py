"""The shape of the terminal's one file.

    meta      boot, clean end, clock floor, order window, crew, newest trust document
    book      one row a logbook: its id, what of it was pruned, what the centre has receipted and
              its newest sealed receipt
    entry     id = book << 32 | n, the entry's bytes (thinned: its digest), h(n) with every 32nd
    card, cancel   orders on this terminal (core/orders.py)
    seen      the last 1,024 events of each device
    scratch   fixes that are not yet in an entry, one record

Small pages: most commits change one record, and flash wears by what is written.
"""

from typing import Final

from runtime.store import FileOptions, Schema

N_BITS: Final = 32
HEAD_EVERY: Final = 32  # the chain values between are computed again: flash is dearer than SHA-256
SEEN_PER_DEVICE: Final = 1024

RESERVE_BYTES: Final = 1 << 20  # lets the log be copied, and so be written anew, on a full disk
OPTIONS: Final = FileOptions(
    page_bytes=2048, wal_pages=1000, exclusive=True, reserve_bytes=RESERVE_BYTES
)
SCHEMA: Final = Schema(
    application_id=0x4F55_544C,  # "OUTL"
    migrations=[
        [
            "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
            "CREATE TABLE book (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, enrolment BLOB NOT NULL,"
            " first_key BLOB NOT NULL, base_n INTEGER NOT NULL, base_head BLOB NOT NULL,"
            " receipted_n INTEGER NOT NULL, ranges BLOB NOT NULL)",
            "CREATE TABLE entry (id INTEGER PRIMARY KEY, head BLOB, data BLOB NOT NULL,"
            " urgent INTEGER NOT NULL, kept_s INTEGER NOT NULL)",
            "CREATE INDEX urgent_entry ON entry (id) WHERE urgent",
            'CREATE TABLE card ("order" TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID',
            'CREATE TABLE cancel ("order" TEXT PRIMARY KEY, expires_ms INTEGER NOT NULL)'
            " WITHOUT ROWID",
            "CREATE TABLE seen (id INTEGER PRIMARY KEY, device TEXT NOT NULL,"
            " boot INTEGER NOT NULL, event INTEGER NOT NULL, UNIQUE (device, boot, event))",
            "CREATE TABLE scratch (id INTEGER PRIMARY KEY CHECK (id = 1), data BLOB NOT NULL)",
        ],
        [
            "ALTER TABLE entry ADD COLUMN thinned INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE book ADD COLUMN receipt BLOB",
        ],
    ],
)
