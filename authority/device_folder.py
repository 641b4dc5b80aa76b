"""The device's side of enrolment: its keys folder, from request to certificate.

    tls.key seal.key            made here, mode 0600, never leave
    request.cbor pending.cbor   until the approval is installed
    tls.pem root.pem trust.cbor from the approval

The agent, the bridge's neighbours and managers' tools read this folder. Callers: `enrol_command`,
`ceremony`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from authority import approval, codes, enrol_request
from authority.approval import Installed, Pending
from protocol.identities import open_trust
from protocol.keys import SealKey, VerifyKey
from protocol.names import common_name
from protocol.refusal import Reason, Refused
from runtime.faults import ConfigFault
from runtime.files import read_small, require_private
from runtime.key_files import (
    certificate_pem,
    fingerprint_of,
    load_certificate,
    load_private,
    public_key_of,
    write_private,
)
from runtime.store import atomic_write

TLS_KEY, SEAL_KEY = "tls.key", "seal.key"
TLS_CERTIFICATE, ROOT, TRUST = "tls.pem", "root.pem", "trust.cbor"
REQUEST, PENDING, APPROVAL = "request.cbor", "pending.cbor", "approval.cbor"
_FOLDER_MODE: Final = 0o700


def make_request(folder: Path, fleet: str, device: str, code: str, now_ms: int) -> bytes:
    """Make keys where there are none yet, write and return the request.

    With a new code the keys of an unanswered request serve again. Raises Refused for a bad name or
    code before anything is written; ConfigFault where the folder is enrolled.
    """
    common_name(fleet, device)
    codes.normal(code)
    if (folder / TLS_CERTIFICATE).exists():
        remedy = "name a new folder for another enrolment"
        raise ConfigFault(folder, "is enrolled already", None, remedy)
    _make_folder(folder)
    tls_key, seal_key = _own_key(folder / TLS_KEY), _own_key(folder / SEAL_KEY)
    message = enrol_request.make(fleet, device, code, tls_key, SealKey(seal_key), now_ms)
    pending = approval.pending_for(fleet, device, code, message)
    atomic_write(folder / PENDING, approval.encode_pending(pending))
    atomic_write(folder / REQUEST, message, 0o644)
    return message


def install(folder: Path, message: bytes, root_fingerprint: str | None = None) -> Installed:
    """Check an approval against the folder's request and keys, then write what it brings.

    `root_fingerprint`, where given, must be the root's. Raises Refused, ConfigFault, StoreFault.
    """
    pending = _pending(folder)
    tls_public = load_private(folder / TLS_KEY).public_key().public_bytes_raw()
    load_private(folder / SEAL_KEY)
    installed = approval.open_approval(message, pending, tls_public)
    shown = installed.root_fingerprint
    if root_fingerprint is not None and not codes.same_fingerprint(shown, root_fingerprint):
        raise Refused(Reason.WRONG_ROLE, f"root: its fingerprint is {shown}, wanted another")
    _check_same_root(folder / ROOT, installed)
    atomic_write(folder / ROOT, certificate_pem(installed.root), 0o644)
    if not _holds_newer_trust(folder / TRUST, installed):
        atomic_write(folder / TRUST, installed.trust_message, 0o644)
    atomic_write(folder / TLS_CERTIFICATE, certificate_pem(installed.certificate), 0o644)
    for name in (PENDING, REQUEST):
        (folder / name).unlink(missing_ok=True)
    return installed


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as cause:
        raise ConfigFault(
            folder, "cannot be made", cause.strerror, "name another folder"
        ) from cause


def _own_key(path: Path) -> Ed25519PrivateKey:
    if path.exists():
        return load_private(path)
    key = Ed25519PrivateKey.generate()
    write_private(path, key)
    return key


def _pending(folder: Path) -> Pending:
    path = folder / PENDING
    if not path.exists():
        remedy = "run `outrider enrol request` here first, or name its folder"
        raise ConfigFault(folder, "waits for no approval", None, remedy)
    require_private(path)
    try:
        return approval.decode_pending(read_small(path))
    except Refused as cause:
        raise ConfigFault(path, "is damaged", cause.detail, "make a new request") from cause


def _check_same_root(path: Path, installed: Installed) -> None:
    if path.exists() and fingerprint_of(load_certificate(path)) != fingerprint_of(installed.root):
        remedy = "a fleet keeps its root; name a new folder to join another fleet"
        raise ConfigFault(path, "is another root than the approval's", None, remedy)


def _holds_newer_trust(path: Path, installed: Installed) -> bool:
    if not path.exists():
        return False
    root = VerifyKey(public_key_of(installed.root))
    try:
        held = open_trust(read_small(path), installed.trust.fleet, root)
    except Refused:
        return False  # damaged: the approval's is better
    return held.version > installed.trust.version
