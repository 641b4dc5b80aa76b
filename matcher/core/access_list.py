"""The broker's access list, generated from the identities document: one block per identity.

No patterns and no anonymous rights: what is not listed is refused. Restricted and covert units have
topics of their own, so nobody reads more here than the document says.
"""

from __future__ import annotations

from protocol import topics
from protocol.identities import Identities, Identity, IdentityKind, State
from protocol.names import common_name
from protocol.request import ROLES_OF_VERB


def access_list(document: Identities) -> str:
    """The whole file, in the document's order."""
    lines = [f"# fleet {document.fleet}, identities version {document.version}; generated"]
    terminals = [i.name for i in _active(document, IdentityKind.TERMINAL)]
    for one in document.identities:
        if one.state is State.ACTIVE:
            lines += ["", f"user {common_name(document.fleet, one.name)}"]
            lines += [f"topic {right}" for right in _rights(document.fleet, one, terminals)]
    return "\n".join(lines) + "\n"


def _active(document: Identities, kind: IdentityKind) -> list[Identity]:
    return [i for i in document.identities if i.kind is kind and i.state is State.ACTIVE]


def _rights(fleet: str, one: Identity, terminals: list[str]) -> list[str]:
    match one.kind:
        case IdentityKind.TERMINAL:
            return _terminal(fleet, one.name)
        case IdentityKind.MANAGER:
            return _manager(fleet, one)
        case IdentityKind.MATCHER:
            return _matcher(fleet, terminals)
        case _:
            return []


def _terminal(fleet: str, name: str) -> list[str]:
    return [
        f"write {topics.terminal(fleet, name, 'position')}",
        f"write {topics.terminal(fleet, name, 'logbook')}",
        f"write {topics.terminal(fleet, name, 'link')}",
        f"read {topics.terminal(fleet, name, 'order')}",
    ]


def _manager(fleet: str, one: Identity) -> list[str]:
    may = [verb for verb, roles in ROLES_OF_VERB.items() if roles.intersection(one.roles)]
    return [
        *(f"write {topics.request(fleet, one.name, verb)}" for verb in may),
        f"read {topics.reply(fleet, one.name)}",
        f"read {topics.unit(fleet, '+')}",
        f"read {topics.incident(fleet, '+')}",
        f"read {topics.alert(fleet, '+')}",
        f"read {topics.statistics(fleet)}",
    ]


def _matcher(fleet: str, terminals: list[str]) -> list[str]:
    return [
        *(f"read {topics.all_terminals(fleet, lane)}" for lane in ("position", "logbook", "link")),
        f"read {topics.all_requests(fleet)}",
        *(f"write {topics.terminal(fleet, name, 'order')}" for name in terminals),
        f"write {topics.reply(fleet, '+')}",
        f"readwrite {topics.unit(fleet, '+')}",
        f"readwrite {topics.incident(fleet, '+')}",
        f"write {topics.alert(fleet, '+')}",
        f"readwrite {topics.statistics(fleet)}",
        f"readwrite {topics.canary(fleet)}",
    ]
