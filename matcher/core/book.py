"""The codebook in force, as decisions ask it: read once a text, known by its digest.

The board holds one from the start: what comes with Outrider, until the journal says another. A
text that a journal holds was right when it was taken; rules for codebooks may only become milder.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from protocol.codebook_model import Codebook
from protocol.codebook_reading import read
from protocol.codebook_shipped import shipped, shipped_text


@dataclass(frozen=True, slots=True)
class BookInForce:
    """In the state's hash stand version and digest; `is_journaled`: it is not a mere default."""

    version: int
    digest: bytes
    codes: Codebook
    is_journaled: bool

    def answer_s(self, priority: int) -> int:
        """Seconds from delivered to answered."""
        return self.codes.priority(priority).answer_s

    def delivery_limit_ms(self, priority: int) -> int:
        """From issued to delivered; then the desk calls by radio."""
        return self.codes.priority(priority).delivery_s * 1000

    def offer_life_ms(self, priority: int) -> int:
        """After so long an order that nobody holds expires."""
        return self.codes.priority(priority).offer_life_s * 1000

    def silence_releases(self, priority: int) -> bool:
        """Whether no answer frees the unit and the next is asked; never at priority 0 to 2."""
        return self.codes.priority(priority).silence_releases


@lru_cache(maxsize=8)
def _read(text: str) -> Codebook:
    return read(text)


def book_of(text: str) -> BookInForce:
    """A journaled one; raises WrongCodebook."""
    codes = _read(text)
    return BookInForce(codes.version, digest_of(text), codes, is_journaled=True)


def digest_of(text: str) -> bytes:
    """What journals and documents name a text by."""
    return hashlib.sha256(text.encode()).digest()


@lru_cache(maxsize=1)
def default_book() -> BookInForce:
    """What comes with Outrider: of a board whose journal names none (yet)."""
    codes = shipped()
    return BookInForce(codes.version, digest_of(shipped_text()), codes, is_journaled=False)
