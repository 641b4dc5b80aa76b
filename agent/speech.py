"""Speaks an order by a program of its own (espeak-ng): a newer order cuts an older one short.

The program reads the text from its input and plays it; nothing waits for it. Where it is missing
that is told once, and the page's chime is all there is. Called by the screen.
"""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from runtime.log import get_log

log = get_log("speech")

LONGEST_S: Final = 20.0  # then the program hangs


class Speaker:
    """`command` with the voice of each language; `say` at any time, `run` as a task."""

    def __init__(self, program: str, options: Mapping[str, tuple[str, ...]]) -> None:
        self._program, self._options = program, options
        self._next: tuple[str, str] | None = None
        self._wake = asyncio.Event()
        self.is_missing = False  # the program; told once
        self._process: Process | None = None
        self.spoken = 0

    def say(self, text: str, language: str) -> None:
        """Speak it now, whatever is being spoken."""
        self._next = (text, language)
        self._end()
        self._wake.set()

    def hush(self) -> None:
        """Not a word more."""
        self._next = None
        self._end()

    async def run(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                said, self._next = self._next, None
                if said is not None and not self.is_missing:
                    await self._speak(*said)
        finally:
            self._end()

    async def _speak(self, text: str, language: str) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                self._program, *self._options[language], stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL
            )
        except OSError as cause:
            self.is_missing = True
            remedy = "install espeak-ng, or name a program in [screen.speech] program"
            log.warning("no_speech_engine", program=self._program, reason=cause, remedy=remedy)
            return
        self._process = process
        if self._next is not None:  # newer words came while the program started
            self._end()
        try:
            async with asyncio.timeout(LONGEST_S):
                await process.communicate(text.encode())
            if process.returncode:
                log.limited("speech_failed", f"exit code {process.returncode}")
            else:
                self.spoken += 1
        except TimeoutError:
            log.limited("speech_hangs", self._program)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            self._process = None

    def _end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
