"""What the book says, for people and scripts: `outrider authority list`. Pure.

`warnings` names what ends within three days, since a stale list or role key stops a fleet.
"""

from __future__ import annotations

from typing import Any, Final

from authority.acts import BROKER, MATCHER
from authority.book import Book
from authority.certificates import DAY_MS
from authority.configurations import newest_version
from protocol.identities import Identity, Role
from protocol.instant import iso

SOON_MS: Final = 3 * DAY_MS


def register(book: Book, now_ms: int) -> dict[str, Any]:
    """One JSON-ready object."""
    ends = {one.enrolment: one.not_after_ms for one in book.certificates}
    identities = [_line(one, ends.get(one.enrolment)) for one in book.identities.identities]
    role_ends = {role.value: book.role_key(role).not_after_ms for role in Role}
    open_ones = [
        {"name": one.device, "kind": one.kind.value, "until": iso(one.expires_ms)}
        for one in book.invitations
        if one.used_by is None and now_ms < one.expires_ms
    ]
    return {
        "fleet": book.fleet,
        "trust": book.trust.version,
        "identities": book.identities.version,
        "crl": book.crl_number,
        "configuration": newest_version(book),
        "role_keys": {role: iso(end_ms) for role, end_ms in role_ends.items()},
        "invitations": open_ones,
        "names": identities,
        "warnings": _warnings(book, role_ends, now_ms),
    }


def register_text(found: dict[str, Any]) -> str:
    """The same for a terminal."""
    head = f"fleet {found['fleet']}: trust {found['trust']}, identities {found['identities']}"
    rows = [
        (one["name"], one["kind"], one["state"], one["certificate_until"] or "-", one["person"])
        for one in found["names"]
    ]
    lines = [f"{n:<32}{k:<10}{s:<9}{u:<26}{p or ''}".rstrip() for n, k, s, u, p in rows]
    roles = [f"role {role} until {until}" for role, until in found["role_keys"].items()]
    invited = [f"invited {one['name']} until {one['until']}" for one in found["invitations"]]
    warnings = [f"warning: {text}" for text in found["warnings"]]
    return "\n".join([head, *lines, *roles, *invited, *warnings])


def _line(one: Identity, end_ms: int | None) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind.value,
        "state": one.state.value,
        "person": one.person,
        "roles": list(one.roles),
        "enrolment": one.enrolment.hex(),
        "since": iso(one.since_ms),
        "certificate_until": None if end_ms is None else iso(end_ms),
    }


def _warnings(book: Book, role_ends: dict[str, int], now_ms: int) -> list[str]:
    soon_ms = now_ms + SOON_MS
    texts = [
        f"role key {role} ends {iso(end_ms)}; run `outrider authority rotate`"
        for role, end_ms in role_ends.items()
        if end_ms < soon_ms
    ]
    for one in book.identities.identities:
        ends = [c.not_after_ms for c in book.certificates if c.enrolment == one.enrolment]
        if one.state == "active" and max(ends, default=0) < soon_ms:
            remedy = "run `rotate`" if one.name == MATCHER else "renew it, or enrol it again"
            texts.append(f"certificate of {one.name} ends; {remedy}")
    broker = max((c.not_after_ms for c in book.certificates if c.device == BROKER), default=0)
    if broker < soon_ms:
        texts.append(f"certificate of the broker ends {iso(broker)}; run `rotate`")
    return texts
