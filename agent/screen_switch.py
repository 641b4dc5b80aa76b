"""The screen where the settings want one; else nothing of it is even loaded.

Wired by the agent: one task, the fixes, the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from agent.codebook import Codes
from agent.core.fix import Fix
from agent.devices import Devices
from agent.logbook_sender import LogbookSender
from agent.settings import ScreenSettings
from agent.terminal import Terminal

if TYPE_CHECKING:
    from agent.screen.screen import Screen


class ScreenSwitch:
    """`codes` holds the codebook in force; without one the shipped one names the codes."""

    def __init__(
        self,
        settings: ScreenSettings,
        terminal: Terminal,
        devices: Devices,
        sender: LogbookSender,
        codes: Codes,
        meta: Mapping[str, object],
    ) -> None:
        self._screen: Screen | None = None
        if settings.enabled:
            # loaded here: a terminal without a screen pays nothing for it
            from agent.screen.screen import PAIRED_KEY, Screen  # noqa: PLC0415
            from protocol.codebook_shipped import shipped  # noqa: PLC0415

            self._screen = Screen(
                settings, terminal, devices, sender, lambda: codes.book or shipped(),
                meta.get(PAIRED_KEY),
            )  # fmt: skip

    def fix(self, fix: Fix) -> None:
        if self._screen is not None:
            self._screen.fix(fix)

    def figures(self) -> dict[str, int]:
        """For the health entry."""
        return {} if self._screen is None else {"screen_paint_ms_max": self._screen.paint_ms_max}

    async def run(self) -> None:
        if self._screen is not None:
            from agent.screen.server import ScreenServer  # noqa: PLC0415

            await ScreenServer(self._screen).run()
