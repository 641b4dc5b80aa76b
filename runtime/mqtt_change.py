"""A wish for the next connection: with renewed certificates, or to another address.

The present one ends politely (no will is sent), the next begins without a delay. Called by
`runtime.mqtt_link`.
"""

import asyncio
from typing import Any, Final

from runtime.log import Log
from runtime.mqtt_connection import MqttConnection
from runtime.mqtt_types import ConnectionEnded, LinkReason, LinkSettings

_GOODBYE_S: Final = 0.9


class Change:
    """Holds the newest wish until it is taken."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._settings: LinkSettings | None = None

    def ask(self, settings: LinkSettings | None) -> None:
        """For a new connection; `settings` None: by those of now."""
        self._settings = settings or self._settings
        self._asked.set()

    def take(self) -> LinkSettings | None:
        """At the beginning of a connection: what it is to be made by, where that is new."""
        self._asked.clear()
        settings, self._settings = self._settings, None
        return settings

    async def pause(self, delay_s: float) -> None:
        """Before the next connection; none where one is asked for."""
        try:
            async with asyncio.timeout(delay_s):
                await self._asked.wait()
        except TimeoutError:
            return  # the delay is over

    async def until_over(
        self,
        connection: MqttConnection,
        place: str,
        log: Log,
    ) -> None:
        """Until `connection` ends, or another is asked for; raises ConnectionEnded."""
        tasks = [asyncio.create_task(connection.ended()), asyncio.create_task(self._asked.wait())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
                task.add_done_callback(_heard)
        if tasks[0] in done:
            tasks[0].result()  # raises
        await say_goodbye(connection, place, log)
        raise ConnectionEnded(place, LinkReason.RENEWED)


async def say_goodbye(connection: MqttConnection, place: str, log: Log) -> None:
    """DISCONNECT within a second, or not at all."""
    try:
        async with asyncio.timeout(_GOODBYE_S):
            await connection.close()
    except TimeoutError:
        log.warning("mqtt_goodbye_unheard", broker=place)


def _heard(task: asyncio.Task[Any]) -> None:
    """An end that nobody waits for any more is no fault of the loop's."""
    if not task.cancelled():
        task.exception()
