"""`outrider matcher replay|verify|explain|board|statistics|audit`: questions to the journal."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from pathlib import Path

from matcher import audit_command, explain, statistics_command
from matcher.board_text import board_html, board_text
from matcher.core.apply import apply
from matcher.core.board import Board
from matcher.evidence.audit import verify_audit
from matcher.hidden import hidden_in
from matcher.journal.journal import rows
from matcher.journal.schema import SCHEMA
from matcher.journal.verify import verify
from matcher.settings import MatcherSettings
from runtime.clock import SystemClock
from runtime.faults import OutriderFault
from runtime.settings import load
from runtime.sqlite_file import open_reader

_OPTIONS = {
    "statistics": statistics_command.add_arguments,
    "audit": audit_command.add_arguments,
}
_EXAMPLE = "example: outrider matcher explain o-1-17 --config /etc/outrider/matcher.toml"


def main(argv: list[str]) -> int:
    """0 done, 1 negative verdict or bad input, 2 wrong usage."""
    args = _parser().parse_args(argv)
    try:
        settings = load(args.config, MatcherSettings)
        reader = open_reader(settings.files.journal, SCHEMA)
        reader.execute("BEGIN")  # one state of the journal, while the matcher goes on writing
        args.settings, args.journal = settings, settings.files.journal
    except OutriderFault as fault:
        print(fault, file=sys.stderr)  # noqa: T201
        return 1
    try:
        return int(args.do(args, reader))
    finally:
        reader.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("outrider matcher", epilog=_EXAMPLE)
    verbs = parser.add_subparsers(required=True, metavar="replay|verify|explain|board|…")
    for name, do, text in (
        ("replay", _replay, "state hash from the journal"),
        ("verify", _verify, "chain and invariants of the journal"),
        ("explain", _explain, "why this unit"),
        ("board", _board, "the board as text or HTML"),
        ("statistics", statistics_command.run, "the figures of a period"),
        ("audit", audit_command.run, "the story of an incident, a unit or a person"),
    ):
        verb = verbs.add_parser(name, help=text, epilog=_EXAMPLE)
        verb.set_defaults(do=do)
        if name == "explain":
            verb.add_argument("order")
            verb.add_argument("--lang", choices=("en", "zh"), default="en")
        if name == "board":
            verb.add_argument("--html", type=Path, metavar="FILE")
        if name in ("explain", "board"):
            verb.add_argument("--group", default="", help="name its units that are not open to all")
        if name in _OPTIONS:
            _OPTIONS[name](verb)
        verb.add_argument("--config", type=Path, required=True)
        verb.add_argument("--json", action="store_true")
    return parser


def _out(text: str) -> None:
    sys.stdout.write(text + "\n")


def _board_of(reader: sqlite3.Connection) -> tuple[Board, int]:
    board, seq = Board(), 0
    for row in rows(reader):
        for event in row.decision().events:
            apply(board, event)
        seq = row.seq
    return board, seq


def _replay(args: argparse.Namespace, reader: sqlite3.Connection) -> int:
    board, seq = _board_of(reader)
    found = {"transactions": seq, "term": board.term, "state": board.digest()}
    _out(json.dumps(found) if args.json else f"{found['state']}  after {seq} transactions")
    return 0


def _verify(args: argparse.Namespace, reader: sqlite3.Connection) -> int:
    faults = verify(reader) + verify_audit(args.journal)
    if args.json:
        _out(json.dumps({"whole": not faults, "faults": faults}))
    else:
        _out("\n".join(faults) or "whole: chain, decisions, holdings, logbooks and look-ups agree")
    return 1 if faults else 0


def _explain(args: argparse.Namespace, reader: sqlite3.Connection) -> int:
    why = explain.find(rows(reader), args.order)
    hidden = hidden_in(rows(reader), args.group)
    if why is None:
        sys.stderr.write(f"order {args.order}: not in this journal; see `outrider matcher board`\n")
        return 1
    if args.json:
        _out(json.dumps(explain.as_json(why, hidden), ensure_ascii=False))
    else:
        sentence = explain.sentence(why, args.lang, hidden)
        _out("\n".join([sentence, *explain.details(why, hidden)]))
    return 0


def _board(args: argparse.Namespace, reader: sqlite3.Connection) -> int:
    board, _ = _board_of(reader)
    now_ms = SystemClock().utc_ms()
    if args.html:
        args.html.write_text(board_html(board, now_ms, args.group), encoding="utf-8")
    elif args.json:
        text = board_text(board, now_ms, args.group)
        _out(json.dumps({"board": text, "state": board.digest()}))
    else:
        _out(board_text(board, now_ms, args.group).rstrip("\n"))
    return 0
