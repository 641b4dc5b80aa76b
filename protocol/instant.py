"""Instants as people and JSON read them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(time_ms: int) -> str:
    """ISO 8601 UTC with milliseconds."""
    seconds, ms = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"
