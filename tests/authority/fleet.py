"""An authority in a temporary folder, and the real broker under its certificates."""

from __future__ import annotations

from pathlib import Path

from authority import ceremony
from authority.acts import Invitee
from authority.book import Book
from authority.folder import Folder
from protocol.identities import Identities, IdentityKind, Trust, open_identities, open_trust
from protocol.keys import VerifyKey
from runtime.clock import SystemClock
from runtime.key_files import load_certificate, public_key_of
from tests.broker import Broker
from tests.pki import Identity, Pki

FLEET = "testfleet"
NOW_MS = 1_790_000_000_000


def real_now_ms() -> int:
    """For what a real broker checks."""
    return SystemClock().utc_ms()


class BrokerKeys(Pki):
    """The authority's `broker/` folder where the tests' broker wants its own certificates."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ca_file = folder, folder / "root.pem"

    def server(self, name: str = "127.0.0.1", *, expired: bool = False) -> Identity:
        return Identity(self.folder / "server.pem", self.folder / "server.key")


class Fleet:
    """One authority and its members' key folders."""

    def __init__(self, path: Path, now_ms: int = NOW_MS) -> None:
        self.path, self.now_ms = path, now_ms
        self.authority, self.centre = path / "authority", path / "authority" / "centre"
        self.root_fingerprint = ceremony.create(self.authority, FLEET, now_ms)

    def enrol(self, name: str, out: str = "") -> Path:
        """A terminal's keys folder."""
        folder = self.path / (out or name)
        ceremony.enrol_directly(self.authority, name, IdentityKind.TERMINAL, folder, self.now_ms)
        return folder

    def enrol_manager(self, name: str, *roles: str) -> Path:
        folder = self.path / name
        invitee = Invitee(name, IdentityKind.MANAGER, f"person of {name}", roles or ("dispatcher",))
        ceremony.enrol_all(self.authority, [ceremony.Member(invitee, folder)], self.now_ms)
        return folder

    def broker(self, *options: str) -> Broker:
        keys = BrokerKeys(self.authority / "broker")
        crl = f"crlfile {keys.folder / 'crl.pem'}"
        return Broker(self.path / "mosquitto", keys, options=(crl, *options))

    @property
    def root(self) -> VerifyKey:
        return VerifyKey(public_key_of(load_certificate(self.centre / "root.pem")))

    @property
    def book(self) -> Book:
        return Folder(self.authority).load_book()

    def trust(self) -> Trust:
        """As the matcher opens it."""
        return open_trust((self.centre / "trust.cbor").read_bytes(), FLEET, self.root)

    def identities(self) -> Identities:
        trust, now_ms = self.trust(), self.now_ms
        message = (self.centre / "identities.cbor").read_bytes()
        return open_identities(message, FLEET, lambda kind, kid: trust.key_for(kind, kid, now_ms))
