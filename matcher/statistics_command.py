"""`outrider matcher statistics`: the figures of a period, from the journal alone.

Without `--to` the newest transaction is the end, and waiting is judged at that time: the same
journal gives the same figures. Districts and the local day come from the settings. Called by
command.py.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys

from matcher.arguments import instant
from matcher.core.figures import Figures
from matcher.districts_file import load_districts
from matcher.journal.journal import rows
from matcher.settings import MatcherSettings
from matcher.statistics import report
from matcher.statistics_text import text
from protocol.figures import PeriodReport
from runtime.faults import ConfigFault

AXES = ("priority", "district", "hour")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="since", type=instant, default=0, metavar="T")
    parser.add_argument("--to", dest="until", type=instant, metavar="T", help="not included")
    parser.add_argument("--by", choices=AXES, default="priority", help="groups of the tables")
    parser.add_argument("--lang", choices=("en", "zh"), default="en")


def run(args: argparse.Namespace, reader: sqlite3.Connection) -> int:
    """0 printed, 1 the period or a file is wrong."""
    if args.until is not None and args.until <= args.since:
        sys.stderr.write("--to: is not later than --from – give a later instant\n")
        return 1
    try:
        found = period(reader, args.settings, args.since, args.until)
    except ConfigFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    said = found.model_dump_json() + "\n" if args.json else text(found, args.by, args.lang)
    sys.stdout.write(said)
    return 0


def period(
    reader: sqlite3.Connection, settings: MatcherSettings, since_ms: int, until_ms: int | None
) -> PeriodReport:
    """One pass over the journal. Raises ConfigFault for the districts' file."""
    districts = load_districts(settings.files.districts)
    figures = Figures(
        since_ms=since_ms, until_ms=until_ms, district_of=districts.at,
        utc_offset_min=settings.utc_offset_min,
    )  # fmt: skip
    first_ms, last_ms = None, 0
    for row in rows(reader):
        decision = row.decision()
        now_ms = decision.command.now_ms
        first_ms, last_ms = now_ms if first_ms is None else first_ms, max(last_ms, now_ms)
        for event in decision.events:
            figures.take(event)
    since_ms = max(since_ms, first_ms or 0)
    until_ms = max(since_ms, last_ms if until_ms is None else until_ms)
    return report(figures, settings.fleet, settings.utc_offset_min, since_ms, until_ms, last_ms)
