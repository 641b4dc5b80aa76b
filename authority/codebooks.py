"""The fleet's codebook in the book: the newest, held against the one before. Pure.

The first follows the one that comes with Outrider: until then the centre works by that one, and
journals name its codes.
"""

from __future__ import annotations

from dataclasses import replace

from authority.book import Book
from protocol import codebook
from protocol.codebook_change import Comparison, compare
from protocol.codebook_fault import WrongCodebook
from protocol.codebook_model import Codebook
from protocol.codebook_reading import read
from protocol.codebook_shipped import shipped


def newest(book: Book) -> Codebook:
    return codebook.decode(book.codebook)[1] if book.codebook else shipped()


def adopt(book: Book, text: str, now_ms: int) -> tuple[Book, Comparison]:
    """Raises WrongCodebook with every fault, also where it may not follow the one before."""
    found = compare(newest(book), read(text))
    if found.faults:
        raise WrongCodebook(found.faults)
    payload = codebook.encode(codebook.document(book.fleet, text, now_ms))
    return replace(book, codebook=payload), found
