"""Fields of managers' JSON: what they may hold. Called by managers.py and figures.py."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Name: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,31}$")]
Code: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")]
Time: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        json_schema_extra={"format": "date-time"},
    ),
]
Lat: TypeAlias = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Lon: TypeAlias = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Measure: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(ge=0)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Model(BaseModel):
    """Base of what the state topics carry: nothing unknown passes, nothing is changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
