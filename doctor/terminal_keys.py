"""A terminal's keys and certificate: what the agent would refuse, found without touching a file.

`agent.identity.load_identity` finishes a renewal that was cut off, which is the agent's to do.
"""

import os
from pathlib import Path
from typing import Final

from doctor.core.dates import Life
from doctor.core.finding import Finding, fault, ok
from doctor.faults import of_fault
from runtime.faults import ConfigFault
from runtime.key_files import (
    common_name_of,
    dates_ms_of,
    enrolment_of,
    load_certificate,
    load_private,
    public_key_of,
)
from runtime.key_renewal import RENEWAL, TLS_CERTIFICATE

_ENROL: Final = "enrol again, or restore the folder"


def check_keys(folder: Path, name: str) -> Finding:
    """The first that is wrong: secrets, root, certificate, its name, the pair."""
    try:
        load_private(folder / "seal.key")
        tls_key = load_private(folder / "tls.key")
        public_key_of(load_certificate(folder / "root.pem"))
        tls = load_certificate(folder / "tls.pem")
        enrolment_of(tls)
        fits = tls_key.public_key().public_bytes_raw() == public_key_of(tls)
    except ConfigFault as cause:
        return of_fault("keys", cause, as_root=os.geteuid() == 0)
    if common_name_of(tls) != name:
        remedy = f"set fleet and device to the certificate's, or enrol {name}"
        found = f"{folder / 'tls.pem'} is not of {name} but of {common_name_of(tls)}"
        return fault("keys", found, remedy)
    if (folder / RENEWAL / TLS_CERTIFICATE).exists():
        return ok("keys", f"in {folder}; the agent puts a renewed certificate in place")
    if not fits:
        return fault("keys", f"{folder / 'tls.key'} does not belong to tls.pem", _ENROL)
    return ok("keys", f"in {folder}, private, of {name}")


def certificate_life(folder: Path, name: str) -> Life:
    """Raises ConfigFault."""
    certificate = load_certificate(folder / "tls.pem")
    return Life(f"certificate of {name}", *dates_ms_of(certificate))
