"""The generated access list: one block per active identity, nothing else."""

from __future__ import annotations

from matcher.core.access_list import access_list
from protocol.identities import Identities, Identity, IdentityKind, State


def one(name: str, kind: IdentityKind, state: State = State.ACTIVE, *roles: str) -> Identity:
    return Identity(name, kind, None, roles, name.encode().ljust(16), state, (), (), 0)


def test_each_identity_gets_its_own_lines_only() -> None:
    text = access_list(
        Identities(
            "zz", 3, 0,
            (
                one("matcher", IdentityKind.MATCHER),
                one("c01", IdentityKind.TERMINAL),
                one("c02", IdentityKind.TERMINAL, State.REVOKED),
                one("d01", IdentityKind.MANAGER, State.ACTIVE, "intake"),
            ),
        )
    )  # fmt: skip
    blocks = {b.split("\n")[0]: b.split("\n")[1:] for b in text.strip().split("\n\n")[1:]}
    assert sorted(blocks) == ["user zz.c01", "user zz.d01", "user zz.matcher"]
    assert blocks["user zz.c01"] == [
        "topic write outrider/v1/terminal/zz/c01/position",
        "topic write outrider/v1/terminal/zz/c01/logbook",
        "topic write outrider/v1/terminal/zz/c01/link",
        "topic read outrider/v1/terminal/zz/c01/order",
    ]
    assert "topic write outrider/v1/fleet/zz/request/d01/report" in blocks["user zz.d01"]
    assert not [line for line in blocks["user zz.d01"] if "/cancel" in line]
    assert "topic write outrider/v1/terminal/zz/c01/order" in blocks["user zz.matcher"]
    assert "c02" not in text
    assert "pattern" not in text
