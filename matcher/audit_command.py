"""`outrider matcher audit`: what happened to an incident, a unit or a person, told by the journal.

Looking at the past is itself an event: who, what and why are synced in the audit chain before
anything is read. Called by command.py.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from dataclasses import asdict

from matcher import arguments
from matcher.audit import Subject, story
from matcher.audit_lines import Line
from matcher.evidence.audit import record_look_up
from matcher.journal.journal import rows
from matcher.settings import MatcherSettings
from protocol.instant import iso
from runtime.clock import SystemClock
from runtime.faults import OutriderFault

_LATE_MS = 60_000  # told long after it happened: said so


def add_arguments(parser: argparse.ArgumentParser) -> None:
    subject = parser.add_mutually_exclusive_group()
    subject.add_argument("--incident", metavar="ID")
    subject.add_argument("--unit", metavar="U")
    subject.add_argument(
        "--person", metavar="P", help="a crew number, or a name as requests have it"
    )
    parser.add_argument("--from", dest="since", type=arguments.instant, default=0, metavar="T")
    parser.add_argument("--to", dest="until", type=arguments.instant, metavar="T",
                        help="not included")  # fmt: skip
    parser.add_argument("--reason", type=arguments.reason, required=True, metavar="TEXT",
                        help="kept in the audit chain")  # fmt: skip


def run(args: argparse.Namespace, reader: sqlite3.Connection) -> int:
    """0 something was told, 1 nothing, or the look-up could not be recorded."""
    settings: MatcherSettings = args.settings
    subject = Subject(args.incident, args.unit, args.person, args.since, args.until)
    try:
        record_look_up(
            settings.files.journal, SystemClock().utc_ms(), arguments.account(), "audit",
            _asked(subject), args.reason,
        )  # fmt: skip
    except OutriderFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    told = 0
    for line in story(rows(reader), subject):
        told += 1
        sys.stdout.write((as_json(line) if args.json else as_text(line)) + "\n")
    if not told:
        sys.stderr.write(
            f"{_asked(subject)}: nothing in this journal; see outrider matcher board\n"
        )
    return 0 if told else 1


def _asked(subject: Subject) -> str:
    named = [f"{key} {value}" for key, value in (("incident", subject.incident),
             ("unit", subject.unit), ("person", subject.person)) if value is not None]  # fmt: skip
    parts = named or ["everything"]
    if subject.since_ms:
        parts.append(f"from {iso(subject.since_ms)}")
    if subject.until_ms is not None:
        parts.append(f"to {iso(subject.until_ms)}")
    return " ".join(parts)


def as_text(line: Line) -> str:
    """Time, what, text, by whom and by what means."""
    by = f" by {line.by}" if line.by else ""
    means = f" ({line.means.replace('_', ' ')})" if line.means else ""
    late = line.journaled_ms - line.at_ms >= _LATE_MS
    told = f" [told {iso(line.journaled_ms)}]" if late else ""
    text = f"{iso(line.at_ms)} {line.what:12} {line.text}{by}{means}{told}"
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def as_json(line: Line) -> str:
    """One object a line."""
    found = asdict(line) | {"at": iso(line.at_ms), "journaled": iso(line.journaled_ms)}
    for name in ("at_ms", "journaled_ms", "weighed"):
        del found[name]
    found["transaction"] = found.pop("seq")
    return json.dumps(found, ensure_ascii=False)
