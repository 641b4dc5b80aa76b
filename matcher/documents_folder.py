"""What the authority published for terminals, as it lies in the folder now: opened and checked.

A half-carried or refused file is told once and changes nothing. Called by `documents_task`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from matcher.centre_keys import role_keys
from protocol import cbor, configuration, renewal
from protocol.configuration import Configuration
from protocol.fields import many, octets
from protocol.identities import DOCUMENT_BYTES_MAX, IdentityKind, Trust
from protocol.refusal import Reason, Refused
from protocol.renewal import NewCertificate
from runtime.faults import ConfigFault
from runtime.files import read_small
from runtime.log import Log

CONFIGURATION, RENEWED = "configuration.cbor", "renewed"
CONFIGURATIONS_MAX: Final = 64
_messages = many(octets(size_max=cbor.MESSAGE_BYTES_MAX), CONFIGURATIONS_MAX)


@dataclass(frozen=True, slots=True)
class Given:
    """An opened document and the sealed message that is handed on as it is."""

    configuration: Configuration
    message: bytes


@dataclass(frozen=True, slots=True)
class Issued:
    certificate: NewCertificate
    message: bytes


class DocumentsFolder:
    """`look` reads what has changed since; `configurations` and `certificates` hold."""

    def __init__(self, folder: Path, fleet: str, log: Log) -> None:
        self._folder, self._fleet, self._log = folder, fleet, log
        self._seen: dict[Path, int] = {}
        self.configurations: tuple[Given, ...] = ()
        self.certificates: dict[str, Issued] = {}

    def look(self, trust: Trust, now_ms: int) -> bool:
        """Whether anything new was taken."""
        changed = self._changed(self._folder / CONFIGURATION) and self._take_configurations(
            trust, now_ms
        )
        renewed = self._folder / RENEWED
        if self._changed(renewed):  # a file replaced in it is a change of the folder
            for path in sorted(renewed.glob("*.cbor")):
                if self._changed(path):
                    changed |= self._take_certificate(path, trust, now_ms)
        return changed

    def forget(self) -> None:
        """Read everything again: there is a new trust document."""
        self._seen.clear()

    def configuration_for(self, device: str) -> Given | None:
        """The newest that is for `device`."""
        fit = [one for one in self.configurations if one.configuration.is_for(device)]
        return max(fit, key=lambda one: one.configuration.version, default=None)

    def _changed(self, path: Path) -> bool:
        try:
            stamp = path.stat().st_mtime_ns
        except OSError:
            return False
        before = self._seen.get(path)
        self._seen[path] = stamp
        return stamp != before

    def _take_configurations(self, trust: Trust, now_ms: int) -> bool:
        path, key_for = self._folder / CONFIGURATION, role_keys(trust, now_ms)
        try:
            data = read_small(path, DOCUMENT_BYTES_MAX)
            messages = _messages(cbor.decode(data, DOCUMENT_BYTES_MAX), "configurations")
            found = tuple(
                Given(configuration.open_configuration(one, self._fleet, key_for), one)
                for one in messages
            )
        except (Refused, ConfigFault) as cause:
            self._told(path, cause)
            return False
        newest = max((one.configuration.version for one in found), default=0)
        held = max((one.configuration.version for one in self.configurations), default=0)
        if newest < held:
            self._told(path, Refused(Reason.STALE_VERSION, f"version {newest}, holding {held}"))
            return False
        self.configurations = found
        self._log.info("configuration", version=newest)
        return True

    def _take_certificate(self, path: Path, trust: Trust, now_ms: int) -> bool:
        try:
            message = read_small(path, cbor.MESSAGE_BYTES_MAX)
            claimed = renewal.claimed_certificate(message)
            if claimed.kind is not IdentityKind.TERMINAL:
                return False  # a tool takes its own by hand
            found = renewal.open_certificate(message, claimed, role_keys(trust, now_ms))
        except (Refused, ConfigFault) as cause:
            self._told(path, cause)
            return False
        self.certificates[found.device] = Issued(found, message)
        return True

    def _told(self, path: Path, cause: Exception) -> None:
        self._log.warning("document_refused", file=path, reason=str(cause), effect="old one holds")
