"""The broker's access list and revocation list on disk: what should be there, and keeping it there.

Only what was checked is written, each file in one step; what somebody else put there is undone. A
bad new list never replaces a good one. Owned by `guard`; blocks on the disk, so `write` runs in a
thread while `take` may be called.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509

from matcher.broker.revocation_list import RevocationList, open_list
from matcher.core.access_list import access_list, name_of
from protocol.identities import Identities
from runtime.faults import ConfigFault
from runtime.files import read_small
from runtime.store import atomic_write

ACCESS, REVOKED = "acl", "crl.pem"
LIST_BYTES_MAX: Final = 1 << 26
_MODE: Final = 0o640

Stamp = tuple[int, int, int]


class Written(NamedTuple):
    """Names of the files that differed; `undone`: of those, where it was not a change of ours."""

    changed: list[str]
    undone: list[str]


class BrokerLists:
    """`name` and `revoked` are of the lists that should hold."""

    def __init__(self, broker: Path, source: Path, root: x509.Certificate) -> None:
        self._broker, self._source, self._root = broker, source / REVOKED, root
        self.name = ""
        self.revoked: RevocationList | None = None
        self._wanted: dict[str, bytes] = {}
        self._stamps: dict[str, Stamp | None] = {}  # of what was last seen to be right
        self._ours: set[str] = set()  # changed by us and not written yet
        self._source_stamp: Stamp | None = None

    def take(self, document: Identities) -> None:
        """The access list of this document is wanted from now on."""
        text = access_list(document)
        name = name_of(text)
        assert name is not None
        self.name = name
        self._want(ACCESS, text.encode())

    def fetch(self, now_ms: int) -> None:
        """Look at the authority's revocation list where it changed.

        Raises ConfigFault once for each bad one; the last good one stays wanted.
        """
        stamp = _stamp(self._source)
        if stamp == self._source_stamp and self.revoked is not None:
            return
        is_news, self._source_stamp = stamp != self._source_stamp, stamp
        try:
            found = open_list(self._source, self._read(self._source), self._root, now_ms)
            if self.revoked is None:
                self.revoked = self._in_place(now_ms)
            if self.revoked is not None and found.number < self.revoked.number:
                what, value = "is older than the one that holds", f"number {found.number}"
                raise ConfigFault(self._source, what, value, "carry the newest centre/ over")
        except ConfigFault:
            self.revoked = self.revoked or self._in_place(now_ms)
            if self.revoked is not None:
                self._want(REVOKED, self.revoked.pem)
            if is_news:
                raise
        else:
            self.revoked = found
            self._want(REVOKED, found.pem)

    def _want(self, name: str, content: bytes) -> None:
        if self._wanted.get(name) != content:
            self._wanted[name] = content
            self._stamps.pop(name, None)
            self._ours.add(name)

    def differing(self) -> list[str]:
        """Names of files at the broker that are not what was written last."""
        found = []
        for name, content in self._wanted.items():
            stamp = _stamp(self._broker / name)
            if stamp is None or stamp != self._stamps.get(name):
                if self._holds(name, content):
                    self._stamps[name] = stamp
                    self._ours.discard(name)
                else:
                    found.append(name)
        return found

    def write(self, *, again: bool = False) -> Written:
        """Put right what differs; `again`: all, so that the broker is told to read once more.

        Raises StoreFull, StoreBroken.
        """
        different = self.differing()
        undone = [name for name in different if name not in self._ours]
        for name in list(self._wanted) if again else different:
            path, content = self._broker / name, self._wanted[name]
            atomic_write(path, content, _MODE)
            if self._wanted[name] is content:  # `take` may have come meanwhile
                self._stamps[name] = _stamp(path)
                self._ours.discard(name)
        return Written(different, undone)

    def _in_place(self, now_ms: int) -> RevocationList | None:
        path = self._broker / REVOKED
        try:
            return open_list(path, self._read(path), self._root, now_ms)
        except ConfigFault:
            return None

    def _holds(self, name: str, content: bytes) -> bool:
        try:
            return self._read(self._broker / name) == content
        except ConfigFault:
            return False

    @staticmethod
    def _read(path: Path) -> bytes:
        return read_small(path, LIST_BYTES_MAX)


def check_lists(folder: Path, root: x509.Certificate, now_ms: int) -> Mapping[str, str]:
    """What the lists in `folder` are, before a broker reads them; raises ConfigFault."""
    path = folder / ACCESS
    name = name_of(read_small(path, LIST_BYTES_MAX).decode(errors="replace"))
    if name is None:
        raise ConfigFault(
            path, "is not as the matcher wrote it", None,
            "leave it to the matcher: it writes the list again within seconds",
        )  # fmt: skip
    path = folder / REVOKED
    crl = open_list(path, read_small(path, LIST_BYTES_MAX), root, now_ms)
    return {"acl": name, "crl": str(crl.number)}


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
