"""Identifiers: what a fleet, terminal, unit, incident or order may be called.

Names are `[a-z0-9-]{1,31}` so that `fleet.name` fits an X.509 common name (64 characters, RFC 5280
appendix A) and can stand in a topic without escaping.
"""

from __future__ import annotations

import re
from typing import NewType

from protocol.refusal import Reason, Refused

Fleet = NewType("Fleet", str)
Device = NewType("Device", str)
UnitId = NewType("UnitId", str)
IncidentId = NewType("IncidentId", str)
OrderId = NewType("OrderId", str)
EnrolmentId = NewType("EnrolmentId", bytes)
LogbookId = NewType("LogbookId", bytes)

ENROLMENT_BYTES = 16
_NAME = re.compile(r"[a-z0-9-]{1,31}", re.ASCII)


def name(value: object, place: str) -> str:
    """Return `value` if it is a name; raises Refused(malformed) naming the place otherwise."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise Refused(
        Reason.MALFORMED, f"{place}: {value!r:.60} is no name; use 1 to 31 of a-z, 0-9 and -"
    )


def common_name(fleet: str, device: str) -> str:
    """The certificate's common name, the broker's user name and client id."""
    return f"{name(fleet, 'fleet')}.{name(device, 'device')}"


def split_common_name(value: str) -> tuple[Fleet, Device]:
    """`fleet.device` taken apart; raises Refused(malformed)."""
    fleet, _, device = value.partition(".")
    return Fleet(name(fleet, "common name")), Device(name(device, "common name"))
