"""A manager's seal on requests, and whose seal on replies is believed.

Both are bound to their topic and to this tool's enrolment, so neither fits anywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from protocol import envelope, request, topics
from protocol.envelope import Kind
from protocol.identities import Trust, open_trust
from protocol.keys import SealKey, VerifyKey
from protocol.names import common_name
from protocol.refusal import Reason, Refused
from protocol.request import VERBS, Common, Reply
from runtime.faults import ConfigFault
from runtime.files import read_small, require_private
from runtime.key_files import (
    common_name_of,
    enrolment_of,
    load_certificate,
    load_private,
    public_key_of,
)

TRUST: Final = "trust.cbor"
_REPLY: Final = frozenset({Kind.REPLY})


@dataclass(frozen=True, slots=True)
class Seals:
    """Keys of one manager's tool, and the role keys that it trusts."""

    fleet: str
    manager: str
    enrolment: bytes
    key: SealKey
    trust: Trust

    @classmethod
    def load(cls, folder: Path, fleet: str, manager: str) -> Seals:
        """From the folder that enrolment left; raises ConfigFault naming the file."""
        certificate = load_certificate(folder / "tls.pem")
        wanted, found = common_name(fleet, manager), common_name_of(certificate)
        if found != wanted:
            remedy = f"it should be {wanted}: correct fleet, name or keys.folder"
            raise ConfigFault(folder / "tls.pem", "is somebody else's", found, remedy)
        require_private(folder / "tls.key")
        key = SealKey(load_private(folder / "seal.key"))
        return cls(fleet, manager, enrolment_of(certificate), key, load_trust(folder, fleet))

    @property
    def reply_topic(self) -> str:
        return topics.reply(self.fleet, self.manager)

    def seal(self, asked: Common) -> tuple[str, bytes]:
        """(topic, sealed request); the same request gives the same bytes."""
        topic = topics.request(self.fleet, self.manager, verb_of(asked))
        payload = request.encode(asked)
        return topic, envelope.seal(Kind.REQUEST, topic, self.enrolment, payload, self.key)

    def open_reply(self, message: bytes, now_ms: int) -> Reply:
        """A reply sealed by the role `dispatch`; raises Refused."""

        def key_for(kind: Kind, kid: bytes) -> VerifyKey | None:
            return self.trust.key_for(kind, kid, now_ms)

        opened = envelope.open_sealed(
            message,
            kinds=_REPLY,
            bound_to=self.reply_topic,
            enrolment=self.enrolment,
            key_for=key_for,
        )
        return request.decode_reply(opened.payload)

    def newer_trust(self, message: bytes, root: VerifyKey) -> Trust:
        """A trust document above the one held; raises Refused."""
        trust = open_trust(message, self.fleet, root)
        if trust.version <= self.trust.version:
            detail = f"trust {trust.version} after {self.trust.version}"
            raise Refused(Reason.STALE_VERSION, detail)
        return trust


def load_root(folder: Path) -> VerifyKey:
    """The pinned root; raises ConfigFault."""
    return VerifyKey(public_key_of(load_certificate(folder / "root.pem")))


def load_trust(folder: Path, fleet: str) -> Trust:
    """The trust document in `folder`, opened by its root; raises ConfigFault."""
    path = folder / TRUST
    try:
        return open_trust(read_small(path), fleet, load_root(folder))
    except Refused as cause:
        remedy = "take the newest one from the authority's centre folder"
        raise ConfigFault(path, "is refused", str(cause), remedy) from cause


def verb_of(asked: Common) -> str:
    """The verb that stands in the request and in its topic."""
    verb = getattr(asked, "verb", None)
    if verb not in VERBS:
        raise ValueError(f"{type(asked).__name__} is no request")
    return str(verb)
