"""`outrider matcher lists`: may the broker read these? Asked by outrider-broker-reload.service.

mosquitto that is told to read a broken list lets everybody in or everybody do everything, so it is
only told when this says yes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from matcher.broker.lists import check_lists
from runtime.clock import SystemClock
from runtime.faults import ConfigFault
from runtime.key_files import load_certificate

_EXAMPLE = (
    "example: outrider matcher lists --folder /var/lib/outrider/broker "
    "--root /etc/mosquitto/outrider/root.pem"
)


def main(argv: list[str]) -> int:
    """0 yes, 1 no with the reason, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        "outrider matcher lists", epilog=_EXAMPLE,
        description="Check the broker's access list and revocation list.",
    )  # fmt: skip
    parser.add_argument("--folder", type=Path, required=True, help="with acl and crl.pem")
    parser.add_argument("--root", type=Path, required=True, help="the fleet's root.pem")
    args = parser.parse_args(argv)
    try:
        found = check_lists(args.folder, load_certificate(args.root), SystemClock().utc_ms())
    except ConfigFault as fault:
        sys.stderr.write(f"outrider matcher lists: {fault}\n")
        return 1
    sys.stdout.write(" ".join(f"{key}={value}" for key, value in found.items()) + "\n")
    return 0
