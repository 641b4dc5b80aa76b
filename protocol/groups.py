"""Groups of people who know of units that are not open to all; a person's role opens a group.

Role `group-drugs` opens group `drugs`. Called by authority (who may be given it), matcher (access
list, requests, settings) and the models of requests.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

_PREFIX: Final = "group-"
_GROUP: Final = "[a-z0-9-]{1,25}"  # with the prefix it is a name (protocol/names.py)
_ROLE: Final = re.compile(_PREFIX + f"({_GROUP})", re.ASCII)

Visibility: TypeAlias = Literal["open", "restricted", "covert"]
Group: TypeAlias = Annotated[str, Field(pattern=f"^{_GROUP}$")]


def role_of(group: str) -> str:
    """The role that opens `group`."""
    return _PREFIX + group


def groups_of_roles(roles: tuple[str, ...]) -> tuple[str, ...]:
    """The groups that a person of these roles belongs to, in order."""
    found = (_ROLE.fullmatch(role) for role in roles)
    return tuple(sorted({match[1] for match in found if match is not None}))


def is_group_role(role: str) -> bool:
    return _ROLE.fullmatch(role) is not None
