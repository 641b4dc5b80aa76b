"""The centre's role keys change while it runs: a new key seals once terminals can know it.

Called by `documents_task`, which knows who has which trust document.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from matcher.centre_keys import CentreKeys, RoleSigner, load_role_key, role_key_file
from protocol.envelope import Kind
from protocol.identities import Role, Trust
from protocol.keys import SealKey
from runtime.clock import Clock
from runtime.faults import ConfigFault
from runtime.log import Log

PATIENCE_MS: Final = 10_000  # for terminals that are silent: they learn it at their next birth
_KIND_OF: Final = {Role.DISPATCH: Kind.DISPATCH, Role.RECEIPT: Kind.RECEIPT}


class RoleKeys:
    """Watches `folder` for the keys that `keys` seal with."""

    def __init__(self, keys: CentreKeys, folder: Path, clock: Clock, log: Log) -> None:
        self._keys, self._folder, self._clock, self._log = keys, folder, clock, log
        self._stamps: dict[Role, int] = {}
        self._next: dict[RoleSigner, SealKey] = {}
        self._latest_ms = 0

    def check(self, trust: Trust) -> None:
        """At start; raises ConfigFault for a key that `trust` does not list for its role."""
        for signer in self._keys.signers:
            self._stamps[signer.role] = self._stamp(signer.role)
            if not _lists(trust, signer.role, signer.public):
                raise self._unlisted(signer.role)

    def look(self, trust: Trust) -> None:
        """Take note of new key files; raises ConfigFault for one that cannot be used (yet)."""
        for signer in self._keys.signers:
            stamp = self._stamp(signer.role)
            if stamp == self._stamps[signer.role]:
                continue
            key = load_role_key(self._folder, signer.role)
            if not _lists(trust, signer.role, key.public):
                raise self._unlisted(signer.role)
            self._stamps[signer.role] = stamp
            if key.public != signer.public:
                self._next[signer] = key
                self._latest_ms = self._clock.monotonic_ms() + PATIENCE_MS

    def check_can_seal(self, trust: Trust, now_ms: int) -> None:
        """Whether this centre can go on under `trust`; raises ConfigFault where a key is missing.

        So a folder that is carried in parts is not half believed.
        """
        for signer in self._keys.signers:
            kind = _KIND_OF[signer.role]
            if trust.key_for(kind, signer.kid, now_ms) is None:
                key = load_role_key(self._folder, signer.role)
                if trust.key_for(kind, key.kid, now_ms) is None:
                    raise self._unlisted(signer.role)

    def change(self, trust: Trust, now_ms: int, *, all_know: bool) -> bool:
        """Seal with the new keys if it is time; whether it was.

        At once where an old key does not hold any more: nobody would believe it.
        """
        if not self._next:
            return False
        old_holds = all(
            trust.key_for(_KIND_OF[signer.role], signer.kid, now_ms) for signer in self._next
        )
        if old_holds and not all_know and self._clock.monotonic_ms() < self._latest_ms:
            return False
        for signer, key in self._next.items():
            signer.use(key)
            self._log.info("role_key", role=signer.role, kid=key.kid.hex())
        self._next.clear()
        return True

    def _stamp(self, role: Role) -> int:
        path = role_key_file(self._folder, role)
        return path.stat().st_mtime_ns if path.exists() else 0

    def _unlisted(self, role: Role) -> ConfigFault:
        return ConfigFault(
            role_key_file(self._folder, role),
            f"is no key of role {role} in trust.cbor",
            None,
            "copy keys and trust.cbor of one version of the authority's centre folder",
        )


def _lists(trust: Trust, role: Role, public: bytes) -> bool:
    return any(one.role is role and one.public_key == public for one in trust.role_keys)
