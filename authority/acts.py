"""What the authority does to its book: one function an act, each gives a new book. Pure.

Versions only rise; a name has one active enrolment; a code is used once. Refusals name the remedy,
since the operator reads them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from authority import takeover
from authority.book import HOSTS_MAX, Book, Invitation, Issued
from authority.certificates import DAY_MS, EARLY_MS
from authority.enrol_request import OpenedRequest
from protocol.groups import is_group_role
from protocol.identities import LAST_GOOD_MS, Identity, IdentityKind, Role, RoleKey, State
from protocol.names import name
from protocol.refusal import Reason, Refused
from protocol.request import ROLES_OF_VERB

MATCHER, BROKER, CANARY = "matcher", "broker", "canary"
RESERVED: Final = frozenset({MATCHER, BROKER, CANARY, "authority"})
INVITABLE: Final = frozenset({IdentityKind.TERMINAL, IdentityKind.MANAGER, IdentityKind.GATEWAY})
ROLES_KNOWN: Final = frozenset().union(*ROLES_OF_VERB.values())
CODE_LIFE_MS: Final = 15 * 60_000
CODE_LIFE_MS_MAX: Final = DAY_MS
PERSON_CHARACTERS_MAX: Final = 64
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
ROLE_DAYS_MAX: Final = 7
OVERLAP_HOURS: Final = 24  # of an old role key beside its successor
ROLE_KEYS_KEPT: Final = 4  # of one role, the one in use included: the trust document stays small


@dataclass(frozen=True, slots=True)
class Invitee:
    """Who is invited: the name, and for a manager's tool whose it is and what that person may."""

    device: str
    kind: IdentityKind = IdentityKind.TERMINAL
    person: str | None = None
    roles: tuple[str, ...] = ()


def check_invitee(invitee: Invitee) -> None:
    """Raises Refused(malformed, out_of_range)."""
    name(invitee.device, "name")
    if invitee.device in RESERVED:
        raise Refused(
            Reason.OUT_OF_RANGE, f"name {invitee.device} is the centre's own; use another"
        )
    if invitee.kind not in INVITABLE:
        raise Refused(
            Reason.OUT_OF_RANGE, f"kind {invitee.kind}: `init` makes it, not an invitation"
        )
    if (invitee.kind is IdentityKind.MANAGER) != (invitee.person is not None):
        raise Refused(Reason.MALFORMED, "a manager's tool needs --person, nothing else has one")
    person = invitee.person
    if person is not None and not (
        person.isprintable() and 0 < len(person) <= PERSON_CHARACTERS_MAX
    ):
        raise Refused(
            Reason.MALFORMED, f"person {person!r:.80}: wanted 1 to 64 printable characters"
        )
    unknown = sorted(role for role in set(invitee.roles) - ROLES_KNOWN if not is_group_role(role))
    if unknown or bool(invitee.roles) != (invitee.kind is IdentityKind.MANAGER):
        known = ", ".join([*sorted(ROLES_KNOWN), "group-NAME"])
        raise Refused(
            Reason.MALFORMED, f"roles {unknown or '(none)'}: a manager has some of {known}"
        )


def invite(book: Book, invitee: Invitee, code_key: bytes, expires_ms: int, now_ms: int) -> Book:
    """Add an invitation; an older one of the same name ends."""
    check_invitee(invitee)
    made = Invitation(
        invitee.device, invitee.kind, invitee.person, invitee.roles, code_key, expires_ms, None
    )
    kept = [
        one
        for one in book.invitations
        if one.device != invitee.device and now_ms < one.expires_ms + 7 * DAY_MS
    ]
    return replace(book, invitations=(*kept, made))


def invitation_for(book: Book, opened: OpenedRequest, now_ms: int) -> Invitation:
    """The invitation that `opened` redeems, or has redeemed already; raises Refused."""
    device = opened.request.device
    invitation = book.invitation(device)
    if invitation is None:
        detail = f"{device} is not invited; run `outrider authority invite {device}`"
        raise Refused(Reason.UNKNOWN_SENDER, detail)
    if not opened.knows(invitation.code_key):
        raise Refused(Reason.BAD_SEAL, f"{device}: the code does not fit its invitation; ask anew")
    if invitation.used_by == opened.digest:
        return invitation
    if invitation.used_by is not None:
        raise Refused(Reason.REPLAYED, f"{device}: the code was used already; invite it again")
    if now_ms >= invitation.expires_ms:
        late_s = (now_ms - invitation.expires_ms) // 1000
        raise Refused(Reason.EXPIRED, f"{device}: the code ran out {late_s} s ago; invite it again")
    _check_new_key(book, opened.request.seal_public)
    return invitation


def enrol(
    book: Book,
    invitation: Invitation,
    opened: OpenedRequest,
    issued: Issued,
    certificate_digest: bytes,
    now_ms: int,
) -> Book:
    """Add the identity, close an older one of the name, use up the invitation: one version."""
    identity = Identity(
        name=invitation.device,
        kind=invitation.kind,
        person=invitation.person,
        roles=invitation.roles,
        enrolment=issued.enrolment,
        state=State.ACTIVE,
        keys=(opened.request.seal_public,),
        tls_fingerprints=(certificate_digest,),
        since_ms=now_ms,
    )
    used = replace(invitation, used_by=opened.digest)
    closed = _ended(book, invitation.device, State.CLOSED, now_ms)
    return replace(
        _with_identities(closed, (*closed.identities.identities, identity), now_ms),
        invitations=tuple(used if one == invitation else one for one in book.invitations),
        certificates=(*takeover.ended(closed.certificates, invitation.device, now_ms), issued),
    )


def revoke(book: Book, device: str, now_ms: int) -> Book:
    """End the active enrolment of `device` and its open invitation; raises Refused."""
    if device in RESERVED:
        raise Refused(Reason.OUT_OF_RANGE, f"{device} is the centre's own; use `rotate`")
    if book.active(device) is None:
        raise Refused(Reason.UNKNOWN_SENDER, f"{device} is not enrolled; see `authority list`")
    ended = _ended(book, device, State.REVOKED, now_ms)
    open_ones = tuple(one for one in book.invitations if one.device != device)
    return replace(
        _with_identities(ended, ended.identities.identities, now_ms), invitations=open_ones
    )


def rotate(book: Book, role_keys: Iterable[RoleKey], now_ms: int, overlap_ms: int) -> Book:
    """New role keys beside the old, which end after `overlap_ms` at the latest."""
    new = tuple(role_keys)
    replaced = {key.role for key in new}
    end_ms = now_ms + overlap_ms
    old = [
        replace(key, not_after_ms=min(key.not_after_ms, end_ms)) if key.role in replaced else key
        for key in book.trust.role_keys
    ]
    keys = _kept_keys([*old, *new], now_ms)
    trust = replace(
        book.trust, version=book.trust.version + 1, issued_ms=now_ms, role_keys=tuple(keys)
    )
    return replace(book, trust=trust)


def renew_centre(
    book: Book, issued: Iterable[Issued], certificate_digest: bytes, now_ms: int
) -> Book:
    """New certificates of matcher, broker and canary; the old ones hold until they end."""

    def renewed(one: Identity) -> Identity:
        return replace(one, tls_fingerprints=(*one.tls_fingerprints, certificate_digest)[-2:])

    listed = _changed(book, lambda one: one.name == MATCHER, renewed)
    return replace(
        _with_identities(book, listed, now_ms), certificates=(*book.certificates, *issued)
    )


def pruned(book: Book, now_ms: int) -> Book:
    """Without certificates that ended a day ago: no list needs to name them."""
    kept = tuple(one for one in book.certificates if now_ms < one.not_after_ms + DAY_MS)
    return replace(book, certificates=kept)


def check_role_days(days: int) -> None:
    """Raises Refused(out_of_range)."""
    if not 1 <= days <= ROLE_DAYS_MAX:
        raise Refused(Reason.OUT_OF_RANGE, f"role keys for {days} days; 1 to {ROLE_DAYS_MAX}")


def check_overlap(hours: int) -> None:
    """Raises Refused(out_of_range)."""
    if not 0 <= hours <= ROLE_DAYS_MAX * 24:
        raise Refused(Reason.OUT_OF_RANGE, f"overlap of {hours} h; 0 to {ROLE_DAYS_MAX * 24}")


def check_hosts(hosts: tuple[str, ...]) -> None:
    """Names or addresses of the broker; raises Refused(malformed, out_of_range)."""
    if len(hosts) > HOSTS_MAX - 2:
        raise Refused(Reason.OUT_OF_RANGE, f"{len(hosts)} hosts; at most {HOSTS_MAX - 2}")
    for host in hosts:
        if len(host) > 253 or not _HOST.fullmatch(host):
            detail = f"host {host!r:.60}; wanted a DNS name in ASCII or an IP address"
            raise Refused(Reason.MALFORMED, detail)


def certified(role: Role, public_key: bytes, now_ms: int, days: int) -> RoleKey:
    """A role key as the trust document lists it; raises Refused(out_of_range)."""
    check_role_days(days)
    return RoleKey(role, public_key, now_ms - EARLY_MS, now_ms + days * DAY_MS)


def _ended(book: Book, device: str, state: State, now_ms: int) -> Book:
    """The active enrolment of `device` in `state`, its certificates revoked; no version yet."""
    active = book.active(device)
    if active is None:
        return book
    listed = _changed(book, lambda one: one is active, lambda one: replace(one, state=state))
    certificates = tuple(
        replace(one, revoked_ms=now_ms)
        if one.enrolment == active.enrolment and one.revoked_ms is None
        else one
        for one in book.certificates
    )
    document = replace(book.identities, identities=listed)
    return replace(book, identities=document, certificates=certificates)


def _changed(
    book: Book, which: Callable[[Identity], bool], change: Callable[[Identity], Identity]
) -> tuple[Identity, ...]:
    return tuple(change(one) if which(one) else one for one in book.identities.identities)


def _with_identities(book: Book, listed: tuple[Identity, ...], now_ms: int) -> Book:
    document = book.identities
    return replace(
        book,
        identities=replace(
            document, version=document.version + 1, issued_ms=now_ms, identities=listed
        ),
    )


def _check_new_key(book: Book, seal_public: bytes) -> None:
    for one in book.identities.identities:
        if seal_public in one.keys:
            detail = f"that key is enrolled already, as {one.name}; make a new request"
            raise Refused(Reason.REPLAYED, detail)


def _kept_keys(keys: list[RoleKey], now_ms: int) -> list[RoleKey]:
    """The newest ROLE_KEYS_KEPT of each role that may still hold somewhere, in order."""
    living = [key for key in keys if now_ms <= key.not_after_ms + LAST_GOOD_MS]
    kept: list[RoleKey] = []
    for at, key in enumerate(living):
        newer = sum(1 for other in living[at + 1 :] if other.role is key.role)
        if newer < ROLE_KEYS_KEPT:
            kept.append(key)
    return kept
