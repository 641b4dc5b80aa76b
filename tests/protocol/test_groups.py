"""Roles that open a group, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.groups import groups_of_roles, is_group_role, role_of
from protocol.names import name

GROUPS = st.from_regex(r"[a-z0-9-]{1,25}", fullmatch=True)


@given(st.lists(GROUPS, unique=True), st.lists(st.sampled_from(["dispatcher", "intake"])))
def test_groups_of_a_persons_roles(groups: list[str], others: list[str]) -> None:
    roles = tuple(map(role_of, groups)) + tuple(others)
    assert groups_of_roles(roles) == tuple(sorted(groups))
    assert all(name(role, "role") and is_group_role(role) for role in map(role_of, groups))


@pytest.mark.parametrize(
    "role",
    ["", "group", "group-", "group-Drugs", "group-a/b", "group-+", "group-#", "group-a\n",
     "xgroup-a", "group-" + "a" * 26, "dispatcher"],
    ids=repr,
)  # fmt: skip
def test_what_opens_no_group(role: str) -> None:
    assert not is_group_role(role)
    assert groups_of_roles((role,)) == ()
