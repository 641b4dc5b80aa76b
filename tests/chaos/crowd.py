"""A crowd of links in one process: the product's own link code, a certificate for each.

    python -m tests.chaos.crowd SETTINGS.json

Says on stdout, one JSON object a line: `{"event":"connected","link":17,"at_s":…}` (monotonic clock
of the host), the same for `disconnected`; ends with its standard input. Used by test_storm.py.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from runtime.log import get_log
from runtime.mqtt_link import MqttLink
from runtime.mqtt_types import Connected, Disconnected, LinkSettings


def _settings(given: dict[str, Any], name: str) -> LinkSettings:
    """As a terminal in service has them."""
    folder = Path(given["folder"])
    return LinkSettings(
        host="127.0.0.1", port=given["port"], client_id=name, ca_file=folder / "ca.pem",
        cert_file=folder / f"{name}.pem", key_file=folder / f"{name}.key",
    )  # fmt: skip


async def _follow(link: MqttLink, number: int) -> None:
    async for event in link.events():
        if isinstance(event, Connected | Disconnected):
            word = "connected" if isinstance(event, Connected) else "disconnected"
            said = {"event": word, "link": number, "at_s": time.monotonic()}
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


async def _run(given: dict[str, Any]) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number in given["links"]:
            name = f"c{number}"
            link = MqttLink(
                _settings(given, name), subscriptions=[(f"order/{name}", 1)],
                rng=random.Random(number), log=get_log("crowd"),
            )  # fmt: skip
            tasks += [group.create_task(link.run()), group.create_task(_follow(link, number))]
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(_run(json.loads(Path(sys.argv[1]).read_text())))
