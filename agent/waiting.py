"""Waiting for something to do, at most until the next deadline.

`asyncio.wait_for` of Python 3.11 loses a cancellation that comes together with what is waited for
(python/cpython#86296, mended in 3.12), and a lost one stops the whole daemon from ending.
`asyncio.timeout` does not.
"""

import asyncio


async def wait_at_most(event: asyncio.Event, timeout_s: float | None) -> None:
    """Until `event` is set or `timeout_s` has passed (None: no limit); the event is clear after."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
    event.clear()
