"""Events between the socket's callbacks and the one task that consumes them. No I/O.

At most `messages_max` messages wait; then the owner stops reading until half of them are taken.
Connection events always fit: repeated failures replace each other. Used by `runtime.mqtt_link`.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from runtime.mqtt_types import Connected, ConnectFailed, Event, Message


class Inbox(AsyncIterator[Event]):
    """One writer in the loop's callbacks, one reader; `on_taken` hears what the reader gets."""

    def __init__(
        self,
        messages_max: int,
        on_room: Callable[[], None],
        on_taken: Callable[[Event], None],
    ) -> None:
        self._messages_max, self._on_room, self._on_taken = messages_max, on_room, on_taken
        self._events: deque[Event] = deque()
        self._messages = 0
        self._held: list[Message] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._fault: BaseException | None = None
        self._is_closed = False

    @property
    def is_full(self) -> bool:
        return self._messages >= self._messages_max

    @property
    def messages_waiting(self) -> int:
        return self._messages

    def put(self, event: Event) -> None:
        """A connection's event; always taken."""
        if isinstance(event, ConnectFailed) and self._ends_with_failure():
            self._events.pop()
        self._events.append(event)
        self._wake()

    def put_message(self, message: Message) -> bool:
        """False only while held, when there is no room; otherwise whoever reads the socket stops
        at `is_full`, and what one read still brings is taken."""
        if self._held is not None:
            if len(self._held) >= self._messages_max:
                return False
            self._held.append(message)
            return True
        self._messages += 1
        self.put(message)
        return True

    def hold(self) -> None:
        """Keep messages back: a broker may send some before its SUBACK."""
        self._held = []

    def admit(self, connected: Connected) -> None:
        """The connection stands: its event, then what was kept back."""
        self.put(connected)
        held, self._held = self._held or [], None
        for message in held:
            self.put_message(message)

    def forget_held(self) -> None:
        """The connection did not come about."""
        self._held = None

    def close(self, fault: BaseException | None = None) -> None:
        """No more events; what waits is still given, then `fault` is raised."""
        self._is_closed, self._fault = True, fault
        self._wake()

    async def __anext__(self) -> Event:
        """The next event. Raises what ended the link."""
        while not self._events:
            if self._fault is not None:
                raise self._fault
            if self._is_closed:
                raise StopAsyncIteration
            await self._wait()
        event = self._events.popleft()
        self._on_taken(event)
        if isinstance(event, Message):
            self._messages -= 1
            if self._messages == self._messages_max // 2:
                self._on_room()
        return event

    async def _wait(self) -> None:
        if self._waiter is not None:
            raise RuntimeError("the events of a link have one consumer")
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _ends_with_failure(self) -> bool:
        return bool(self._events) and isinstance(self._events[-1], ConnectFailed)
