"""`outrider authority provision`: a throw-away authority and many members at once.

For demos, tests and workshops: keys are made on this machine, so it is no way to enrol a terminal
that goes on duty. MEMBERS is JSON: `[{"name", "kind", "out", "person"?, "roles"?}, ...]`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from authority import ceremony
from authority.acts import Invitee
from authority.ceremony import Member
from protocol.identities import IdentityKind
from protocol.refusal import Refused
from runtime.clock import SystemClock
from runtime.faults import OutriderFault

_EXAMPLE = "example: outrider authority provision members.json --fleet demo --out authority"


def main(argv: list[str]) -> int:
    """0 done, 1 bad input, 2 wrong usage."""
    parser = argparse.ArgumentParser("outrider authority provision", epilog=_EXAMPLE)
    parser.add_argument("members", type=Path)
    parser.add_argument("--fleet", required=True)
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args(argv)
    now_ms = SystemClock().utc_ms()
    try:
        members = [_member(row) for row in json.loads(options.members.read_text())]
        root = ceremony.create(options.out, options.fleet, now_ms)
        enrolled = ceremony.enrol_all(options.out, members, now_ms)
    except (OutriderFault, Refused, OSError, ValueError, KeyError, TypeError) as cause:
        sys.stderr.write(f"{options.members}: {cause}; see --help for its form\n")
        return 1
    made = {"root": root, "enrolled": {name: one.hex() for name, one in enrolled.items()}}
    sys.stdout.write(json.dumps(made) + "\n" if options.json else f"{len(enrolled)} enrolled\n")
    return 0


def _member(row: dict[str, object]) -> Member:
    roles = row.get("roles", ())
    if not isinstance(roles, list | tuple):
        raise ValueError(f"{row['name']}: roles {roles!r} is no list")  # noqa: TRY004
    person = row.get("person")
    invitee = Invitee(
        str(row["name"]),
        IdentityKind(str(row["kind"])),
        None if person is None else str(person),
        tuple(str(role) for role in roles),
    )
    return Member(invitee, Path(str(row["out"])))
