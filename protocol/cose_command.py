"""`outrider cose verify`: a COSE_Sign1 of anyone's, verified by a key in hex or PEM.

Exit 0 verified, 1 refused or unreadable (one line on stderr says why), 2 wrong usage. Called by
`outrider.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Final

from protocol import cose
from protocol.arguments import Unreadable, hexadecimal, read_bounded
from protocol.cose import Key, Verified
from protocol.refusal import Refused

KEY_BYTES_MAX: Final = 65536

_EPILOG = """example:
  outrider cose verify --key signer.pem --aad 11aa22 message.cbor
KEY: an Ed25519 public key as 64 hex digits, or a PEM file with an Ed25519 or P-256 public key.
Algorithms: -8 EdDSA and -19 with Ed25519 keys, -7 ES256; tag 18 or none."""


def parser() -> argparse.ArgumentParser:
    """The options of `outrider cose verify`."""
    options = argparse.ArgumentParser(
        prog="outrider cose verify",
        description="Verify a COSE_Sign1 message (RFC 9052).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--key", required=True, help="64 hex digits or a PEM file")
    options.add_argument(
        "--aad", type=hexadecimal, default=b"", metavar="HEX", help="external additional data"
    )
    options.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options.add_argument("file", metavar="FILE", help="the message; - is standard input")
    return options


def main(argv: list[str]) -> int:
    """Verify the message in a file; returns the exit code."""
    options = parser().parse_args(argv)
    try:
        message = read_bounded(options.file, cose.MESSAGE_BYTES_MAX)
        verified = cose.verify(message, _key(options.key), options.aad)
    except Unreadable as fault:
        return _refuse(str(fault), "unreadable", str(fault), as_json=options.json)
    except Refused as refused:
        line = f"{options.file}: refused: {refused}"
        return _refuse(line, refused.reason.value, refused.detail, as_json=options.json)
    print(_json_of(verified) if options.json else _line_of(verified))  # noqa: T201
    return 0


def _key(given: str) -> Key:
    """Raises Unreadable where it is neither hex nor a file, Refused where it is no usable key."""
    from_hex = cose.key_from_hex(given)
    if from_hex is not None:
        return from_hex
    try:
        pem = read_bounded(given, KEY_BYTES_MAX)
    except Unreadable as fault:
        remedy = "give 64 hex digits of an Ed25519 key or a PEM file"
        raise Unreadable(f"--key {fault}; {remedy}") from fault
    try:
        return cose.key_from_pem(pem)
    except Refused as refused:
        raise Refused(refused.reason, f"--key {given}: {refused.detail}") from refused


def _refuse(line: str, reason: str, detail: str, *, as_json: bool) -> int:
    print(f"outrider cose verify: {line}", file=sys.stderr)  # noqa: T201
    if as_json:
        print(json.dumps({"verified": False, "reason": reason, "detail": detail}))  # noqa: T201
    return 1


def _line_of(verified: Verified) -> str:
    name = cose.ALGORITHMS[verified.algorithm]
    kid = "none" if verified.kid is None else verified.kid.hex() or "empty"
    line = f"verified: {name}, key id {kid}, payload {len(verified.payload)} bytes"
    return line if verified.is_algorithm_protected else f"{line}; algorithm header is unprotected"


def _json_of(verified: Verified) -> str:
    return json.dumps(
        {
            "verified": True,
            "algorithm": verified.algorithm,
            "algorithm_name": cose.ALGORITHMS[verified.algorithm],
            "algorithm_protected": verified.is_algorithm_protected,
            "kid": None if verified.kid is None else verified.kid.hex(),
            "payload": verified.payload.hex(),
        }
    )
