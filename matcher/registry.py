"""Who may speak, from the identities document: keys per terminal and manager, and who no longer.

The matcher's list is the authority; the broker's lists only follow it.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol import topics
from protocol.envelope import PositionOpener
from protocol.identities import Identities, Identity, IdentityKind, State
from protocol.keys import VerifyKey
from protocol.refusal import Reason, Refused


@dataclass(frozen=True, slots=True)
class Peer:
    """An active terminal or manager with its checked keys."""

    identity: Identity
    keys: dict[bytes, VerifyKey]

    @property
    def enrolment(self) -> bytes:
        return self.identity.enrolment


@dataclass(frozen=True, slots=True)
class TerminalPeer(Peer):
    """A terminal, with what its positions' hot path needs."""

    opener: PositionOpener
    topic_order: str


class Registry:
    """The identities of one version, by name."""

    def __init__(self, document: Identities) -> None:
        self.document = document
        self.terminals: dict[str, TerminalPeer] = {}
        self.managers: dict[str, Peer] = {}
        self._gone: dict[str, State] = {}
        for identity in document.identities:
            if identity.state is not State.ACTIVE:
                self._gone[identity.name] = identity.state
        for identity in document.identities:
            if identity.state is State.ACTIVE:
                self._add(identity)
        self.by_enrolment = {t.enrolment: t for t in self.terminals.values()}

    def _add(self, identity: Identity) -> None:
        self._gone.pop(identity.name, None)
        checked = [VerifyKey(public) for public in identity.keys]
        keys = {key.kid: key for key in checked}
        if identity.kind is IdentityKind.MANAGER:
            self.managers[identity.name] = Peer(identity, keys)
        elif identity.kind is IdentityKind.TERMINAL:
            fleet = self.document.fleet
            topic = topics.terminal(fleet, identity.name, "position")
            self.terminals[identity.name] = TerminalPeer(
                identity,
                keys,
                PositionOpener(topic, identity.enrolment, tuple(checked)),
                topics.terminal(fleet, identity.name, "order"),
            )

    def terminal(self, device: str) -> TerminalPeer:
        """Raises Refused(unknown_sender, revoked)."""
        found = self.terminals.get(device)
        if found is None:
            raise self._refusal(device)
        return found

    def manager(self, name: str) -> Peer:
        """Raises Refused(unknown_sender, revoked)."""
        found = self.managers.get(name)
        if found is None:
            raise self._refusal(name)
        return found

    def _refusal(self, name: str) -> Refused:
        if name in self._gone:
            return Refused(Reason.REVOKED, f"{name} is {self._gone[name]}")
        return Refused(Reason.UNKNOWN_SENDER, f"{name} is not enrolled")

    def active_terminals(self) -> tuple[tuple[bytes, str], ...]:
        """(enrolment id, device) as the core keeps them."""
        return tuple((t.enrolment, name) for name, t in sorted(self.terminals.items()))
