"""The terminal's own seal, and whose seals it believes.

What goes out is sealed by the terminal's key under its topic; what comes in on the order topic
must be sealed by the role that its kind belongs to. Roles are named by the newest trust document,
which the pinned root sealed; it never goes back. Called by the uplink.
"""

import secrets
from typing import Final

from protocol import cbor, identities, topics
from protocol.codebook import DOCUMENT_BYTES_MAX
from protocol.envelope import DOCUMENT_KINDS, Kind, Opened, open_sealed, peek, seal
from protocol.identities import Role, Trust
from protocol.keys import SealKey, VerifyKey
from protocol.refusal import Reason, Refused
from protocol.topics import TerminalLane

FROM_CENTRE: Final = frozenset(
    {
        Kind.DISPATCH, Kind.WELCOME, Kind.RECEIPT, Kind.TRUST, Kind.CONFIGURATION, Kind.CODEBOOK,
        Kind.ROSTER, Kind.PICTURE, Kind.CERTIFICATE,
    }
)  # fmt: skip
NONCE_BYTES: Final = 16
_BYTES_MAX_OF: Final = {Kind.CODEBOOK: DOCUMENT_BYTES_MAX}  # any other kind is small


class Seals:
    """Keys of one terminal."""

    def __init__(
        self, fleet: str, device: str, enrolment: bytes, key: SealKey, root: VerifyKey
    ) -> None:
        self.fleet, self.device, self.enrolment = fleet, device, enrolment
        self.key, self._root = key, root
        self._trust: Trust | None = None
        self.trust_document = b""
        self.configuration_version = 0  # the highest seen, as births say it
        self.codebook_version = 0
        self.order_topic = self.topic("order")

    def topic(self, lane: TerminalLane) -> str:
        return topics.terminal(self.fleet, self.device, lane)

    def seal(self, kind: Kind, lane: TerminalLane, payload: bytes) -> bytes:
        return seal(kind, self.topic(lane), self.enrolment, payload, self.key)

    def use(self, key: SealKey) -> None:
        """From the next seal on: the centre knows it as ours."""
        self.key = key

    @property
    def trust_version(self) -> int:
        return 0 if self._trust is None else self._trust.version

    @property
    def trust_issued_ms(self) -> int:
        return 0 if self._trust is None else self._trust.issued_ms

    def ended_roles(self, now_ms: int) -> tuple[str, ...]:
        """Roles whose every key is past its end: they hold 72 h more, then orders stop."""
        keys = () if self._trust is None else self._trust.role_keys
        newest: dict[str, int] = {}
        for key in keys:
            newest[key.role.value] = max(newest.get(key.role.value, 0), key.not_after_ms)
        wanted = {Role.DISPATCH.value, Role.RECEIPT.value}
        return tuple(sorted(r for r, end_ms in newest.items() if r in wanted and end_ms < now_ms))

    def open_trust(self, document: bytes) -> Trust:
        """A trust document newer than the one held; raises Refused."""
        trust = identities.open_trust(document, self.fleet, self._root)
        if trust.version <= self.trust_version:
            detail = f"trust {trust.version} after {self.trust_version}"
            raise Refused(Reason.STALE_VERSION, detail)
        return trust

    def believe(self, trust: Trust, document: bytes) -> None:
        """From now on; it has been kept on disk before."""
        self._trust, self.trust_document = trust, document

    def open(self, message: bytes, trusted_now_ms: int | None) -> Opened:
        """A message of the order topic, its seal and role checked; raises Refused.

        `trusted_now_ms` None: no trusted time yet, the role keys' dates are not asked.
        """
        trust = self._trust

        def key_for(kind: Kind, kid: bytes) -> VerifyKey | None:
            if trust is not None and trust.has_ended(kind, kid, trusted_now_ms):
                raise Refused(Reason.EXPIRED, f"{kind}: its role key does not hold any more")
            return None if trust is None else trust.key_for(kind, kid, trusted_now_ms)

        kind = kind_of(message)
        is_document = kind in DOCUMENT_KINDS
        return open_sealed(
            message,
            kinds=FROM_CENTRE,
            bound_to=self.fleet if is_document else self.order_topic,
            enrolment=b"" if is_document else self.enrolment,
            key_for=key_for,
            bytes_max=_BYTES_MAX_OF.get(kind, cbor.MESSAGE_BYTES_MAX),
        )


def kind_of(message: bytes) -> Kind:
    """What a message claims to be; raises Refused: what is large must say of which large kind."""
    if len(message) <= cbor.MESSAGE_BYTES_MAX:
        return peek(message)[0]
    try:
        kind = peek(message, max(_BYTES_MAX_OF.values()))[0]
    except Refused:
        kind = None
    if kind is None or kind not in _BYTES_MAX_OF:
        detail = f"{len(message)} bytes; at most {cbor.MESSAGE_BYTES_MAX}"
        raise Refused(Reason.TOO_LARGE, detail)
    return kind


def fresh_nonce() -> bytes:
    return secrets.token_bytes(NONCE_BYTES)
