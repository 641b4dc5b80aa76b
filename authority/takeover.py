"""What lets the matcher end a revoked name's open session at the broker, and prove the list.

A revoked certificate gets no new connection, but the broker leaves the open one alone. It ends that
when somebody else with the same common name connects: hence a take-over certificate for each
revoked name. It holds a week, opens nothing (the access list has no block of that name, no
identity lists it, it seals nothing), and is revoked itself when the name is enrolled again.

The canary is a certificate that is revoked from its first moment. A new one is made whenever the
list grows, so a broker that refuses it has read that list and not an older one. Callers: `office`
(`prepared` at each save), `publication`, `acts`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography import x509

from authority import certificates
from authority.book import TAKE_OVER, Book, Issued
from authority.certificates import DAY_MS, SERIAL_BYTES, Leaf, Root
from authority.folder import Folder
from protocol.identities import State
from protocol.names import ENROLMENT_BYTES, common_name
from runtime.key_files import certificate_der

FOLDER: Final = "takeover"
DAYS: Final = 7
RENEW_MS: Final = 4 * DAY_MS  # left when the next save makes a new one
CANARY: Final = "canary"
CANARY_DAYS: Final = 30
CANARY_RENEW_MS: Final = 20 * DAY_MS


def prepared(
    book: Book, folder: Folder, root: Root, published_list: bytes | None, now_ms: int
) -> Book:
    """With a take-over for each revoked name, and a canary that `published_list` does not know."""
    made = [_take_over(book, folder, root, name, now_ms) for name in _without(book, now_ms)]
    if _wants_canary(book, published_list, now_ms):
        made.append(_canary(book, folder, root, now_ms))
    return replace(book, certificates=(*book.certificates, *made)) if made else book


def take_overs(book: Book) -> dict[str, Issued]:
    """By name, the newest of each: what is published."""
    return {
        one.device: one
        for one in book.certificates
        if one.enrolment == TAKE_OVER and one.revoked_ms is None
    }


def ended(certificates_: Iterable[Issued], device: str, now_ms: int) -> tuple[Issued, ...]:
    """The name is enrolled again: its take-overs would have its rights, so they are revoked."""
    return tuple(
        replace(one, revoked_ms=now_ms)
        if one.device == device and one.enrolment == TAKE_OVER and one.revoked_ms is None
        else one
        for one in certificates_
    )


def sweep(centre: Path, names: Iterable[str]) -> None:
    """Remove the published pairs of all other names."""
    kept = {f"{name}{suffix}" for name in names for suffix in (".key", ".pem")}
    for path in (centre / FOLDER).glob("*"):
        if path.name not in kept:
            path.unlink()


def _without(book: Book, now_ms: int) -> Iterator[str]:
    """Revoked names whose own certificate has not ended yet, and whose take-over ends soon."""
    active = {one.name for one in book.identities.identities if one.state is State.ACTIVE}
    revoked = {one.name for one in book.identities.identities if one.state is State.REVOKED}
    living = {
        one.device
        for one in book.certificates
        if one.enrolment != TAKE_OVER and one.revoked_ms is not None and now_ms < one.not_after_ms
    }
    held = take_overs(book)
    for name in sorted((revoked - active) & living):
        if name not in held or held[name].not_after_ms - now_ms < RENEW_MS:
            yield name


def _take_over(book: Book, folder: Folder, root: Root, name: str, now_ms: int) -> Issued:
    made = _certificate(book, folder, root, name, DAYS, now_ms)
    return Issued(name, TAKE_OVER, made, now_ms + DAYS * DAY_MS, None)


def _canary(book: Book, folder: Folder, root: Root, now_ms: int) -> Issued:
    made = _certificate(book, folder, root, CANARY, CANARY_DAYS, now_ms)
    return Issued(
        CANARY, secrets.token_bytes(ENROLMENT_BYTES), made, now_ms + CANARY_DAYS * DAY_MS, now_ms
    )


def _certificate(
    book: Book, folder: Folder, root: Root, name: str, days: int, now_ms: int
) -> bytes:
    key, serial = folder.new_key().public_key(), secrets.token_bytes(SERIAL_BYTES)
    leaf = Leaf(common_name(book.fleet, name), key, serial, now_ms, days)
    nobody = secrets.token_bytes(ENROLMENT_BYTES)
    return certificate_der(certificates.client_certificate(root, leaf, nobody))


def _wants_canary(book: Book, published_list: bytes | None, now_ms: int) -> bool:
    canaries = [one for one in book.certificates if one.device == CANARY]
    if not canaries or canaries[-1].not_after_ms - now_ms < CANARY_RENEW_MS:
        return True
    revoked = {
        certificates.load_der(one.certificate, "book").serial_number
        for one in book.certificates
        if one.revoked_ms is not None
    }
    newest = certificates.load_der(canaries[-1].certificate, "book").serial_number
    known = _serials(published_list)
    return newest in known and not revoked <= known


def _serials(published_list: bytes | None) -> set[int]:
    """Of a list that was published; none where it is damaged: it will be written again."""
    try:
        return {one.serial_number for one in x509.load_pem_x509_crl(published_list or b"")}
    except ValueError:
        return set()
