"""The authority at work: one folder, locked; acts change the book, `save` makes them last.

    with Office.open(folder) as office:
        code = office.invite(Invitee("car-07"), now_ms)
        office.save(now_ms)

Callers: `command`, `ceremony`. Chance and new keys come in here, nowhere below.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from authority import (
    acts,
    approval,
    certificates,
    codebooks,
    codes,
    configurations,
    publication,
    renewals,
    takeover,
)
from authority.acts import BROKER, CANARY, MATCHER, Invitee
from authority.book import Book, Invitation, Issued
from authority.certificates import DAY_MS, SERIAL_BYTES, Leaf, Root
from authority.enrol_request import OpenedRequest, open_request
from authority.folder import CENTRE, ROOT_CERTIFICATE, ROOT_KEY, Folder
from authority.renewals import Checked
from protocol.identities import Identities, Identity, IdentityKind, Role, RoleKey, State, Trust
from protocol.names import ENROLMENT_BYTES, common_name, name
from protocol.refusal import Reason, Refused
from runtime.key_files import certificate_der, certificate_pem, fingerprint_of, write_private
from runtime.store import atomic_write

TLS_DAYS: Final = 30
HOUR_MS: Final = 3_600_000
ALWAYS_HOSTS: Final = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class Approved:
    """What `approve` gives: the file for the device, and what to tell the operator."""

    device: str
    enrolment: bytes
    approval: bytes
    again: bool  # the same request had been approved before


class Office:
    """Holds the book in memory; nothing lasts before `save`. Made by `open` and `create`."""

    def __init__(self, folder: Folder, root: Root, book: Book) -> None:
        self.folder, self.root, self.book = folder, root, book
        self._audit: list[tuple[str, dict[str, object]]] = []

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator[Office]:
        """Lock and load; raises ConfigFault, StoreBusy."""
        folder = Folder(path)
        with folder.locked():
            book, root = folder.load_book(), folder.load_root()
            publication.check_not_behind(book, root, folder)
            yield cls(folder, root, book)

    @property
    def root_fingerprint(self) -> str:
        return codes.digits_of(fingerprint_of(self.root.certificate))

    def invite(self, invitee: Invitee, now_ms: int, life_ms: int = acts.CODE_LIFE_MS) -> str:
        """A one-time code for `invitee`, to be shown once; raises Refused."""
        if not 0 < life_ms <= acts.CODE_LIFE_MS_MAX:
            limit_min = acts.CODE_LIFE_MS_MAX // 60_000
            raise Refused(Reason.OUT_OF_RANGE, f"a code lives 1 to {limit_min} min")
        acts.check_invitee(invitee)
        code = codes.code_text(secrets.token_bytes(codes.CODE_BYTES))
        key = codes.code_key(self.book.fleet, invitee.device, code)
        self.book = acts.invite(self.book, invitee, key, now_ms + life_ms, now_ms)
        self._note("invite", name=invitee.device, kind=invitee.kind, person=invitee.person)
        return code

    def examine(self, message: bytes, now_ms: int) -> tuple[OpenedRequest, Invitation]:
        """A request that may be approved, with its invitation; raises Refused, which is audited."""
        try:
            opened = open_request(message, self.book.fleet)
            return opened, acts.invitation_for(self.book, opened, now_ms)
        except Refused as cause:
            self.folder.audit(now_ms, "refuse", reason=cause.reason, detail=cause.detail)
            raise

    def reject(self, opened: OpenedRequest, now_ms: int) -> None:
        """Note at once that the operator saw another fingerprint on the device."""
        fields = {"name": opened.request.device, "fingerprint": opened.fingerprint}
        self.folder.audit(now_ms, "reject", **fields)

    def approve(self, message: bytes, now_ms: int) -> Approved:
        """Enrol the maker of a request; the same request again gives its approval again."""
        opened, invitation = self.examine(message, now_ms)
        device, again = opened.request.device, invitation.used_by is not None
        if not again:
            self._enrol(opened, invitation, now_ms)
        issued = self.book.newest_certificate(device)
        pending = approval.Pending(self.book.fleet, device, invitation.code_key, opened.digest)
        root = certificate_der(self.root.certificate)
        trust = publication.sealed_trust(self.book, self.root)
        made = approval.make(pending, issued.certificate, root, trust)
        return Approved(device, issued.enrolment, made, again)

    def revoke(self, device: str, now_ms: int) -> None:
        """Raises Refused."""
        self.book = acts.revoke(self.book, device, now_ms)
        self._note("revoke", name=device)

    def rotate(
        self,
        now_ms: int,
        role_days: int = acts.ROLE_DAYS_MAX,
        roles: Iterable[Role] = (),
        overlap_hours: int = acts.OVERLAP_HOURS,
    ) -> None:
        """New keys of `roles`; without any, of every role, and new certificates of the centre."""
        acts.check_overlap(overlap_hours)
        only = tuple(roles)
        keys = new_role_keys(self.folder, now_ms, role_days, only or tuple(Role))
        self.book = acts.rotate(self.book, keys, now_ms, overlap_hours * HOUR_MS)
        if not only:
            self._renew_centre(now_ms)
        self._note("rotate", roles=[key.role for key in keys], overlap_hours=overlap_hours)

    def _renew_centre(self, now_ms: int) -> None:
        matcher = self.book.active(MATCHER)
        enrolment = matcher.enrolment if matcher else secrets.token_bytes(ENROLMENT_BYTES)
        issued, digest = issue_centre(
            self.folder, self.root, self.book.fleet, self.book.hosts, enrolment, now_ms
        )
        self.book = acts.renew_centre(self.book, issued, digest, now_ms)

    def renew(self, message: bytes, now_ms: int, *, older_key: bool = False) -> Checked:
        """Answer a renewal request; the same again changes nothing. Raises Refused, audited."""
        try:
            checked = renewals.check(self.book, message, older_key=older_key)
        except Refused as cause:
            self.folder.audit(now_ms, "refuse", reason=cause.reason, detail=cause.detail)
            raise
        if not checked.again:
            device, enrolment = checked.request.device, checked.request.enrolment
            issued, digest = _issue_client(
                self.root, self.book.fleet, device, checked.tls_public, enrolment, now_ms
            )
            self.book = renewals.renew(self.book, checked, issued, digest, now_ms)
            self._note("renew", name=device, version=self.book.identities.version)
        return checked

    def configure(self, settings: str, names: Iterable[str], now_ms: int) -> int:
        """A configuration for `names`, or for all without any; its version. Raises Refused."""
        wanted = tuple(names)
        self.book = configurations.configure(self.book, settings, wanted, now_ms)
        version = configurations.newest_version(self.book)
        self._note("configure", version=version, names=list(wanted))
        return version

    def adopt_codebook(self, text: str, now_ms: int) -> tuple[int, tuple[str, ...]]:
        """The fleet's codebook from now on: version, what changes. Raises WrongCodebook."""
        self.book, found = codebooks.adopt(self.book, text, now_ms)
        version = codebooks.newest(self.book).version
        self._note("codebook", version=version, changes=len(found.changes))
        return version, found.changes

    def save(self, now_ms: int) -> None:
        """Write audit lines, book, published files, in this order; every save renews the CRL."""
        for action, fields in self._audit:
            tail = self.folder.audit(now_ms, action, **fields)
            self.book = replace(self.book, audit_lines=tail.lines, audit_chain=tail.chain)
        self._audit.clear()
        self.book = replace(acts.pruned(self.book, now_ms), crl_number=self.book.crl_number + 1)
        published_list = self.folder.published(f"{CENTRE}/{publication.REVOKED}")
        self.book = takeover.prepared(self.book, self.folder, self.root, published_list, now_ms)
        files = publication.files_of(self.book, self.root, self.folder, now_ms)
        self.folder.save_book(self.book)
        self.folder.publish(files)
        self.folder.forget_keys_but(publication.keys_in_use(self.book))
        takeover.sweep(self.folder.path / CENTRE, takeover.take_overs(self.book))

    def _enrol(self, opened: OpenedRequest, invitation: Invitation, now_ms: int) -> None:
        device, enrolment = invitation.device, secrets.token_bytes(ENROLMENT_BYTES)
        issued, digest = _issue_client(
            self.root, self.book.fleet, device, opened.tls_public, enrolment, now_ms
        )
        self.book = acts.enrol(self.book, invitation, opened, issued, digest, now_ms)
        self._note(
            "approve",
            name=device,
            enrolment=enrolment.hex(),
            fingerprint=opened.fingerprint,
            version=self.book.identities.version,
        )

    def _note(self, action: str, **fields: object) -> None:
        self._audit.append((action, fields))


def create(path: Path, fleet: str, now_ms: int, hosts: tuple[str, ...], role_days: int) -> Office:
    """A new authority in a new folder, published; the lock is the caller's. Raises ConfigFault."""
    name(fleet, "fleet")
    acts.check_hosts(hosts)
    acts.check_role_days(role_days)
    folder = Folder(path)
    folder.make()
    root_key = Ed25519PrivateKey.generate()
    write_private(path / ROOT_KEY, root_key)
    root = certificates.make_root(fleet, root_key, secrets.token_bytes(SERIAL_BYTES), now_ms)
    atomic_write(path / ROOT_CERTIFICATE, certificate_pem(root.certificate), 0o644)
    hosts = tuple(dict.fromkeys((*ALWAYS_HOSTS, *hosts)))
    keys = new_role_keys(folder, now_ms, role_days)
    enrolment = secrets.token_bytes(ENROLMENT_BYTES)
    issued, digest = issue_centre(folder, root, fleet, hosts, enrolment, now_ms)
    matcher = Identity(
        MATCHER, IdentityKind.MATCHER, None, (), enrolment, State.ACTIVE, (), (digest,), now_ms
    )
    identities = Identities(fleet, 1, now_ms, (matcher,))
    trust = Trust(fleet, 1, now_ms, keys)
    office = Office(folder, root, Book(fleet, 0, hosts, identities, trust, (), issued))
    office.folder.audit(now_ms, "init", fleet=fleet, root=office.root_fingerprint)
    office.save(now_ms)
    return office


def new_role_keys(
    folder: Folder, now_ms: int, days: int, roles: Iterable[Role] = tuple(Role)
) -> tuple[RoleKey, ...]:
    """A new key of each of `roles`, on disk. Raises Refused(out_of_range)."""
    return tuple(
        acts.certified(role, folder.new_key().public_key().public_bytes_raw(), now_ms, days)
        for role in roles
    )


def issue_centre(
    folder: Folder, root: Root, fleet: str, hosts: tuple[str, ...], enrolment: bytes, now_ms: int
) -> tuple[tuple[Issued, ...], bytes]:
    """Certificates of matcher, broker and canary, and the digest of the matcher's.

    The canary is revoked from its first moment: a broker that lets it in has lost its list.
    """
    client, digest = _issue_client(
        root, fleet, MATCHER, folder.new_key().public_key(), enrolment, now_ms
    )
    nobody = secrets.token_bytes(ENROLMENT_BYTES)
    canary, _ = _issue_client(root, fleet, CANARY, folder.new_key().public_key(), nobody, now_ms)
    leaf = _leaf(fleet, BROKER, folder.new_key().public_key(), now_ms)
    server = certificates.server_certificate(root, leaf, hosts)
    end_ms = now_ms + TLS_DAYS * DAY_MS
    broker = Issued(BROKER, b"", certificate_der(server), end_ms, None)
    return (client, broker, replace(canary, revoked_ms=now_ms)), digest


def _issue_client(
    root: Root, fleet: str, device: str, key: Ed25519PublicKey, enrolment: bytes, now_ms: int
) -> tuple[Issued, bytes]:
    """The certificate as the book keeps it, and its digest."""
    leaf = _leaf(fleet, device, key, now_ms)
    made = certificates.client_certificate(root, leaf, enrolment)
    end_ms = now_ms + TLS_DAYS * DAY_MS
    return Issued(device, enrolment, certificate_der(made), end_ms, None), fingerprint_of(made)


def _leaf(fleet: str, device: str, key: Ed25519PublicKey, now_ms: int) -> Leaf:
    serial = secrets.token_bytes(SERIAL_BYTES)
    return Leaf(common_name(fleet, device), key, serial, now_ms, TLS_DAYS)
