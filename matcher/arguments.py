"""What the matcher's commands share: instants as arguments, and who is asking."""

from __future__ import annotations

import argparse
import os
import pwd
from typing import Final

from protocol.instant import ms_of

REASON_CHARACTERS_MAX: Final = 200


def instant(text: str) -> int:
    """An ISO 8601 instant as ms since 1970; UTC where no zone is given. For argparse."""
    try:
        at_ms = ms_of(text)
    except (ValueError, OverflowError):
        remedy = "wanted ISO 8601, e.g. 2026-11-24T08:00:00Z"
        raise argparse.ArgumentTypeError(f"{text!r:.40}: {remedy}") from None
    if at_ms < 0:
        raise argparse.ArgumentTypeError(f"{text!r:.40} is before 1970")
    return at_ms


def reason(text: str) -> str:
    """Why somebody looks at the past: never empty. For argparse."""
    if not text.strip() or len(text) > REASON_CHARACTERS_MAX or not text.isprintable():
        what = f"say why, in 1 to {REASON_CHARACTERS_MAX} characters of one line"
        raise argparse.ArgumentTypeError(what)
    return text.strip()


def account() -> str:
    """The account that runs the command, and the person behind sudo."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    person = os.environ.get("SUDO_USER")
    return (f"{person} as {name}" if person else name)[:64]
