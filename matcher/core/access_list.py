"""The broker's access list, generated from the identities document: one block per identity.

No patterns and no anonymous rights: what is not listed is refused. Restricted and covert units have
topics of their own, so nobody reads more here than the document says.

Each list has a name, a digest of its own text, and lets the matcher speak on a topic of that name:
what comes back on it proves that the broker uses this very list. Called by `matcher.broker.lists`.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from protocol import topics
from protocol.groups import groups_of_roles
from protocol.identities import Identities, Identity, IdentityKind, State
from protocol.names import common_name
from protocol.request import ROLES_OF_VERB

_UNNAMED: Final = "?" * 16  # no name and no topic has such a character
_HEAD: Final = re.compile(r"# list ([0-9a-f]{16}) of fleet .*\n")


def access_list(document: Identities) -> str:
    """The whole file, in the document's order."""
    head = f"# list {_UNNAMED} of fleet {document.fleet}, identities version {document.version}"
    lines = [f"{head}; generated, changes are undone"]
    terminals = [i.name for i in _active(document, IdentityKind.TERMINAL)]
    for one in document.identities:
        if one.state is State.ACTIVE:
            lines += ["", f"user {common_name(document.fleet, one.name)}"]
            lines += [f"topic {right}" for right in _rights(document.fleet, one, terminals)]
    text = "\n".join(lines) + "\n"
    return text.replace(_UNNAMED, _name_of(text))


def name_of(text: str) -> str | None:
    """The name of a whole list as `access_list` made it; None where a byte differs or is lost."""
    head = _HEAD.match(text)
    if head is None:
        return None
    name = head[1]
    return name if _name_of(text.replace(name, _UNNAMED)) == name else None


def _name_of(unnamed: str) -> str:
    return hashlib.sha256(unnamed.encode()).hexdigest()[: len(_UNNAMED)]


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
        f"read {topics.trust(fleet)}",
        *(right for group in groups_of_roles(one.roles) for right in _group(fleet, group)),
    ]


def _group(fleet: str, group: str) -> list[str]:
    """What is not open to all, for a person of the group."""
    return [
        f"read {topics.group_unit(fleet, group, '+')}",
        f"read {topics.group_incident(fleet, group, '+')}",
        f"read {topics.group_alert(fleet, group, '+')}",
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
        f"readwrite {topics.group_unit(fleet, '+', '+')}",
        f"readwrite {topics.group_incident(fleet, '+', '+')}",
        f"write {topics.group_alert(fleet, '+', '+')}",
        f"write {topics.trust(fleet)}",
        f"readwrite {topics.canary(fleet)}",
        f"read {topics.list_canary(fleet, '+')}",
        f"write {topics.list_canary(fleet, _UNNAMED)}",
    ]
