"""One board over SMP: a greeting, the image state, and its inputs 25 times a second.

One request is under way at a time; each sending has a sequence number of its own, so that a late
or doubled answer is told apart. What is not answered is asked again with doubling patience; any
answer makes it short again. The image state is read after each greeting and each hour.
Called by `bridge` and `port_task`.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from smp.message import Request

from firmware_bridge.core import smp_line, smp_message
from firmware_bridge.core.board_inputs import BoardInputs
from firmware_bridge.core.images import image_detail
from firmware_bridge.core.presence import Presence
from firmware_bridge.core.session import NEVER_MS, Notice, Output
from protocol.device import Command, CommandResult, Detail, Event, Refusal
from protocol.refusal import Refused

POLL_MS: Final = 40
TIMEOUT_MS: Final = 250  # and the time that a long answer takes on the line
TIMEOUT_MS_MAX: Final = 4000
LONG_ANSWER_BITS: Final = 1000 * 10
SILENT_AFTER: Final = 5  # unanswered sendings: greet anew
IMAGE_MS: Final = 3_600_000
IMAGE_RETRY_MS: Final = 60_000
REFUSED_WAIT_MS: Final = 1000  # doubled with each further refusal
REFUSED_WAIT_MS_MAX: Final = 60_000
GREETING: Final = "outrider"


@dataclass(frozen=True, slots=True)
class _Asked:
    request: Request
    deadline_ms: int


class BoardSession:
    """See `session.Session`."""

    def __init__(
        self, name: str, now_ms: int, *, baud: int = 115_200, poll_ms: int = POLL_MS
    ) -> None:
        self.name, self.counts = name, Counter[str]()
        self.inputs = BoardInputs(name)
        self._poll_ms, self._timeout_ms = poll_ms, TIMEOUT_MS + LONG_ANSWER_BITS * 1000 // baud
        self._lines = smp_line.LineDecoder()
        self._presence = Presence(name, "board", now_ms)
        self._outputs: list[Output] = []
        self._is_open, self._is_greeted = False, False
        self._reason = "no answer"
        self._asked: _Asked | None = None
        self._sequence, self._unanswered, self._refusals = 0, 0, 0
        self._due_ms, self._image_due_ms = now_ms, now_ms
        self._image_told: Detail | None = None

    def opened(self, now_ms: int) -> None:
        self._is_open, self._is_greeted, self._asked = True, False, None
        self._unanswered, self._refusals, self._due_ms = 0, 0, now_ms
        self._reason = "no answer"
        self._lines.reset()

    def lost(self, reason: str, now_ms: int) -> None:
        self._is_open, self._asked, self._reason = False, None, reason
        self._outputs += self._presence.missing(reason, now_ms)

    def received(self, chunk: bytes, now_ms: int) -> None:
        for frame in self._lines.feed(chunk):
            try:
                message = smp_message.read_message(frame)
            except Refused as refused:
                self.counts[f"frame_{refused.reason}"] += 1
            else:
                self._take(message, now_ms)
        self.counts.update(self._lines.counts)
        self._lines.counts.clear()

    def to_write(self, now_ms: int) -> bytes:
        if self._asked is not None and now_ms >= self._asked.deadline_ms:
            self._not_answered(now_ms)
        self._outputs += self._presence.missing(self._reason, now_ms)
        if not self._is_open or self._asked is not None or now_ms < self._due_ms:
            return b""
        self._sequence = (self._sequence + 1) % 256
        request = self._next_request(now_ms)
        patience_ms = min(TIMEOUT_MS_MAX, self._timeout_ms << min(self._unanswered, 8))
        self._asked = _Asked(request, now_ms + patience_ms)
        self._due_ms = now_ms + self._poll_ms
        return smp_line.encode(request.BYTES)

    def wake_ms(self) -> int:
        due_ms = NEVER_MS
        if self._is_open:
            due_ms = self._due_ms if self._asked is None else self._asked.deadline_ms
        return min(due_ms, self._presence.wake_ms())

    def outputs(self) -> list[Output]:
        outputs, self._outputs = self._outputs, []
        return outputs

    def taken(self, event: Event) -> None:
        self.inputs.taken(event)

    def settled(self, event: Event, refusal: Refusal | None, now_ms: int) -> None:
        """Settled either way: a board cannot correct an event, and asks for no answer."""
        del refusal, now_ms
        self.inputs.settled(event)

    def command(self, command: Command, now_ms: int) -> None:
        del now_ms
        detail: Detail = {"reason": f"a board cannot {command.name}"}
        result = CommandResult(device=self.name, id=command.id, ok=False, detail=detail)
        self._outputs.append(result)

    def _next_request(self, now_ms: int) -> Request:
        if not self._is_greeted:
            return smp_message.EchoWriteRequest(d=GREETING, sequence=self._sequence)
        if now_ms >= self._image_due_ms:
            return smp_message.ImageStatesReadRequest(sequence=self._sequence)
        after = self.inputs.after
        return smp_message.InputsReadRequest(after=after, sequence=self._sequence)

    def _not_answered(self, now_ms: int) -> None:
        assert self._asked is not None
        self.counts["unanswered"] += 1
        self._unanswered += 1
        if isinstance(self._asked.request, smp_message.ImageStatesReadRequest):
            self._image_due_ms = now_ms + IMAGE_RETRY_MS  # inputs do not wait for it
        if self._unanswered >= SILENT_AFTER:
            self._is_greeted = False
        self._asked, self._due_ms = None, now_ms

    def _take(self, message: smp_message.Message, now_ms: int) -> None:
        asked = self._asked
        if asked is None or not smp_message.is_answer(message, asked.request):
            self.counts["answer_not_asked"] += 1
            return
        self._asked, self._unanswered = None, 0
        self._outputs += self._presence.seen(now_ms)
        try:
            self._answered(asked.request, message, now_ms)
        except smp_message.BoardError as error:
            self.counts[f"board_error_{max(-1, min(error.rc, 256))}"] += 1
            self._refused(asked.request, now_ms)
        except Refused as refused:
            self.counts[f"answer_{refused.reason}"] += 1
            self._refused(asked.request, now_ms)
        else:
            self._refusals = 0

    def _answered(self, request: Request, message: smp_message.Message, now_ms: int) -> None:
        match request:
            case smp_message.EchoWriteRequest():
                smp_message.as_answer(message, smp_message.EchoWriteResponse)
                self._is_greeted, self._due_ms, self._image_due_ms = True, now_ms, now_ms
            case smp_message.ImageStatesReadRequest():
                self._image_due_ms, self._due_ms = now_ms + IMAGE_MS, now_ms
                self._image(smp_message.as_answer(message, smp_message.ImageStatesReadResponse))
            case smp_message.InputsReadRequest():
                reply = smp_message.as_answer(message, smp_message.InputsReadResponse)
                self._inputs(reply, request.after, now_ms)

    def _image(self, reply: smp_message.ImageStatesReadResponse) -> None:
        """Told once, and again when it has changed."""
        detail = image_detail(self.name, reply.images)
        if detail != self._image_told:
            self._image_told = detail
            self._outputs.append(Notice("image_state", self.name, "board", detail))

    def _inputs(self, reply: smp_message.InputsReadResponse, after: int, now_ms: int) -> None:
        was_known = self.inputs.boot is not None
        if self.inputs.is_new_boot(reply) and was_known:
            self._image_due_ms = now_ms  # another image may run now
            if after:  # the new boot's first events were not asked for
                self._due_ms = now_ms
                return
        self._outputs += self.inputs.events(reply, after)
        if self.inputs.lost:
            self.counts["events_lost"] += self.inputs.lost
            self.inputs.lost = 0

    def _refused(self, request: Request, now_ms: int) -> None:
        """It lives, but does not do this: ask less often."""
        if isinstance(request, smp_message.ImageStatesReadRequest):
            self._image_due_ms, self._due_ms = now_ms + IMAGE_MS, now_ms
            return
        wait_ms = min(REFUSED_WAIT_MS_MAX, REFUSED_WAIT_MS << min(self._refusals, 8))
        self._refusals += 1
        self._due_ms = now_ms + wait_ms
