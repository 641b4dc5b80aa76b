"""The chains of the centre's own records: the journal's transactions, erasures, look-ups.

    transaction  h(seq) = SHA-256(h(seq-1) || seq as 8 bytes || SHA-256(command) || SHA-256(events))
    others       h(n) = SHA-256(h(n-1) || SHA-256(record))

Both start at 32 zero bytes. Called by the matcher's journal and by whoever checks an export.
"""

from __future__ import annotations

import hashlib
from typing import Final

CHAIN_START: Final = bytes(32)


def next_chain(chain: bytes, seq: int, command: bytes, events: bytes) -> bytes:
    """The chain value behind transaction `seq`."""
    parts = hashlib.sha256(command).digest() + hashlib.sha256(events).digest()
    return hashlib.sha256(chain + seq.to_bytes(8, "big") + parts).digest()


def next_record(chain: bytes, record: bytes) -> bytes:
    """The chain value behind one more encoded record."""
    return hashlib.sha256(chain + hashlib.sha256(record).digest()).digest()
