"""Renewal by hand, in the keys folder of a manager's tool (or of a terminal that cannot connect).

An agent renews by itself; a tool runs for seconds, so its person does: `outrider enrol renew`, the
request to the authority, `outrider enrol install` of centre/renewed/NAME.cbor. Callers:
`enrol_command`.
"""

from __future__ import annotations

from pathlib import Path

from authority.device_folder import ROOT, SEAL_KEY, TLS_CERTIFICATE, TRUST
from protocol import renewal
from protocol.identities import IdentityKind, Trust, open_trust
from protocol.keys import SealKey, VerifyKey
from protocol.names import common_name, split_common_name
from protocol.refusal import Reason, Refused
from protocol.renewal import NewCertificate, RenewalRequest
from runtime import key_renewal
from runtime.faults import ConfigFault
from runtime.files import read_small
from runtime.key_files import (
    common_name_of,
    enrolment_of,
    load_certificate,
    load_private,
    make_csr,
    public_key_of,
)
from runtime.key_renewal import RENEWAL, REQUEST


def ask(folder: Path, kind: IdentityKind, now_ms: int) -> Path:
    """Make new keys beside the old ones and a request that the old one seals; its file.

    The same request again while one is under way. Raises ConfigFault, Refused, StoreFault.
    """
    certificate = load_certificate(folder / TLS_CERTIFICATE)
    key_renewal.recover(folder)
    if key_renewal.pending(folder) is None:
        fleet, device = split_common_name(common_name_of(certificate))
        made = key_renewal.begin(folder)
        request = RenewalRequest(
            fleet, device, kind, enrolment_of(certificate), now_ms, made.seal_public,
            make_csr(made.tls_key, common_name(fleet, device)),
        )  # fmt: skip
        key = SealKey(load_private(folder / SEAL_KEY))
        key_renewal.keep_request(folder, renewal.seal_request(request, key))
    return folder / RENEWAL / REQUEST


def install(folder: Path, message: bytes, now_ms: int) -> NewCertificate:
    """Check a renewed certificate against what waits here, then put it in place.

    A tool seals with its new key at once; a terminal's agent changes that itself, since its
    logbook must name the new key first. Raises Refused, ConfigFault, StoreFault.
    """
    waiting = key_renewal.pending(folder)
    if waiting is None:
        remedy = "run `outrider enrol renew` here first, or name its folder"
        raise ConfigFault(folder, "waits for no renewed certificate", None, remedy)
    root, asked = load_certificate(folder / ROOT), renewal.claimed(waiting.request)
    trust = _trust(folder, asked.fleet, VerifyKey(public_key_of(root)))
    found = renewal.open_certificate(
        message, asked, lambda kind, kid: trust.key_for(kind, kid, now_ms)
    )
    if found.seal_public != waiting.seal_public:
        raise Refused(Reason.REPLAYED, "certificate: answers another request than the one here")
    certificate = renewal.load_der(found.certificate)
    wanted = key_renewal.Wanted(
        common_name(asked.fleet, asked.device), asked.enrolment, waiting.tls_public, root, 0, now_ms
    )
    fault = key_renewal.why_not(certificate, wanted)
    if fault is not None:
        raise Refused(Reason.WRONG_ROLE, f"certificate: {fault}")
    key_renewal.take(folder, certificate)
    key_renewal.roll_tls(folder)
    if asked.kind is not IdentityKind.TERMINAL:
        key_renewal.roll_seal(folder)
    return found


def _trust(folder: Path, fleet: str, root: VerifyKey) -> Trust:
    try:
        return open_trust(read_small(folder / TRUST), fleet, root)
    except Refused as cause:
        remedy = "take the newest one from the authority's centre folder"
        raise ConfigFault(folder / TRUST, "is refused", str(cause), remedy) from cause
