"""A journal on disk with what a fleet of the tests decided, and settings that name it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from matcher.core.board import Board
from matcher.core.commands import Command
from matcher.core.decide import decide
from matcher.journal.journal import Decision, Journal
from matcher.journal.schema import SCHEMA
from runtime.store import Store


def keep(path: Path, commands: list[Command]) -> None:
    """Decide `commands` again and append them, a transaction each."""
    board = Board()
    decisions = [Decision(command, tuple(decide(board, command))) for command in commands]
    with Store(path, SCHEMA) as store:
        asyncio.run(Journal(store).append([one for one in decisions if one.events]))


def settings_for(folder: Path, journal: Path, text: str = "", name: str = "matcher.toml") -> Path:
    """A matcher's settings file; `text`: further lines before the tables."""
    path = folder / name
    path.write_text(f'fleet = "zz"\n{text}\n[files]\njournal = "{journal}"\n')
    return path
