"""The board as text and as a page to print, each minute: for a night without screens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from matcher.board_text import board_html, board_text
from matcher.engine import Engine
from runtime.faults import StoreFault
from runtime.log import Log
from runtime.store import atomic_write

EVERY_S: Final = 60.0


class BoardTask:
    """Writes `board.txt` and `board.html` into `folder`, each whole; a full disk stops nothing."""

    def __init__(self, folder: Path | None, engine: Engine, log: Log) -> None:
        self._folder, self._engine, self._log = folder, engine, log

    async def run(self) -> None:
        while self._folder is not None:
            self.write(self._folder)
            await asyncio.sleep(EVERY_S)

    def write(self, folder: Path) -> None:
        board, now_ms = self._engine.board, self._engine.now_ms()
        try:
            atomic_write(folder / "board.txt", board_text(board, now_ms).encode(), 0o640)
            atomic_write(folder / "board.html", board_html(board, now_ms).encode(), 0o640)
        except StoreFault as fault:
            self._log.limited("board_not_written", str(fault))
