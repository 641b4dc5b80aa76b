"""`outrider request VERB …`: one sealed request from a shell, or a look at the fleet's topics.

The reply on stdout, progress on stderr. Exit 0 done, 1 refused, no reply or bad input, 2 wrong
usage. Called by `outrider.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys

from manager.arguments import parser, request_of
from manager.client import ManagerClient, fleet_topics
from manager.settings import ManagerSettings
from protocol.refusal import Refused
from protocol.request import Reply
from runtime.clock import SystemClock
from runtime.faults import OutriderFault
from runtime.service import first_cause
from runtime.settings import load


def main(argv: list[str]) -> int:
    """Exit code."""
    arguments = parser().parse_args(argv)
    try:
        settings = load(arguments.config, ManagerSettings)
        return asyncio.run(_run(arguments, settings))
    except (Refused, OutriderFault) as cause:
        return _failed(cause)
    except ExceptionGroup as group:
        first = first_cause(group)
        if not isinstance(first, Refused | OutriderFault):
            raise
        return _failed(first)


async def _run(arguments: argparse.Namespace, settings: ManagerSettings) -> int:
    if arguments.verb == "watch":
        return await _watch(arguments.seconds, settings)
    asked = request_of(arguments, secrets.token_hex(8), SystemClock().utc_ms())
    async with ManagerClient(settings, on_trouble=_progress) as client:
        return _show(await client.request(asked), as_json=arguments.json)


async def _watch(seconds: float | None, settings: ManagerSettings) -> int:
    """Each message of the fleet's topics as one JSON line."""
    watch = fleet_topics(settings.fleet, settings.groups)
    try:
        async with (
            asyncio.timeout(seconds),
            ManagerClient(settings, watch=watch, on_trouble=_progress) as client,
        ):
            async for update in client.updates():
                text = update.payload.decode("utf-8", "backslashreplace")
                line = {"topic": update.topic, "retained": update.retained, "payload": text}
                sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
                sys.stdout.flush()
    except TimeoutError:
        return 0
    return 1


def _show(reply: Reply, *, as_json: bool) -> int:
    is_done = reply.outcome == "done"
    if as_json:
        sys.stdout.write(reply.model_dump_json(exclude_none=True) + "\n")
        return 0 if is_done else 1
    named = {"incident": reply.incident, "order": reply.order, "unit": reply.unit,
             "message": reply.message}  # fmt: skip
    words = [f"{name} {value}" for name, value in named.items() if value is not None]
    if is_done:
        sys.stdout.write(" ".join(["done", *words]) + "\n")
        return 0
    why = ": ".join(text for text in (reply.reason, reply.detail) if text) or "no reason given"
    sys.stderr.write(f"outrider request: refused: {why}\n")
    return 1


def _progress(text: str) -> None:
    sys.stderr.write(f"outrider request: {text}; trying again\n")


def _failed(cause: BaseException) -> int:
    sys.stderr.write(f"outrider request: {cause}\n")
    return 1
