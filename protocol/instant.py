"""Instants as people and JSON read them."""

from __future__ import annotations

from datetime import UTC, datetime


def ms_of(text: str) -> int:
    """An ISO 8601 instant as ms since 1970; UTC where no zone is given.

    Raises ValueError for what is none, OverflowError for years beyond the calendar.
    """
    found = datetime.fromisoformat(text)
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def iso(time_ms: int) -> str:
    """ISO 8601 UTC with milliseconds."""
    seconds, ms = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"
