"""`outrider authority codebook FILE`: the fleet's codebook, checked, sealed, published.

Every fault is said, each in a line; what changes is listed for the second pair of eyes. Called by
`command`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from authority.office import Office
from protocol.codebook_fault import WrongCodebook
from protocol.codebook_reading import TEXT_BYTES_MAX
from runtime.faults import ConfigFault
from runtime.files import read_small

HINT = "carry centre/ to the matcher, which takes it and hands it to every terminal"


def adopt(arguments: argparse.Namespace, now_ms: int) -> int:
    """Exit code; raises ConfigFault, Refused."""
    text = _text_of(arguments.file)
    with Office.open(arguments.dir) as office:
        try:
            version, changes = office.adopt_codebook(text, now_ms)
        except WrongCodebook as wrong:
            for fault in wrong.faults:
                sys.stderr.write(f"outrider authority: {arguments.file}: {fault}\n")
            return 1
        office.save(now_ms)
    for change in changes:
        sys.stderr.write(f"{change}\n")
    report = {"codebook": version, "changes": list(changes)}
    said = json.dumps(report, ensure_ascii=False) if arguments.json else f"codebook {version}"
    sys.stdout.write(f"{said}\n")
    sys.stderr.write(f"{HINT}\n")
    return 0


def _text_of(path: Path) -> str:
    try:
        return read_small(path, TEXT_BYTES_MAX).decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        remedy = "save it as UTF-8 text"
        raise ConfigFault(path, "is not UTF-8", f"byte {cause.start}", remedy) from cause
