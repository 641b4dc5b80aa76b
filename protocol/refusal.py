"""Why a message is refused: one exception, one closed list of reasons, counted where caught."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Reasons of refusal; the words stand in metrics, logs and replies and are never reused."""

    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    MALFORMED = "malformed"
    OUT_OF_RANGE = "out_of_range"
    WRONG_KIND = "wrong_kind"
    WRONG_ALGORITHM = "wrong_algorithm"
    UNKNOWN_KEY = "unknown_key"
    WRONG_ROLE = "wrong_role"
    BAD_SEAL = "bad_seal"
    UNKNOWN_SENDER = "unknown_sender"
    REVOKED = "revoked"
    UNKNOWN_TOPIC = "unknown_topic"
    RETAINED = "retained"
    REPLAYED = "replayed"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    STALE_TERM = "stale_term"
    STALE_VERSION = "stale_version"
    CHAIN_BROKEN = "chain_broken"
    TWIN_TERMINAL = "twin_terminal"
    WRONG_LOGON = "wrong_logon"
    HANDLER_FAULT = "handler_fault"  # our own error on a message; set apart, tried once


class Refused(Exception):
    """A peer's message is not acted on.

    `reason` is counted; `detail` names the place and the value for the one log line.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
