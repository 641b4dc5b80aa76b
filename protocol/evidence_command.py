"""`outrider evidence verify`: an export checked offline, by anyone who has the file and a root.

Needs no settings and no network. Exit 0 whole, 1 altered or unreadable, 2 wrong usage. Called by
`outrider.py`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from protocol import cose
from protocol.arguments import Unreadable, read_bounded
from protocol.evidence import EXPORT_BYTES_MAX
from protocol.evidence_check import examine, open_file
from protocol.evidence_papers import root_key
from protocol.evidence_records import Media
from protocol.evidence_verdict import Fault, Memo, Verdict
from protocol.instant import iso
from protocol.keys import VerifyKey
from protocol.refusal import Reason, Refused

INSTALLED: Final = (Path("/etc/outrider/keys/root.pem"), Path("/etc/outrider/centre/root.pem"))
_ROOT_BYTES_MAX: Final = 65536
_MEDIA_BYTES: Final = 1 << 20

_EPILOG = """example: outrider evidence verify order.cbor --trust root.pem --json
ROOT.pem: the fleet root's certificate or public key, from a source that you trust for another
reason than the file. Without it the root installed on this computer is taken (/etc/outrider/keys or
/etc/outrider/centre); without either only alteration is checked, and "anchored" is false."""


def parser() -> argparse.ArgumentParser:
    """The options of `outrider evidence verify`."""
    options = argparse.ArgumentParser(
        prog="outrider evidence verify",
        description="Check an evidence export: is it as it was sealed, and if not, where not?",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--trust", metavar="ROOT.pem", help="the root that you trust")
    options.add_argument("--media", type=Path, metavar="DIR", help="compare these files' hashes")
    options.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options.add_argument("file", metavar="FILE", help="the export; - is standard input")
    return options


def main(argv: list[str]) -> int:
    """Check the export in a file; returns the exit code."""
    options = parser().parse_args(argv)
    try:
        trusted = _trusted(options.trust)
        data = read_bounded(options.file, EXPORT_BYTES_MAX)
    except Unreadable as fault:
        print(f"outrider evidence verify: {fault}", file=sys.stderr)  # noqa: T201
        return 1
    memo = Memo()
    verdict = examine(data, trusted, memo)
    if options.media is not None and verdict.whole:
        verdict = _with_media(verdict, data, options.media, memo)
    if trusted is None:
        _warn("not anchored: no root is trusted here; give --trust ROOT.pem from a safe source")
    shown = verdict.as_json()
    print(json.dumps(shown, ensure_ascii=False) if options.json else _text(verdict))  # noqa: T201
    return 0 if verdict.whole else 1


def load_root(path: str) -> VerifyKey:
    """A root certificate or public key in PEM; raises Unreadable."""
    pem = read_bounded(path, _ROOT_BYTES_MAX)
    try:
        if b"BEGIN CERTIFICATE" in pem:
            return root_key(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER))
        key = cose.key_from_pem(pem)
        if not isinstance(key, VerifyKey):
            raise Refused(Reason.WRONG_ALGORITHM, "P-256 key; the root's is Ed25519")
    except ValueError as cause:
        raise Unreadable(f"{path}: no certificate in PEM: {cause!s:.80}") from cause
    except Refused as refused:
        raise Unreadable(f"{path}: {refused.detail}; give the fleet's root.pem") from refused
    return key


def _trusted(given: str | None) -> VerifyKey | None:
    if given is not None:
        return load_root(given)
    for path in INSTALLED:
        try:
            if not path.is_file():
                continue
        except OSError:  # not for this user to read: as if it were not there
            continue
        _warn(f"trusting the installed root {path}")
        return load_root(str(path))
    return None


def _with_media(verdict: Verdict, data: bytes, folder: Path, memo: Memo) -> Verdict:
    """Compare the files that lie in `folder` with the hashes that entries name."""
    for i, one in enumerate(open_file(data, memo).records):
        path = folder / Path(one.file).name if isinstance(one, Media) else None
        if not isinstance(one, Media) or path is None or not path.is_file():
            continue
        if _hash(path) != one.sha256:
            reason = f"{path} is not the file of entry {one.n}"
            return replace(verdict, whole=False, fault=Fault("media", one.n, reason, i))
    return verdict


def _hash(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_MEDIA_BYTES):
            digest.update(chunk)
    return digest.digest()


def _text(verdict: Verdict) -> str:
    fault, counts, about = verdict.fault, verdict.counts, verdict.about
    lines = ["whole" if fault is None else f"ALTERED: {fault.part}: {fault.reason}"]
    lines.append("anchored in the trusted root" if verdict.anchored else "not anchored")
    lines.append(
        f"{counts.entries} entries: {counts.whole} whole, {counts.erased} erased by rule, "
        f"{counts.outside} digests of entries not asked for, {counts.bare} thinned on the terminal"
        f"; {counts.missing} never came to the centre"
    )
    if about is not None:
        what = f"order {about.order}" if about.order else "time range"
        span = f"{iso(about.from_ms)} to {iso(about.to_ms)}"
        lines.append(f"fleet {about.fleet}, {what}, {span}")
        lines.append(f"made {iso(about.made_ms)} by {about.by}: {about.reason}")
    return "\n".join(lines)


def _warn(line: str) -> None:
    print(f"outrider evidence verify: {line}", file=sys.stderr)  # noqa: T201
