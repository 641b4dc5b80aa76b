"""What a touch may ask for: the crew's commands of the device socket, and a few of the screen's.

One JSON object, read strictly. Pure; called by `screen`.
"""

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from protocol import device
from protocol.refusal import Reason, Refused


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Unlock(_Strict):
    """The passenger wants the whole screen while driving."""

    type: Literal["unlock"] = "unlock"


class Again(_Strict):
    """Speak the order again."""

    type: Literal["again"] = "again"


class ShowCode(_Strict):
    """The display shall show a pairing code."""

    type: Literal["show_code"] = "show_code"


class Unpair(_Strict):
    """No tablet or phone is trusted any more."""

    type: Literal["unpair"] = "unpair"


class Pair(_Strict):
    """A tablet's code, as the display shows it."""

    code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]


class Painted(_Strict):
    """A page with this number stands on the glass."""

    seq: Annotated[int, Field(ge=0, lt=1 << 53)]


Touch: TypeAlias = Annotated[
    device.Logon | device.Logoff | device.SetStatus | device.Answer | device.Reply
    | device.Chimed | Unlock | Again | ShowCode | Unpair,
    Field(discriminator="type"),
]  # fmt: skip
TOUCH: Final[TypeAdapter[Any]] = TypeAdapter(Touch)
PAIR: Final[TypeAdapter[Any]] = TypeAdapter(Pair)
PAINTED: Final[TypeAdapter[Any]] = TypeAdapter(Painted)


def read(body: bytes, adapter: TypeAdapter[Any]) -> Any:
    """Raises Refused(malformed) naming the field."""
    try:
        return adapter.validate_json(body)
    except ValidationError as cause:
        first = cause.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "body"
        raise Refused(Reason.MALFORMED, f"{place}: {first['msg']:.120}") from cause
