"""Speaks what is new and loud on the screen: an order, a hazard, another place, a cancel.

Nothing in silence, nothing twice; what stood there when the agent started has been spoken before.
Called by `screen` after each change.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from agent.core import speech
from agent.devices import Devices
from agent.settings import SpeechSettings
from agent.speech import Speaker
from protocol.codebook_model import Codebook, name_of
from protocol.dispatch import Revision

LOUD_MS: Final = 2 * 3_600_000  # what is older is no news
_CLOSED: Final = frozenset({"cancelled", "superseded"})
_OPTIONS: Final = {  # at a rate that fits agent/core/speech.py
    "zh": ("-v", "cmn", "-s", "210", "--stdin"),
    "en": ("-v", "en", "-s", "175", "--stdin"),
}
_Sign = tuple[str, int, bool]


class Announcer:
    """`main` is the card that stands largest on the page; `now_ms` is UTC."""

    def __init__(
        self,
        settings: SpeechSettings,
        devices: Devices,
        book: Callable[[], Codebook],
        main: Callable[[], Mapping[str, Any] | None],
        now_ms: Callable[[], int],
    ) -> None:
        self._settings, self._devices, self._book = settings, devices, book
        self._main, self._now_ms = main, now_ms
        self.speaker = Speaker(settings.program, _OPTIONS)
        self._told: set[_Sign] = {_sign(card) for card in devices.state().orders}

    def changed(self) -> None:
        """Something may be new."""
        state = self._devices.state()
        news = {_sign(card): card for card in state.orders}
        new = [card for sign, card in news.items() if sign not in self._told]
        self._told = set(news)
        if state.silent:
            self.speaker.hush()
        elif any(self._is_loud(card) for card in new):
            self.again()

    def again(self) -> None:
        """Speak the main order now."""
        main, language = self._main(), self._settings.language
        if main is None or not self._settings.program or self._devices.state().silent:
            return
        book = self._book()

        def name(table: str, code: str) -> str:
            return name_of(book, table, code, language)

        self.speaker.say(speech.text_of(main, name, language), language)

    def _is_loud(self, card: Mapping[str, Any]) -> bool:
        if self._now_ms() - int(card["issued_ms"]) >= LOUD_MS:
            return False
        return card["state"] in _CLOSED or card["revision_class"] != Revision.NOTE


def _sign(card: Mapping[str, Any]) -> _Sign:
    return card["order"], card["shown_revision"], card["state"] in _CLOSED
