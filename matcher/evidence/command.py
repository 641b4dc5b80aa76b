"""`outrider evidence export`: an order or a time out of the journal, beside a running matcher.

Every export is itself an event: who, what and why are synced in the audit chain before anything is
read (docs/decisions/0014). Exit 0 written, 1 not, or written and not whole, 2 wrong usage. Called
by `outrider.py`.
"""

from __future__ import annotations

import argparse
import hashlib
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from matcher.arguments import account, instant
from matcher.evidence.audit import record_look_up
from matcher.evidence.collect import Source, collect
from matcher.evidence.documents import load_shelf
from matcher.evidence.geojson import geojson
from matcher.evidence.gpx import gpx
from matcher.evidence.page import page
from matcher.evidence.scope import Scope, by_order, by_time
from matcher.evidence.story import story_of
from matcher.journal.schema import SCHEMA
from matcher.settings import MatcherSettings
from protocol import evidence
from protocol.evidence_check import examine
from protocol.evidence_records import About, Record
from protocol.evidence_verdict import Verdict
from protocol.identities import DOCUMENT_BYTES_MAX
from protocol.instant import iso
from protocol.keys import SealKey, VerifyKey
from protocol.refusal import Refused
from runtime.clock import SystemClock
from runtime.faults import ConfigFault, OutriderFault
from runtime.files import read_small
from runtime.key_files import certificate_der, load_certificate, load_private, public_key_of
from runtime.settings import load
from runtime.sqlite_file import open_reader
from runtime.store import atomic_write

FORMATS: Final = ("cbor", "geojson", "gpx", "html")
_REASON_MAX: Final = 200
_EPILOG = """examples:
  outrider evidence export --order o-1-17 --out order.cbor --reason "case 2026-118" \\
      --config /etc/outrider/matcher.toml
  outrider evidence export --from 2026-11-24T08:00:00Z --to 2026-11-24T09:00:00Z --format html \\
      --out hour.html --reason "complaint 44" --config /etc/outrider/matcher.toml
Times are ISO 8601; without a zone they are UTC. Only cbor is sealed: the others are for reading."""


def main(argv: list[str]) -> int:
    """Make one export; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if (options.order is None) == (options.since is None) or (
        (options.since is None) != (options.until is None)
    ):
        parser.error("give either --order ID, or --from T and --to T")
    if options.since is not None and options.since > options.until:
        parser.error("--from is later than --to")
    if not options.reason.strip() or len(options.reason) > _REASON_MAX:
        parser.error(f"--reason: say why, in 1 to {_REASON_MAX} characters")
    try:
        return _export(options)
    except (OutriderFault, Refused) as fault:
        _say(str(fault))
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "outrider evidence export",
        description="Write what the journal holds of one order, or of a time, as evidence.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--order", metavar="ID", help="the order's whole incident")
    parser.add_argument("--from", dest="since", type=instant, metavar="T", help="or from here")
    parser.add_argument("--to", dest="until", type=instant, metavar="T", help="to here")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--format", choices=FORMATS, default="cbor")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="kept in the audit chain")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    return parser


def _export(options: argparse.Namespace) -> int:
    settings = load(options.config, MatcherSettings)
    key = SealKey(load_private(settings.files.keys / "evidence.key"))
    root = load_certificate(settings.files.keys / "root.pem")
    by, now_ms = account(), SystemClock().utc_ms()
    db = open_journal(settings.files.journal)
    try:
        db.execute("BEGIN")  # one unchanging view
        what = _asked(options)
        number, chain = record_look_up(
            settings.files.journal, now_ms, by, "export", what, options.reason
        )
        scope = _scope(options, db)
        about = About(
            settings.fleet, now_ms, by, options.reason, scope.order, scope.incident,
            scope.from_ms, scope.to_ms, scope.units, number, chain,
        )  # fmt: skip
        records = collect(
            _source(db, settings, certificate_der(root), key.verify_key), scope, about, _say
        )
    finally:
        db.close()
    sealed = evidence.seal(records, settings.fleet, key)
    verdict = examine(sealed, VerifyKey(public_key_of(root)))
    written = _formatted(options.format, sealed, records, verdict)
    atomic_write(options.out, written)
    digest = hashlib.sha256(written).hexdigest()
    record_look_up(
        settings.files.journal, SystemClock().utc_ms(), by, "exported",
        f"look-up {number}: sha256 {digest}", options.reason,
    )  # fmt: skip
    return _close(options.out, scope, verdict, len(written))


def open_journal(path: Path) -> sqlite3.Connection:
    """Read-only, beside a running matcher; raises StoreFault, ConfigFault for an older journal."""
    db = open_reader(path, SCHEMA)
    if db.execute("PRAGMA user_version").fetchone()[0] < len(SCHEMA.migrations):
        db.close()
        raise ConfigFault(path, "is of an older release", None, "start this matcher once")
    return db


def _asked(options: argparse.Namespace) -> str:
    if options.order is not None:
        return f"order {options.order} as {options.format}"
    return f"{iso(options.since)} to {iso(options.until)} as {options.format}"


def _scope(options: argparse.Namespace, db: sqlite3.Connection) -> Scope:
    if options.order is not None:
        return by_order(db, options.order)
    return by_time(db, options.since, options.until)


def _source(
    db: sqlite3.Connection, settings: MatcherSettings, root: bytes, key: VerifyKey
) -> Source:
    trust = read_small(settings.files.identities / "trust.cbor", DOCUMENT_BYTES_MAX)
    pinned = VerifyKey(public_key_of(load_certificate(settings.files.keys / "root.pem")))
    return Source(db, settings.fleet, root, load_shelf(db, trust, settings.fleet, pinned), key)


def _formatted(form: str, sealed: bytes, records: Sequence[Record], verdict: Verdict) -> bytes:
    match form:
        case "geojson":
            return geojson(story_of(records))
        case "gpx":
            return gpx(story_of(records))
        case "html":
            return page(story_of(records), verdict)
        case _:
            return sealed


def _close(out: Path, scope: Scope, verdict: Verdict, size: int) -> int:
    if scope.is_open:
        _say("the incident is still open: this is how far it has come")
    if verdict.fault is not None:
        fault = f"{verdict.fault.part}: {verdict.fault.reason}"
        _say(
            f"{out}: written, but the journal does not hold: {fault} – see outrider matcher verify"
        )
        return 1
    _say(f"{out}: {size} bytes, {verdict.counts.entries} entries, verified whole")
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"outrider evidence export: {line}\n")
