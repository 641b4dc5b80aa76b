"""The officer's screen: one page made of the committed state, and what a touch leads to.

A touch takes the same way as a line of the device socket (`Devices.obey`): it is done when its
entry is synced. Called by `server` (pages, touches), by the agent (fixes, device events).
"""

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from pydantic import BaseModel

from agent.core.driving import Driving, board_speed_mps
from agent.core.fix import Fix
from agent.devices import Devices
from agent.logbook_file import Change
from agent.logbook_sender import LogbookSender
from agent.screen import books, commands, pairing
from agent.screen.announcer import Announcer
from agent.screen.gate import Passed
from agent.screen.pairing import Pairing
from agent.screen.touches import Touches
from agent.screen.view import OFFERED, Surroundings, is_offered, view
from agent.settings import ScreenSettings
from agent.terminal import Terminal
from protocol import device
from protocol.codebook_model import Codebook
from protocol.entry import DeviceEvent
from protocol.refusal import Refused
from runtime.faults import StoreBusy, StoreFull
from runtime.log import get_log

log = get_log("screen")

PAIRED_KEY: Final = "screen_paired"
IDLE_MS: Final = 1000  # a new fix alone shows at most so often
SECRET_BYTES: Final = 32
PAGES_TIMED_MAX: Final = 64
INPUTS_MAX: Final = 16
DEVICE: Final = "screen"
_CLOSED: Final = frozenset({"cancelled", "superseded"})
_MOVING: Final = device.Refusal(
    reason="the vehicle is moving", remedy="stop, or let a passenger unlock the screen"
)


class Screen:
    """`on_page` is called after each change; `page` makes it, as one line of JSON."""

    def __init__(
        self,
        settings: ScreenSettings,
        terminal: Terminal,
        devices: Devices,
        sender: LogbookSender,
        book: Callable[[], Codebook],
        paired: object,
    ) -> None:
        self.settings = settings
        self._terminal, self._devices, self._sender, self._book = terminal, devices, sender, book
        self._driving, self._touches = Driving(), Touches()
        self._pairing = Pairing(pairing.decode(paired) if isinstance(paired, bytes) else ())
        self.announcer = Announcer(
            settings.speech, devices, book, lambda: self._page()["main"], self._now_ms
        )
        self._inputs: asyncio.Queue[device.Event] = asyncio.Queue(INPUTS_MAX)
        self.on_page: Callable[[], None] = lambda: None
        self._seq, self._shown_ms, self._events = 0, 0, 0
        self._made_ms: dict[int, int] = {}
        self.paint_ms_max = 0
        cards = devices.state().orders
        self._dismissed = {
            card["order"] for card in cards
            if card["state"] in _CLOSED and card["read_revision"] == card["shown_revision"]
        }  # fmt: skip
        terminal.on_change(self._changed)
        terminal.on_stir(self._stirred)
        devices.on_event.append(self._event)

    # --- what comes in ---------------------------------------------------------------------------

    def fix(self, fix: Fix) -> None:
        """The newest fix; the page shows it once a second, a change of driving mode at once."""
        uptime_ms, before = self._uptime_ms(), self._is_locked()
        self._driving.fix(fix.sog_mps, uptime_ms)
        if self._is_locked() != before:
            self._show()
        else:
            self._stirred()

    def _event(self, event: device.Event) -> None:
        speed_mps = board_speed_mps(event)
        if speed_mps is not None:
            self._driving.board(speed_mps, self._uptime_ms())
            self._show()
        elif event.name == "input" and event.detail.get("on") is True:
            with suppress(asyncio.QueueFull):  # a button held down by a fault
                self._inputs.put_nowait(event)

    async def hear_inputs(self) -> None:
        """A motorcycle's buttons: accept and repeat, without a touch. For ever."""
        while True:
            await self._input((await self._inputs.get()).detail.get("input"))

    async def _input(self, name: object) -> None:
        if name == self.settings.repeat_input:
            self.announcer.again()
        elif name == self.settings.accept_input:
            main = self._page()["main"]
            if main is not None and main["state"] in OFFERED:
                await self._obey(device.Answer(order=main["order"], answer="accept"))

    def _changed(self) -> None:
        self.announcer.changed()
        self._show()

    def _stirred(self) -> None:
        if self._uptime_ms() - self._shown_ms >= IDLE_MS:
            self._show()

    def _show(self) -> None:
        self._shown_ms = self._uptime_ms()
        self.on_page()

    # --- what goes out ---------------------------------------------------------------------------

    def page(self) -> bytes:
        """The page of now, numbered."""
        self._seq += 1
        self._made_ms[self._seq] = self._uptime_ms()
        while len(self._made_ms) > PAGES_TIMED_MAX:
            del self._made_ms[next(iter(self._made_ms))]
        return json.dumps(
            {"seq": self._seq, **self._page()}, ensure_ascii=False, separators=(",", ":")
        ).encode()

    def painted(self, seq: int) -> int | None:
        """A page stands on the glass: ms since the agent made it, None for an old one."""
        made_ms = self._made_ms.pop(seq, None)
        if made_ms is None:
            return None
        took_ms = self._uptime_ms() - made_ms
        self.paint_ms_max = max(self.paint_ms_max, took_ms)
        log.debug("painted", seq=seq, took_ms=took_ms)
        return took_ms

    def names(self) -> dict[str, Any]:
        """The codebook's names, and what the settings offer at log-on."""
        settings = self.settings
        return {
            **books.names(self._book()), "units": list(settings.units),
            "officers": list(settings.officers),
        }  # fmt: skip

    def _page(self) -> dict[str, Any]:
        state, now = self._devices.state(), self._terminal.timekeeper.now()
        self._touches.link(state.link == "up" and state.welcomed, now.utc_ms)
        near = Surroundings(
            now_ms=now.utc_ms,
            kind=self.settings.kind,
            officers=len(self._terminal.state.crew.members),
            is_locked=self._is_locked(),
            is_driving=self._driving.is_on(self._uptime_ms()),
            is_full=self._terminal.is_store_full,
            link_down_ms=self._touches.down_since_ms,
            queued=self._touches.queued(self._sender.is_at_centre),
            dismissed=self._dismissed,
            pairing_code=self._pairing.code(self._uptime_ms()),
        )
        return view(state, near)

    # --- touches ---------------------------------------------------------------------------------

    def is_paired(self, secret: bytes) -> bool:
        return self._pairing.knows(secret)

    async def touch(self, body: bytes, passed: Passed) -> BaseModel:
        """What became of a touch: done with the entry's number, or refused with the remedy."""
        try:
            command = commands.read(body, commands.TOUCH)
        except Refused as refused:
            return device.Refusal(reason=refused.detail, remedy="reload the page")
        match command:
            case commands.Again():
                self.announcer.again()
                return device.Done(entry=0)
            case commands.Unlock():
                return await self._unlock()
            case commands.ShowCode() | commands.Unpair() if not passed.is_display:
                return device.Refusal(reason="only at the display", remedy="ask for it there")
            case commands.ShowCode():
                self._pairing.begin(secrets.randbits(64), self._uptime_ms())
                self._show()
                return device.Done(entry=0)
            case commands.Unpair():
                return await self._keep_paired((), "screens_unpaired")
            case device.Chimed():  # no touch: the page tells that it has sounded
                return await self._devices.obey(command)
        if self._is_locked() and not self._is_for_driver(command):
            return _MOVING
        return await self._obey(command)

    async def pair(self, body: bytes) -> bytes | None:
        """The secret for a device that knew the code."""
        try:
            code = commands.read(body, commands.PAIR).code
        except Refused:
            return None
        if not self._pairing.tried(code, self._uptime_ms()):
            log.limited("pairing_refused")
            return None
        secret = secrets.token_hex(SECRET_BYTES).encode()
        kept = await self._keep_paired(self._pairing.with_secret(secret), "screen_paired")
        return secret if isinstance(kept, device.Done) else None

    async def _obey(self, command: Any) -> device.Done | device.Refusal:
        reply = await self._devices.obey(command)
        if isinstance(reply, device.Done):
            what = getattr(command, "order", command.type)
            self._touches.kept(reply.entry, what, self._now_ms())
            if isinstance(command, device.Answer) and command.answer == "read":
                card = self._terminal.state.desk.cards.get(command.order)
                if card is not None and card.state.value in _CLOSED:
                    self._dismissed.add(command.order)
            self._show()
        return reply

    def _is_for_driver(self, command: BaseModel) -> bool:
        """SOS always; else what the page offers to a driver."""
        if isinstance(command, device.SetStatus):
            return command.status == "emergency"
        if isinstance(command, device.Answer):
            return is_offered(self._page(), command.answer, command.order)
        return False

    async def _unlock(self) -> BaseModel:
        crew = self._terminal.state.crew
        if self.settings.kind != "car" or not self._driving.unlock(
            len(crew.members), crew.logon, self._uptime_ms()
        ):
            return device.Refusal(reason="no passenger is logged on", remedy="stop to use it")
        reply = await self._note("screen_unlock")
        self._show()
        return reply

    async def _keep_paired(self, paired: tuple[bytes, ...], name: str) -> BaseModel:
        reply = await self._note(name, {PAIRED_KEY: pairing.encode(paired)})
        if isinstance(reply, device.Done):
            self._pairing.paired = paired
            self._show()
        return reply

    async def _note(
        self, name: str, meta: Mapping[str, object] | None = None
    ) -> device.Done | device.Refusal:
        """An entry of the screen's own: an event of the device `screen`."""
        self._events += 1
        boot = self._terminal.logbook.boot
        body = DeviceEvent(DEVICE, DEVICE, boot, self._events, name, None, (), None, None)
        change = Change((self._terminal.entry(body),), meta=meta or {})
        try:
            rows = await self._terminal.commit(lambda _n: change)
        except (StoreFull, StoreBusy) as fault:
            return device.Refusal(reason="the terminal's disk is full", remedy=fault.remedy)
        return device.Done(entry=rows[-1].n)

    # --- time and motion --------------------------------------------------------------------------

    def _is_locked(self) -> bool:
        is_foot = self.settings.kind == "foot"
        locked = self._driving.is_locked(self._terminal.state.crew.logon, self._uptime_ms())
        return locked and not is_foot

    def _now_ms(self) -> int:
        return self._terminal.timekeeper.now().utc_ms

    def _uptime_ms(self) -> int:
        return self._terminal.timekeeper.uptime_ms()
