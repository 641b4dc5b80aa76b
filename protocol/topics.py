"""Every topic, spelt once (the wire contract's table); parsing is strict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from protocol.names import Device, Fleet, name
from protocol.refusal import Reason, Refused

ROOT = "outrider/v1"
CANARY_SHUT = "shut"  # no access list allows it

TerminalLane = Literal["position", "logbook", "link", "order"]
_LANES = ("position", "logbook", "link", "order")


@dataclass(frozen=True, slots=True)
class TerminalTopic:
    """`outrider/v1/terminal/{fleet}/{device}/{lane}`."""

    fleet: Fleet
    device: Device
    lane: TerminalLane


@dataclass(frozen=True, slots=True)
class RequestTopic:
    """`outrider/v1/fleet/{fleet}/request/{manager}/{verb}`."""

    fleet: Fleet
    manager: Device
    verb: str


@dataclass(frozen=True, slots=True)
class OwnedTopic:
    """A topic whose retained message is the matcher's; `group` empty: open to all managers."""

    kind: Literal["unit", "incident", "statistics"]
    leaf: str = ""
    group: str = ""


def terminal(fleet: str, device: str, lane: TerminalLane) -> str:
    return f"{ROOT}/terminal/{fleet}/{device}/{lane}"


def all_terminals(fleet: str, lane: TerminalLane) -> str:
    """Filter of one lane of every terminal, for the matcher."""
    return f"{ROOT}/terminal/{fleet}/+/{lane}"


def request(fleet: str, manager: str, verb: str) -> str:
    return f"{ROOT}/fleet/{fleet}/request/{manager}/{verb}"


def all_requests(fleet: str) -> str:
    return f"{ROOT}/fleet/{fleet}/request/+/+"


def reply(fleet: str, manager: str) -> str:
    return f"{ROOT}/fleet/{fleet}/reply/{manager}"


def unit(fleet: str, unit_id: str) -> str:
    return f"{ROOT}/fleet/{fleet}/unit/{unit_id}"


def incident(fleet: str, incident_id: str) -> str:
    return f"{ROOT}/fleet/{fleet}/incident/{incident_id}"


def alert(fleet: str, kind: str) -> str:
    return f"{ROOT}/fleet/{fleet}/alert/{kind}"


def group_unit(fleet: str, group: str, unit_id: str) -> str:
    """As `unit`, for one that is not open to all."""
    return f"{ROOT}/fleet/{fleet}/group/{group}/unit/{unit_id}"


def group_incident(fleet: str, group: str, incident_id: str) -> str:
    """As `incident`, with the group's own units on it."""
    return f"{ROOT}/fleet/{fleet}/group/{group}/incident/{incident_id}"


def group_alert(fleet: str, group: str, kind: str) -> str:
    return f"{ROOT}/fleet/{fleet}/group/{group}/alert/{kind}"


def statistics(fleet: str) -> str:
    return f"{ROOT}/fleet/{fleet}/statistics"


def trust(fleet: str) -> str:
    """The newest trust document for managers' tools; the root sealed it, so anyone may check it."""
    return f"{ROOT}/fleet/{fleet}/trust"


def canary(fleet: str) -> str:
    """The matcher's message to itself: proof that its subscriptions deliver."""
    return f"{ROOT}/fleet/{fleet}/canary"


def list_canary(fleet: str, leaf: str) -> str:
    """The matcher to itself: `leaf` names the access list that allows it, or is CANARY_SHUT."""
    return f"{canary(fleet)}/{leaf}"


def owned_by_matcher(fleet: str) -> tuple[str, ...]:
    """Filters of every retained topic that the matcher owns."""
    return (
        unit(fleet, "+"), incident(fleet, "+"), statistics(fleet),
        group_unit(fleet, "+", "+"), group_incident(fleet, "+", "+"),
    )  # fmt: skip


def parse_owned(fleet: str, topic: str) -> OwnedTopic | None:
    """A topic of `owned_by_matcher`; None for any other."""
    base = f"{ROOT}/fleet/{fleet}/"
    if not topic.startswith(base):
        return None
    match topic.removeprefix(base).split("/"):
        case ["statistics"]:
            return OwnedTopic("statistics")
        case ["unit" | "incident" as kind, leaf]:
            return OwnedTopic("unit" if kind == "unit" else "incident", leaf)
        case ["group", group, "unit" | "incident" as kind, leaf]:
            return OwnedTopic("unit" if kind == "unit" else "incident", leaf, group)
        case _:
            return None


def parse(topic: str) -> TerminalTopic | RequestTopic:
    """A topic that peers publish to; raises Refused(unknown_topic)."""
    parts = topic.split("/") if len(topic) <= 256 else []
    match parts:
        case ["outrider", "v1", "terminal", fleet, device, lane] if lane in _LANES:
            return TerminalTopic(
                Fleet(_part(fleet)),
                Device(_part(device)),
                lane,  # type: ignore[arg-type]  # narrowed by the guard
            )
        case ["outrider", "v1", "fleet", fleet, "request", manager, verb]:
            return RequestTopic(Fleet(_part(fleet)), Device(_part(manager)), _part(verb))
        case _:
            raise Refused(Reason.UNKNOWN_TOPIC, f"{topic!r:.80}")


def _part(value: str) -> str:
    try:
        return name(value, "topic")
    except Refused as cause:
        raise Refused(Reason.UNKNOWN_TOPIC, cause.detail) from cause
