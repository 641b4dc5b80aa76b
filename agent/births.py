"""The birth of each connection: made, repeated unchanged until its welcome, made anew when needed.

It says what this terminal holds; the welcome that echoes its nonce belongs to it. How often it may
be said is bounded, whoever asks for it. Called by the uplink.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import Final

from agent.seals import Seals, fresh_nonce
from agent.terminal import Terminal
from agent.waiting import wait_at_most
from protocol import session
from protocol.envelope import Kind
from protocol.repeats import BIRTH
from protocol.session import Birth, Versions

NONCES_KEPT: Final = 16
ANEW_MS: Final = 5_000  # whoever repeats old welcomes to us makes us say no more than this


class Births:
    """`publish` says one; `is_wanted`: connected and not welcomed yet."""

    def __init__(
        self,
        terminal: Terminal,
        seals: Seals,
        publish: Callable[[bytes], object],
        is_wanted: Callable[[], bool],
    ) -> None:
        self._terminal, self._seals = terminal, seals
        self._publish, self._is_wanted = publish, is_wanted
        self._nonces: deque[bytes] = deque(maxlen=NONCES_KEPT)
        self._sealed = b""
        self._changed = asyncio.Event()
        self._again_ms = 0

    def is_newest(self, nonce: bytes) -> bool:
        return bool(self._nonces) and nonce == self._nonces[-1]

    def is_own(self, nonce: bytes) -> bool:
        """Whether an earlier birth of this start had it."""
        return nonce in self._nonces

    def new(self, connection: int) -> None:
        """The birth of a connection, with a nonce of its own."""
        self._nonces.append(fresh_nonce())
        self.anew(connection)

    def anew(self, connection: int) -> None:
        """The same birth, with what is held now."""
        state, logbook = self._terminal.state, self._terminal.logbook
        now = self._terminal.timekeeper.now()
        birth = Birth(
            logbook.boot, connection, self._nonces[-1], logbook.book.id,
            logbook.book.base_n + 1, logbook.synced_n, logbook.synced_head, state.window.term,
            state.window.floor, state.crew.logon, now.utc_ms, int(now.trust),
            Versions(
                self._seals.trust_version, self._seals.configuration_version,
                self._seals.codebook_version, 0,
            ),
        )  # fmt: skip
        self._sealed = self._seals.seal(Kind.BIRTH, "link", session.encode(birth))
        self._changed.set()

    def may_begin_anew(self) -> bool:
        """Whether another birth may be said although the last one was answered."""
        now_ms = self._terminal.timekeeper.uptime_ms()
        if now_ms < self._again_ms:
            return False
        self._again_ms = now_ms + ANEW_MS
        return True

    def soon(self) -> None:
        """The centre is there: a birth that it has not answered waits no longer."""
        now_ms = self._terminal.timekeeper.uptime_ms()
        if self._is_wanted() and now_ms >= self._again_ms:
            self._again_ms = now_ms + BIRTH.first_ms
            self._changed.set()

    def stir(self) -> None:
        """What `is_wanted` says has changed."""
        self._changed.set()

    async def run(self) -> None:
        """Say the newest birth, later and later, while it is wanted."""
        sealed, sendings = b"", 0
        while True:
            if sealed != self._sealed:
                sealed, sendings = self._sealed, 0
            wait_s: float | None = None
            if self._is_wanted():
                self._publish(sealed)
                wait_s = BIRTH.delay_ms(sendings, random.random()) / 1000
                sendings += 1
            await wait_at_most(self._changed, wait_s)
