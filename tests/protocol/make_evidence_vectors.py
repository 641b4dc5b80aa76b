"""Makes docs/protocol/evidence-vectors.json: an export, and changed copies with what is told.

python -m tests.protocol.make_evidence_vectors
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from protocol import evidence_records as er
from protocol.evidence import digest_of
from protocol.evidence_check import examine, open_file
from protocol.evidence_records import encode_record
from protocol.evidence_verdict import Memo
from tests.protocol.export import Fleet, one_terminal

FILE: Final = Path(__file__).parents[2] / "docs" / "protocol" / "evidence-vectors.json"
Json = dict[str, Any]


def flips(data: bytes) -> list[tuple[str, int]]:
    """(name, byte) of what is turned in each copy: the middle of one record of each kind."""
    found = []
    for kind in (er.About, er.Root, er.TrustDocument, er.IdentitiesDocument, er.SealedHead,
                 er.LoggedEntry, er.SealedReceipt, er.SealedPosition, er.DecisionRow, er.Media,
                 er.Erasure):  # fmt: skip
        one = next(r for r in open_file(data, Memo()).records if isinstance(r, kind))
        encoded = encode_record(one)
        found.append((kind.__name__, data.index(encoded) + len(encoded) // 2))
    return [*found, ("signature", len(data) - 1)]


def document() -> Json:
    """The whole file."""
    fleet = Fleet()
    data = one_terminal(fleet)
    altered = []
    for name, at in flips(data):
        copy = bytearray(data)
        copy[at] ^= 1
        fault = examine(bytes(copy), fleet.verify_key).fault
        assert fault is not None
        altered.append(
            {"name": name, "byte": at, "bit": 0, "part": fault.part, "entry": fault.entry}
        )
    return {
        "about": "An evidence export (outrider.cddl, rule evidence) and one-bit changes of it.",
        "root_public_key": fleet.verify_key.public.hex(),
        "export": data.hex(),
        "sha256": digest_of(data).hex(),
        "verdict": examine(data, fleet.verify_key).as_json(),
        "altered": altered,
    }


def text() -> str:
    return json.dumps(document(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
