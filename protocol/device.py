"""Messages on the agent's local socket and on recorders' lines: one JSON object a line.

A device event is known by (device, boot, event); the device repeats it until the agent has synced
it and said `kept`. The crew's commands travel the same socket.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from protocol.refusal import Reason, Refused

LINE_BYTES_MAX: Final = 16384

Name: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,31}$")]
Scalar: TypeAlias = bool | int | Annotated[str, Field(max_length=256)] | None
Detail: TypeAlias = Annotated[
    dict[Annotated[str, Field(max_length=32)], Scalar], Field(max_length=16)
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Event(_Strict):
    """A device's event. `device_time_ms` is the device's own clock, which may be wrong."""

    type: Literal["event"] = "event"
    device: Name
    device_kind: Literal["board", "recorder", "locator", "drone"]
    boot: Annotated[int, Field(ge=0, lt=1 << 32)]
    event: Annotated[int, Field(ge=1, lt=1 << 32)]
    name: Literal[
        "recording_on", "recording_off", "mark", "file_closed", "ignition", "sos", "input",
        "image_state", "present", "absent",
    ]  # fmt: skip
    device_time_ms: Annotated[int, Field(ge=0, lt=1 << 43)] | None = None
    detail: Detail = {}


class Kept(_Strict):
    """The agent has synced the event."""

    type: Literal["kept"] = "kept"
    device: Name
    boot: int
    event: int


class Refusal(_Strict):
    """A line was not taken; it must not be repeated as it is."""

    type: Literal["refused"] = "refused"
    device: str | None = None
    boot: int | None = None
    event: int | None = None
    reason: str
    remedy: str


class Command(_Strict):
    """To a device."""

    type: Literal["command"] = "command"
    device: Name
    id: int
    name: Literal["record_on", "record_off", "mark", "buzzer", "lamp"]
    detail: Detail = {}


class CommandResult(_Strict):
    type: Literal["command_result"] = "command_result"
    device: Name
    id: int
    ok: bool
    detail: Detail = {}


class Serves(_Strict):
    """A bridge says, at each connection, to which devices it takes commands."""

    type: Literal["serves"] = "serves"
    devices: tuple[Name, ...] = Field(max_length=16)


class Logon(_Strict):
    """Crew's command: bind unit, vehicle and crew to this terminal."""

    type: Literal["logon"] = "logon"
    unit: Name
    crew: tuple[Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{1,16}$")], ...] = Field(max_length=8)
    vehicle: Name | None = None
    driver: Annotated[str, Field(max_length=16)] | None = None
    recorders: tuple[tuple[Name, Annotated[str, Field(max_length=16)] | None], ...] = Field(
        default=(), max_length=8
    )


class Logoff(_Strict):
    type: Literal["logoff"] = "logoff"
    reason: str | None = None


class SetStatus(_Strict):
    type: Literal["set_status"] = "set_status"
    status: Annotated[str, Field(max_length=32)]
    reason: Annotated[str, Field(max_length=32)] | None = None


class Answer(_Strict):
    type: Literal["answer"] = "answer"
    order: Name
    answer: Literal["accept", "decline", "en-route", "on-scene", "clear", "read"]
    reason: Annotated[str, Field(max_length=32)] | None = None
    disposition: Annotated[str, Field(max_length=32)] | None = None


class Reply(_Strict):
    """A message of the desk is read, or answered by a code of the codebook."""

    type: Literal["reply"] = "reply"
    message: Name
    code: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")] = "read"


class Chimed(_Strict):
    """The screen has sounded for that revision of an order; it does not again after a restart."""

    type: Literal["chimed"] = "chimed"
    order: Name
    revision: Annotated[int, Field(ge=0, lt=1 << 16)]


class Status(_Strict):
    """Asks for the terminal's state; the reply is `State`."""

    type: Literal["status"] = "status"


class Watch(_Strict):
    """Asks for a `State` now and after each change: the screen's and the tests' feed."""

    type: Literal["watch"] = "watch"


class Done(_Strict):
    """A crew's command is synced."""

    type: Literal["done"] = "done"
    entry: int


class State(_Strict):
    """The terminal as its crew sees it."""

    type: Literal["state"] = "state"
    terminal: str
    unit: str | None
    logon: int | None
    status: str
    link: Literal["up", "down"]
    welcomed: bool
    waiting_entries: int  # not yet receipted
    fix: dict[str, Any] | None
    orders: tuple[dict[str, Any], ...]
    messages: tuple[dict[str, Any], ...] = ()
    silent: bool = False  # an SOS was raised in silence: nothing sounds or lights up
    refused: dict[str, int]
    store: dict[str, int] = {}  # bytes a day, after the first minute
    recorders: tuple[dict[str, Any], ...] = ()  # of this log-on, and whether they are on
    recorder_not_on: bool = False  # one that must be on is not: it sounds, unless `silent`


FromClient: TypeAlias = Annotated[
    Event
    | CommandResult
    | Logon
    | Logoff
    | SetStatus
    | Answer
    | Reply
    | Status
    | Watch
    | Serves
    | Chimed,
    Field(discriminator="type"),
]
ToClient: TypeAlias = Annotated[
    Kept | Refusal | Command | Done | State, Field(discriminator="type")
]
FROM_CLIENT: Final[TypeAdapter[Any]] = TypeAdapter(FromClient)
TO_CLIENT: Final[TypeAdapter[Any]] = TypeAdapter(ToClient)


def encode(message: BaseModel) -> bytes:
    """One line, newline included."""
    return message.model_dump_json().encode() + b"\n"


def decode(line: bytes, adapter: TypeAdapter[Any] = FROM_CLIENT) -> Any:
    """One message from one line; raises Refused(malformed) naming the field."""
    if len(line) > LINE_BYTES_MAX:
        raise Refused(Reason.TOO_LARGE, f"line of {len(line)} bytes; at most {LINE_BYTES_MAX}")
    try:
        return adapter.validate_json(line)
    except ValidationError as cause:
        first = cause.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "line"
        raise Refused(Reason.MALFORMED, f"{place}: {first['msg']:.120}") from cause
