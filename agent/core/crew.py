"""Who is logged on to this terminal and the status it reports; pure.

The status follows the answers to an order without an entry of its own, and `set` at any time.
"""

from dataclasses import dataclass, replace
from typing import Final

from protocol import cbor
from protocol.entry import Logon
from protocol.fields import U32, many, maybe, pair, plain, record, text, uint
from protocol.order import OPEN, OrderState
from protocol.words import Status

_STATUS_OF: Final = {
    OrderState.CONFIRMED: Status.DISPATCHED,
    OrderState.EN_ROUTE: Status.EN_ROUTE,
    OrderState.ON_SCENE: Status.ON_SCENE,
}


@dataclass(frozen=True, slots=True)
class Crew:
    """`logon` is the log-on number in force; `status_order` the order the status follows."""

    logon: int | None = None
    unit: str | None = None
    vehicle: str | None = None
    members: tuple[str, ...] = ()
    status: int = Status.OFF_DUTY
    status_order: str | None = None
    recorders: tuple[tuple[str, str | None], ...] = ()  # recorder, officer; None: the vehicle's


_decode = record(
    Crew, maybe(uint(U32)), maybe(text(31)), maybe(text(31)), many(text(16), 8), uint(10),
    maybe(text(31)), many(pair(text(31), maybe(text(16))), 8),
)  # fmt: skip
_FIELDS_BEFORE: Final = 6  # in stores of releases without the recorders


def encode(crew: Crew) -> bytes:
    return cbor.encode(plain(crew))


def decode(data: bytes) -> Crew:
    """Raises Refused."""
    said = cbor.decode(data)
    if isinstance(said, list) and len(said) == _FIELDS_BEFORE:
        said = [*said, []]
    return _decode(said, "crew")


def logged_on(body: Logon) -> Crew:
    """The crew after its log-on entry."""
    return Crew(
        body.number, body.unit, body.vehicle, body.crew, Status.AVAILABLE, None, body.recorders
    )


def binds_the_same(crew: Crew, body: Logon) -> bool:
    """Whether a log-on would change nothing, as when a script says it twice."""
    now = (crew.unit, crew.vehicle, crew.members, crew.recorders)
    said = (body.unit, body.vehicle, body.crew, body.recorders)
    return crew.logon is not None and now == said


def keeps_recorders(
    crew: Crew, unit: str, members: tuple[str, ...]
) -> tuple[tuple[str, str | None], ...]:
    """The recorders after the desk logs `unit` on here, which names none."""
    if crew.unit != unit:
        return ()
    return tuple(one for one in crew.recorders if one[1] is None or one[1] in members)


def follow(crew: Crew, order: str, state: OrderState) -> Crew:
    """The crew's status after `order` came to `state`; an emergency is ended by hand only."""
    if crew.status == Status.EMERGENCY:
        return crew
    if state in _STATUS_OF:
        return replace(crew, status=_STATUS_OF[state], status_order=order)
    if state not in OPEN and (crew.status_order == order or state is OrderState.CLEARED):
        return replace(crew, status=Status.AVAILABLE, status_order=None)
    return crew


def set_by_hand(crew: Crew, status: int) -> Crew:
    """`status`: words.Status."""
    return replace(crew, status=status, status_order=None)
