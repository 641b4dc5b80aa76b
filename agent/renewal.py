"""Renews the terminal's certificate and keys at two thirds of its life, while it works.

    new keys and a sealed request, as a logbook entry      (the old ones stay in use)
    the answer: the TLS pair is replaced in one step, the link connects anew at a quiet moment
    entry `key`, sealed by the old key, names the new one; once the centre has committed it, the
    new key seals

Each step is found again after a crash: from the keys folder (runtime/key_renewal.py) and from
what the store keeps of the `key` entry. Wired by `agent.upkeep`.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from agent.core import renewal as rules
from agent.core.now import Now
from agent.core.renewal import Life
from agent.identity import seal_keys_row
from agent.logbook_file import Change
from agent.seals import Seals
from agent.terminal import Terminal
from agent.waiting import wait_at_most
from protocol import entry, renewal
from protocol.identities import IdentityKind
from protocol.keys import SealKey
from protocol.names import common_name
from protocol.refusal import Reason, Refused
from protocol.renewal import NewCertificate, RenewalRequest
from runtime import key_renewal
from runtime.faults import ConfigFault, StoreFault
from runtime.key_files import dates_ms_of, load_certificate, make_csr
from runtime.key_renewal import Pending
from runtime.log import get_log

log = get_log("renewal")

LOOK_S: Final = 30.0
KEY_N, KEY_BOOK, ASKED_MS = "key_entry_n", "key_entry_book", "renewal_asked_ms"


class Renewal:
    """`folder`: the keys; `renew_at`: share of the life; `reconnect`: the link, by new files."""

    def __init__(
        self,
        folder: Path,
        renew_at: float,
        terminal: Terminal,
        seals: Seals,
        reconnect: Callable[[], None],
        kept: Mapping[str, object],
    ) -> None:
        self._folder, self._renew_at = folder, renew_at
        self._terminal, self._seals, self._reconnect = terminal, seals, reconnect
        self._root = load_certificate(folder / "root.pem")
        self._old_life = self._life = self._life_now()
        self._key_n, self._key_book = _number(kept.get(KEY_N)), kept.get(KEY_BOOK)
        self._asked_ms = _number(kept.get(ASKED_MS))
        self._told_ms = 0
        self._is_rolled, self._wants_link = True, False  # `load_identity` has rolled what waited
        self._answer: NewCertificate | None = None
        self._wake = asyncio.Event()
        terminal.on_change(self._wake.set)
        terminal.on_stir(self._wake.set)

    @property
    def days_left(self) -> int:
        return rules.days_left(self._life, self._terminal.timekeeper.now())

    async def answered(self, payload: bytes) -> None:
        """A certificate for us; its seal holds. Raises Refused."""
        self._answer = renewal.decode_certificate(payload)
        self._wake.set()

    async def run(self) -> None:
        while True:
            try:
                await self._step()
            except (ConfigFault, StoreFault) as fault:  # the old keys go on
                log.limited("renewal_failed", str(fault))
            await wait_at_most(self._wake, LOOK_S)

    async def _step(self) -> None:
        now, under_way = self._terminal.timekeeper.now(), key_renewal.pending(self._folder)
        if key_renewal.is_taken(self._folder):
            await self._change_over(now, under_way)
        elif under_way is not None and self._answer is not None:
            answer, self._answer = self._answer, None
            await self._take(answer, under_way, now)
        elif under_way is not None:
            await self._ask(under_way.request, now)
        elif rules.is_due(self._life, now, self._renew_at):
            await self._ask(await asyncio.to_thread(self._begin, now.utc_ms), now)
        self._answer = None  # of a renewal that is over
        await self._warn(now)

    # --- asking ----------------------------------------------------------------------------------

    def _begin(self, now_ms: int) -> bytes:
        made = key_renewal.begin(self._folder)
        seals = self._seals
        csr = make_csr(made.tls_key, common_name(seals.fleet, seals.device))
        request = RenewalRequest(
            seals.fleet, seals.device, IdentityKind.TERMINAL, seals.enrolment, now_ms,
            made.seal_public, csr,
        )  # fmt: skip
        sealed = renewal.seal_request(request, seals.key)
        key_renewal.keep_request(self._folder, sealed)
        return sealed

    async def _ask(self, request: bytes, now: Now) -> None:
        """As an entry: now, and once a day until it is answered."""
        if now.utc_ms - self._asked_ms < rules.AGAIN_MS:
            return
        body = self._terminal.entry(entry.Renewal(request))
        await self._terminal.commit(lambda _n: Change((body,), meta={ASKED_MS: now.utc_ms}))
        self._asked_ms = now.utc_ms
        log.info("renewal_asked", days_left=self.days_left)

    # --- the answer ------------------------------------------------------------------------------

    async def _take(self, answer: NewCertificate, under_way: Pending, now: Now) -> None:
        try:
            certificate = renewal.load_der(answer.certificate)
            self._check(answer, under_way)
            wanted = key_renewal.Wanted(
                common_name(self._seals.fleet, self._seals.device), self._seals.enrolment,
                under_way.tls_public, self._root, self._terminal.timekeeper.floor_ms,
                now.utc_ms if now.trusted else None,
            )  # fmt: skip
            fault = key_renewal.why_not(certificate, wanted)
            if fault is not None:
                raise Refused(Reason.WRONG_ROLE, f"certificate: {fault}")
        except Refused as refused:
            log.limited("certificate_refused", str(refused))
            return
        await asyncio.to_thread(key_renewal.take, self._folder, certificate)
        self._is_rolled = False
        self._wake.set()

    def _check(self, answer: NewCertificate, under_way: Pending) -> None:
        """Raises Refused where it answers another request than ours."""
        seals = self._seals
        ours = (seals.fleet, seals.device, seals.enrolment)
        if (answer.fleet, answer.device, answer.enrolment) != ours:
            raise Refused(Reason.WRONG_ROLE, f"certificate of {answer.fleet}.{answer.device}")
        if answer.seal_public != under_way.seal_public:
            raise Refused(Reason.REPLAYED, "certificate: answers another request")

    # --- the change ------------------------------------------------------------------------------

    async def _change_over(self, now: Now, under_way: Pending | None) -> None:
        if under_way is None or under_way.seal_public == self._seals.key.public:
            await asyncio.to_thread(key_renewal.drop, self._folder)
            return
        if not self._is_rolled:
            await asyncio.to_thread(key_renewal.roll_tls, self._folder)
            self._is_rolled = self._wants_link = True
            self._life = self._life_now()
            log.info("certificate_renewed", days_left=self.days_left)
        desk = self._terminal.state.desk
        if self._wants_link and rules.may_reconnect(desk, self._old_life, now):
            self._wants_link, self._old_life = False, self._life
            self._reconnect()
        if self._wants_link:
            return
        book = self._terminal.logbook.book
        if self._key_n == 0 or self._key_book != book.id:
            await self._name_key(under_way)
        elif _is_receipted(self._key_n, book.receipted_n, book.ranges):
            await self._use_key(under_way)

    async def _name_key(self, under_way: Pending) -> None:
        """Sealed by the old key, as all is until the centre has it."""
        body = self._terminal.entry(entry.NewKey(under_way.seal_public))
        book_id = self._terminal.logbook.book.id
        seals = self._seals
        keys = seal_keys_row(seals.enrolment, seals.key.public, under_way.seal_public)

        def make(n: int) -> Change:
            return Change((body,), meta={KEY_N: n, KEY_BOOK: book_id, **keys})

        rows = await self._terminal.commit(make)
        self._key_n, self._key_book = rows[-1].n, book_id

    async def _use_key(self, under_way: Pending) -> None:
        await asyncio.to_thread(key_renewal.roll_seal, self._folder)
        self._seals.use(SealKey(under_way.seal_key))
        self._terminal.logbook.begin_next_with(under_way.seal_public)
        self._key_n, self._key_book, self._asked_ms = 0, None, 0
        keys = seal_keys_row(self._seals.enrolment, under_way.seal_public)
        await self._terminal.commit(lambda _n: Change(meta={KEY_N: 0, ASKED_MS: 0, **keys}))
        log.info("key_renewed", kid=self._seals.key.kid.hex())

    async def _warn(self, now: Now) -> None:
        """Once a day while the end is near and nothing came."""
        if rules.ends_soon(self._life, now) and now.utc_ms - self._told_ms >= rules.AGAIN_MS:
            self._told_ms = now.utc_ms
            days = self.days_left
            log.error("certificate_ends", days_left=days, remedy="outrider authority renew")
            text = f"the certificate ends in {days} days and no new one came: run `authority renew`"
            await self._terminal.note(entry.Alarm("certificate_ends", text))

    def _life_now(self) -> Life:
        return Life(*dates_ms_of(load_certificate(self._folder / key_renewal.TLS_CERTIFICATE)))


def _is_receipted(n: int, receipted_n: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return n <= receipted_n or any(first <= n <= last for first, last in ranges)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
