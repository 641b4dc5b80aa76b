"""`outrider authority …`: the fleet's keys and certificates, on a computer without a network.

Data on stdout, everything else on stderr. Exit 0 done, 1 refused or bad input, 2 wrong usage.
Called by `outrider.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Final

from authority import acts, ceremony, codebook_command, codes
from authority.acts import Invitee
from authority.device_folder import APPROVAL
from authority.folder import Folder
from authority.office import Office
from authority.register import register, register_text
from protocol.identities import IdentityKind, Role
from protocol.refusal import Refused
from runtime.clock import SystemClock
from runtime.faults import ConfigFault, OutriderFault
from runtime.files import read_small
from runtime.store import atomic_write

ENVIRONMENT: Final = "OUTRIDER_AUTHORITY"
EPILOG: Final = """\
example, on the authority's computer:
  outrider authority init --fleet longwen --out /media/stick/authority
  outrider authority --dir /media/stick/authority invite car-07
  outrider authority --dir /media/stick/authority approve request.cbor
"""


def main(argv: list[str]) -> int:
    """Exit code."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.act(arguments, SystemClock().utc_ms())
    except (Refused, OutriderFault) as cause:
        sys.stderr.write(f"outrider authority: {cause}\n")
        return 1
    return code


def _init(arguments: argparse.Namespace, now_ms: int) -> int:
    fingerprint = ceremony.create(
        arguments.out, arguments.fleet, now_ms, tuple(arguments.broker_host), arguments.role_days
    )
    return _say(
        arguments,
        {"fleet": arguments.fleet, "folder": str(arguments.out), "root": fingerprint},
        f"authority of {arguments.fleet} in {arguments.out}\nroot: {fingerprint}",
        "carry centre/ to the matcher and broker/ to the broker; keep the rest offline",
    )


def _invite(arguments: argparse.Namespace, now_ms: int) -> int:
    roles = tuple(arguments.roles.split(",")) if arguments.roles else ()
    invitee = Invitee(arguments.name, IdentityKind(arguments.kind), arguments.person, roles)
    with Office.open(arguments.dir) as office:
        code = office.invite(invitee, now_ms, arguments.minutes * 60_000)
        office.save(now_ms)
        fleet = office.book.fleet
    ask = f"outrider enrol request --fleet {fleet} --device {invitee.device} --code {code} --out …"
    return _say(
        arguments,
        {"name": invitee.device, "code": code, "minutes": arguments.minutes},
        code,
        f"shown once; good for {arguments.minutes} min. On the device: {ask}",
    )


def _approve(arguments: argparse.Namespace, now_ms: int) -> int:
    message = read_small(arguments.request)
    with Office.open(arguments.dir) as office:
        opened, invitation = office.examine(message, now_ms)
        shown = opened.fingerprint
        whom = f" of {invitation.person}" if invitation.person else ""
        sys.stderr.write(f"{invitation.kind} {invitation.device}{whom}\nfingerprint: {shown}\n")
        if not _agreed(arguments, shown):
            office.reject(opened, now_ms)
            sys.stderr.write("outrider authority: not approved: another fingerprint than shown\n")
            return 1
        approved = office.approve(message, now_ms)
        office.save(now_ms)
        out: Path = arguments.out or arguments.request.parent / APPROVAL
        atomic_write(out, approved.approval, 0o644)
        again = " again" if approved.again else ""
        report = {
            "name": approved.device,
            "enrolment": approved.enrolment.hex(),
            "approval": str(out),
            "root": office.root_fingerprint,
            "identities": office.book.identities.version,
        }
    return _say(
        arguments,
        report,
        f"{out}",
        f"{approved.device} is approved{again}; root: {report['root']}. On the device: "
        "outrider enrol install APPROVAL --out …; carry centre/ to the matcher",
    )


def _agreed(arguments: argparse.Namespace, shown: str) -> bool:
    if arguments.fingerprint is not None:
        return codes.same_fingerprint(shown, arguments.fingerprint)
    if arguments.yes:
        return True
    sys.stderr.write("does the device show the same? type yes: ")
    sys.stderr.flush()
    return codes.typed_line(sys.stdin).lower() == "yes"


def _revoke(arguments: argparse.Namespace, now_ms: int) -> int:
    with Office.open(arguments.dir) as office:
        office.revoke(arguments.name, now_ms)
        office.save(now_ms)
        version = office.book.identities.version
    return _say(
        arguments,
        {"name": arguments.name, "identities": version},
        f"{arguments.name} is revoked in identities version {version}",
        "carry centre/ to the matcher now: until then it knows nothing of it",
    )


def _rotate(arguments: argparse.Namespace, now_ms: int) -> int:
    with Office.open(arguments.dir) as office:
        roles = [Role(word) for word in arguments.role]
        office.rotate(now_ms, arguments.role_days, roles, arguments.overlap_hours)
        office.save(now_ms)
        trust, identities = office.book.trust.version, office.book.identities.version
    return _say(
        arguments,
        {"trust": trust, "identities": identities},
        f"trust version {trust}, identities version {identities}",
        "carry centre/ to the matcher and broker/ to the broker",
    )


def _renew(arguments: argparse.Namespace, now_ms: int) -> int:
    """Each file by itself: one that is refused is told and stops no other."""
    files = [one for path in arguments.requests for one in _requests_in(path)]
    renewed, refused = [], 0
    with Office.open(arguments.dir) as office:
        for path in files:
            try:
                checked = office.renew(read_small(path), now_ms, older_key=arguments.older_key)
            except (Refused, ConfigFault) as cause:
                refused += 1
                sys.stderr.write(f"outrider authority: {path}: {cause}\n")
            else:
                again = " again" if checked.again else ""
                sys.stderr.write(f"{checked.request.device}: renewed{again}\n")
                renewed.append(checked.request.device)
        office.save(now_ms)
        version = office.book.identities.version
    _say(
        arguments,
        {"renewed": renewed, "refused": refused, "identities": version},
        f"{len(renewed)} renewed, {refused} refused, identities version {version}",
        "carry centre/ to the matcher, which hands each terminal its certificate; a tool takes "
        "centre/renewed/NAME.cbor with `outrider enrol install`",
    )
    return 1 if refused else 0


def _requests_in(path: Path) -> list[Path]:
    return sorted(path.glob("*.cbor")) if path.is_dir() else [path]


def _configure(arguments: argparse.Namespace, now_ms: int) -> int:
    try:
        settings = read_small(arguments.file).decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        remedy = "save it as UTF-8 text"
        raise ConfigFault(arguments.file, "is not UTF-8", f"byte {cause.start}", remedy) from cause
    with Office.open(arguments.dir) as office:
        version = office.configure(settings, arguments.names, now_ms)
        office.save(now_ms)
    whom = ", ".join(arguments.names) or "every terminal"
    return _say(
        arguments,
        {"configuration": version, "for": arguments.names},
        f"configuration version {version} for {whom}",
        "carry centre/ to the matcher; a terminal that it cuts off takes it back by itself",
    )


def _audit(arguments: argparse.Namespace, _now_ms: int) -> int:
    folder = Folder(arguments.dir)
    lines = folder.verify_audit(folder.load_book())
    return _say(arguments, {"whole": True, "lines": lines}, f"{lines} lines, whole")


def _refresh(arguments: argparse.Namespace, now_ms: int) -> int:
    with Office.open(arguments.dir) as office:
        office.save(now_ms)
        number = office.book.crl_number
    return _say(arguments, {"crl": number}, f"revocation list {number}", "carry crl.pem along")


def _list(arguments: argparse.Namespace, now_ms: int) -> int:
    if not arguments.dir.is_dir():
        raise ConfigFault(arguments.dir, "is no folder", None, "name the authority's with --dir")
    found = register(Folder(arguments.dir).load_book(), now_ms)
    return _say(arguments, found, register_text(found))


def _say(
    arguments: argparse.Namespace, report: dict[str, object], text: str, hint: str = ""
) -> int:
    sys.stdout.write((json.dumps(report, ensure_ascii=False) if arguments.json else text) + "\n")
    if hint:
        sys.stderr.write(hint + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "outrider authority",
        description="The fleet's keys and certificates.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = Path(os.environ.get(ENVIRONMENT, "."))
    parser.add_argument(
        "--dir",
        type=Path,
        default=where,
        help=f"the authority's folder (default: ${ENVIRONMENT}, .)",
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON object on stdout")
    common.add_argument("--dir", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    acts_ = parser.add_subparsers(required=True, metavar="ACT")

    def act(word: str, does: object, text: str) -> argparse.ArgumentParser:
        made = acts_.add_parser(word, parents=[common], help=text, description=text)
        made.set_defaults(act=does)
        return made

    days = {"type": int, "default": acts.ROLE_DAYS_MAX, "help": "life of role keys, 1 to 7 days"}
    init = act("init", _init, "make a new authority")
    init.add_argument("--fleet", required=True)
    init.add_argument("--out", type=Path, required=True, help="a new folder")
    init.add_argument("--broker-host", action="append", default=[], help="name or address of it")
    init.add_argument("--role-days", **days)  # type: ignore[arg-type]
    invite = act("invite", _invite, "a one-time code for one name")
    invite.add_argument("name")
    invite.add_argument("--kind", choices=sorted(acts.INVITABLE), default="terminal")
    invite.add_argument("--person", help="whom a manager's tool belongs to")
    invite.add_argument(
        "--roles", help=f"of that person: {','.join(sorted(acts.ROLES_KNOWN))},group-NAME"
    )
    invite.add_argument("--minutes", type=int, default=acts.CODE_LIFE_MS // 60_000)
    approve = act("approve", _approve, "approve a device's request")
    approve.add_argument("request", type=Path)
    approve.add_argument("--fingerprint", help="as the device shows it")
    approve.add_argument("--yes", action="store_true", help="the fingerprint was compared already")
    approve.add_argument("--out", type=Path, help="default: approval.cbor beside the request")
    act("revoke", _revoke, "end an enrolment").add_argument("name")
    rotate = act("rotate", _rotate, "new role keys, new certificates of the centre")
    rotate.add_argument("--role-days", **days)  # type: ignore[arg-type]
    rotate.add_argument(
        "--role", action="append", default=[], choices=[role.value for role in Role],
        help="only this role's key, may be repeated; default: all, and the centre's certificates",
    )  # fmt: skip
    rotate.add_argument(
        "--overlap-hours", type=int, default=acts.OVERLAP_HOURS,
        help="how long the old keys hold beside the new; 0 ends a stolen key (default: 24)",
    )  # fmt: skip
    renew = act("renew", _renew, "answer renewal requests: files, or a folder of *.cbor")
    renew.add_argument("requests", type=Path, nargs="+")
    renew.add_argument("--older-key", action="store_true", help="it has lost its newer keys")
    configure = act("configure", _configure, "settings for terminals, signed")
    configure.add_argument("file", type=Path, help="TOML: report, track, health, broker, …")
    configure.add_argument("--for", dest="names", nargs="+", default=[], help="default: all")
    book = act("codebook", codebook_command.adopt, "the fleet's codebook, signed")
    book.add_argument("file", type=Path, help="TOML: see `outrider codebook print`, `check`")
    act("audit", _audit, "check the audit log's chain")
    act("refresh", _refresh, "publish again, with a fresh revocation list")
    act("list", _list, "who is enrolled, what ends when")
    return parser
