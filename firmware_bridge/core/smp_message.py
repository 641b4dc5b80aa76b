"""SMP messages: 8-byte header (version and operation, flags, length, group, sequence, command; big
endian), then a CBOR map. What the bridge asks a board, and what it takes for an answer.

Header and message models are those of the `smp` library, group 64 derives from them. Not used of
it: `loads` (unbounded CBOR, a peer's keys as arguments unseen, indefinite maps refused) and
`smp.error` (refuses error numbers that it does not know, the user groups' among them).
The four modules cost 70 ms of start and 2.4 MB private memory, little beside pydantic's 14 MB.
Called by `board_session`.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from pydantic import ConfigDict, Field, StrictBool, StrictInt, StrictStr
from smp import header as smp_header
from smp import message as smp_model
from smp.exceptions import SMPException
from smp.header import OP, Header
from smp.image_management import ImageState, ImageStatesReadRequest, ImageStatesReadResponse
from smp.os_management import EchoWriteRequest, EchoWriteResponse

from firmware_bridge.core.smp_cbor import decode_map
from protocol.refusal import Reason, Refused

__all__ = [
    "BoardError", "EchoWriteRequest", "EchoWriteResponse", "ImageState", "ImageStatesReadRequest",
    "ImageStatesReadResponse", "InputsReadRequest", "InputsReadResponse", "Message", "as_answer",
    "is_answer", "read_message",
]  # fmt: skip

EVENTS_MAX: Final = 64  # what a board holds
INPUT_GROUP: Final = 64  # the first user group
_RESERVED_KEYS: Final = frozenset(smp_model.Request.model_fields)  # the library's own attributes

_U32 = Annotated[StrictInt, Field(ge=0, lt=1 << 32)]
_Number = Annotated[StrictInt, Field(ge=1, lt=1 << 32)]
_InputName = Annotated[StrictStr, Field(pattern=r"^[a-z0-9_-]{1,31}$")]
_Level = StrictBool | Annotated[StrictInt, Field(ge=0, le=1)]
_Age = Annotated[StrictInt, Field(ge=0, lt=1 << 43)]

ResponseT = TypeVar("ResponseT", bound=smp_model.Response)


class InputsReadRequest(smp_model.ReadRequest):
    """The board's inputs and the events numbered above `after`."""

    _GROUP_ID = INPUT_GROUP
    _COMMAND_ID = 0

    after: _U32


class InputsReadResponse(smp_model.ReadResponse):
    """`events`: number, input, level, ms ago; numbered from 1 in each boot, rising."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    _GROUP_ID = INPUT_GROUP
    _COMMAND_ID = 0

    boot: _U32
    inputs: Annotated[dict[_InputName, StrictBool], Field(max_length=32)]
    events: Annotated[
        list[tuple[_Number, _InputName, _Level, _Age]], Field(max_length=EVENTS_MAX)
    ]  # fmt: skip


class BoardError(Exception):
    """The board understood and refused: `rc`, and the group where the group says so."""

    def __init__(self, rc: int, group: int | None) -> None:
        super().__init__(f"error {rc}" + ("" if group is None else f" of group {group}"))
        self.rc, self.group = rc, group


@dataclass(frozen=True, slots=True)
class Message:
    """One frame, its header and map not yet held against any request."""

    header: Header
    body: dict[str, Any]
    frame: bytes


def read_message(frame: bytes) -> Message:
    """Raises Refused: size, operation, version, flags, command or map are not as they must be."""
    if len(frame) < Header.SIZE:
        raise Refused(Reason.MALFORMED, f"{len(frame)} bytes are no header")
    try:
        header = Header.loads(frame[: Header.SIZE])
    except ValueError as cause:
        raise Refused(Reason.MALFORMED, f"header: {cause!s:.80}") from cause
    size = len(frame) - Header.SIZE
    if header.length != size:
        raise Refused(Reason.MALFORMED, f"length {header.length}, payload of {size} bytes")
    if header.flags != 0:
        raise Refused(Reason.MALFORMED, f"flags {int(header.flags)}")
    return Message(header, decode_map(frame[Header.SIZE :]), frame)


def is_answer(message: Message, request: smp_model.Request) -> bool:
    """Whether operation, group, command and sequence are those that answer `request`."""
    said, asked = message.header, request.header
    return (
        said.op == OP(asked.op + 1)
        and said.group_id == asked.group_id
        and said.command_id == asked.command_id
        and said.sequence == asked.sequence
    )


def as_answer(message: Message, model: type[ResponseT]) -> ResponseT:
    """The map as `model`; raises BoardError for the board's own error, Refused for any other."""
    body = _without_success(message.body)
    if _RESERVED_KEYS & body.keys():
        raise Refused(Reason.MALFORMED, "a name that no answer has")
    try:
        return model(
            header=message.header,
            version=smp_header.Version(message.header.version),
            smp_data=message.frame,
            **body,
        )
    except (ValueError, TypeError, SMPException) as cause:  # pydantic's is a ValueError
        first = " ".join(str(cause).split())
        raise Refused(Reason.MALFORMED, f"{model.__name__}: {first:.120}") from cause


def _without_success(body: dict[str, Any]) -> dict[str, Any]:
    """Both versions' errors; older firmware says `rc` 0 with every success."""
    match body:
        case {"err": {"group": int(group), "rc": int(rc)}}:
            raise BoardError(rc, group)
        case {"err": _}:
            raise Refused(Reason.MALFORMED, "err without group and rc")
        case {"rc": int(rc)} if rc != 0:
            raise BoardError(rc, None)
        case _:
            return {key: value for key, value in body.items() if key != "rc"}
