"""`outrider message open`: one of our envelopes to one JSON object.

`kind` and the payload's names from docs/protocol/outrider.cddl. Exit 0 opened, 1 refused or
unreadable (one line on stderr says why), 2 wrong usage. Called by `outrider.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Final

from protocol import cose, message
from protocol.arguments import Unreadable, hexadecimal, read_bounded
from protocol.identities import DOCUMENT_BYTES_MAX
from protocol.keys import VerifyKey
from protocol.names import ENROLMENT_BYTES
from protocol.refusal import Reason, Refused

KEY_BYTES_MAX: Final = 65536

_EPILOG = """example:
  outrider message open --key terminal.pem --enrolment 00112233445566778899aabbccddeeff \\
      --topic outrider/v1/terminal/zz/car-7/position message.bin
PUB: a PEM file with the Ed25519 public key of whoever sealed it, or its 64 hex digits.
Documents (trust, identities, configuration, codebook) are bound to the fleet: give the fleet's
name as topic and '' as enrolment, or the order topic on which they came."""


def parser() -> argparse.ArgumentParser:
    """The options of `outrider message open`."""
    options = argparse.ArgumentParser(
        prog="outrider message open",
        description="Open one message and print its kind and fields as JSON.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--key", required=True, metavar="PUB", help="the sealer's public key")
    options.add_argument("--topic", required=True, help="the topic it was published on")
    options.add_argument(
        "--enrolment", required=True, type=_enrolment, metavar="HEX",
        help="enrolment id of the terminal or manager in the topic, 32 hex digits",
    )  # fmt: skip
    options.add_argument("--json", action="store_true", help="accepted; the output is JSON anyway")
    options.add_argument("file", metavar="FILE", help="the message; - is standard input")
    return options


def main(argv: list[str]) -> int:
    """Open the message in a file; returns the exit code."""
    options = parser().parse_args(argv)
    try:
        key = _key(options.key)
        data = read_bounded(options.file, DOCUMENT_BYTES_MAX)
        opened = message.open_message(data, key, options.topic, options.enrolment)
    except Unreadable as fault:
        return _refuse(str(fault))
    except Refused as refused:
        return _refuse(f"{options.file}: refused: {refused}")
    print(json.dumps(opened, ensure_ascii=False))  # noqa: T201
    return 0


def _enrolment(text: str) -> bytes:
    enrolment = hexadecimal(text)
    if len(enrolment) not in {0, ENROLMENT_BYTES}:
        raise argparse.ArgumentTypeError(f"{len(text)} hex digits; an enrolment id has 32")
    return enrolment


def _key(given: str) -> VerifyKey:
    from_hex = cose.key_from_hex(given)
    if from_hex is not None:
        return from_hex
    try:
        key = cose.key_from_pem(read_bounded(given, KEY_BYTES_MAX))
    except Refused as refused:
        raise Unreadable(f"--key {given}: {refused.detail}") from refused
    if not isinstance(key, VerifyKey):
        detail = f"--key {given}: P-256 key; messages are sealed with Ed25519"
        raise Refused(Reason.WRONG_ALGORITHM, detail)
    return key


def _refuse(line: str) -> int:
    print(f"outrider message open: {line}", file=sys.stderr)  # noqa: T201
    return 1
