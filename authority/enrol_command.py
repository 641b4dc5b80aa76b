"""`outrider enrol request|install|renew`: the device's side of enrolment.

Data on stdout, everything else on stderr. Exit 0 done, 1 refused or bad input, 2 wrong usage.
Called by `outrider.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from authority import codes, device_folder, device_renewal
from authority.approval import APPROVAL_BYTES_MAX
from authority.device_folder import REQUEST
from protocol import envelope
from protocol.envelope import Kind
from protocol.identities import IdentityKind
from protocol.refusal import Refused
from runtime.clock import SystemClock
from runtime.faults import OutriderFault
from runtime.files import read_small

EPILOG: Final = """\
example, on the terminal:
  outrider enrol request --fleet longwen --device car-07 --code ABCD-EFGH-IJKL-MNOP --out /etc/outrider/keys
  outrider enrol install approval.cbor --out /etc/outrider/keys
"""  # noqa: E501 - a command that is copied whole


def main(argv: list[str]) -> int:
    """Exit code."""
    arguments = _parser().parse_args(argv)
    try:
        report, text, hint = arguments.act(arguments)
    except (Refused, OutriderFault) as cause:
        sys.stderr.write(f"outrider enrol: {cause}\n")
        return 1
    sys.stdout.write((json.dumps(report) if arguments.json else text) + "\n")
    sys.stderr.write(hint + "\n")
    return 0


Said = tuple[dict[str, str], str, str]


def _request(arguments: argparse.Namespace) -> Said:
    out: Path = arguments.out
    code = codes.typed_line(sys.stdin) if arguments.code == "-" else arguments.code
    message = device_folder.make_request(
        out, arguments.fleet, arguments.device, code, SystemClock().utc_ms()
    )
    shown, path = codes.fingerprint(message), out / REQUEST
    hint = f"carry {path} to the authority, which must show the same fingerprint"
    return {"fingerprint": shown, "request": str(path)}, f"fingerprint: {shown}", hint


def _install(arguments: argparse.Namespace) -> Said:
    message = read_small(arguments.approval, APPROVAL_BYTES_MAX)
    if _is_certificate(message):
        return _install_renewed(arguments, message)
    installed = device_folder.install(arguments.out, message, arguments.root)
    enrolment, root = installed.enrolment.hex(), installed.root_fingerprint
    hint = f"enrolled; keys and certificates are in {arguments.out}"
    return {"enrolment": enrolment, "root": root}, f"enrolment: {enrolment}\nroot: {root}", hint


def _is_certificate(message: bytes) -> bool:
    """Whether it claims to be a renewed certificate; an approval is no envelope."""
    try:
        return envelope.peek(message)[0] is Kind.CERTIFICATE
    except Refused:
        return False


def _install_renewed(arguments: argparse.Namespace, message: bytes) -> Said:
    found = device_renewal.install(arguments.out, message, SystemClock().utc_ms())
    hint = f"renewed; the new keys and certificate are in {arguments.out}"
    return {"enrolment": found.enrolment.hex(), "renewed": found.device}, found.device, hint


def _renew(arguments: argparse.Namespace) -> Said:
    kind = IdentityKind(arguments.kind)
    path = device_renewal.ask(arguments.out, kind, SystemClock().utc_ms())
    hint = f"carry {path} to the authority: outrider authority renew {path.name}"
    return {"request": str(path)}, str(path), hint


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "outrider enrol",
        description="A terminal's or manager's enrolment.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON object on stdout")
    common.add_argument("--out", type=Path, required=True, help="the device's keys folder")
    acts = parser.add_subparsers(required=True, metavar="ACT")
    request = acts.add_parser("request", parents=[common], help="make keys and a request")
    request.add_argument("--fleet", required=True)
    request.add_argument("--device", required=True)
    request.add_argument(
        "--code", required=True, help="from `outrider authority invite`; - reads it from stdin"
    )
    request.set_defaults(act=_request)
    renew = acts.add_parser("renew", parents=[common], help="ask for the next certificate, by file")
    renew.add_argument(
        "--kind", choices=("manager", "gateway", "terminal"), default="manager",
        help="whose folder it is; a terminal's agent does this by itself (default: manager)",
    )  # fmt: skip
    renew.set_defaults(act=_renew)
    install = acts.add_parser(
        "install", parents=[common], help="check and install an approval or a renewed certificate"
    )
    install.add_argument("approval", type=Path, help="approval.cbor, or centre/renewed/NAME.cbor")
    install.add_argument("--root", help="the root's fingerprint, where it is known")
    install.set_defaults(act=_install)
    return parser
