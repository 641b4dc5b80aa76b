"""What a terminal shows a centre that knows less than it had receipted: body of entry kind 16.

Such a centre was restored from a copy. Its own sealed receipt says so to it, and entries that the
terminal has pruned since cannot be sent again (wire contract, birth and welcome).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PROOF_BYTES_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class Pruned:
    """Entries up to `last` are gone here; `proof`: the centre's newest receipt as it came."""

    last: int  # 0: none is
    head: bytes  # h(last): where the chain goes on
    proof: bytes  # empty where none is held
