"""The authority's folder on disk: lock, book, private keys, audit log, published files.

    root.key root.pem book.cbor audit.log lock    never leave this folder
    keys/<key id>.key                             private keys of the roles and of the centre
    centre/ broker/                               to be carried to the matcher and to the broker

Each file is replaced whole; the book is written before anything that follows from it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from authority import audit_log
from authority import book as books
from authority.audit_log import Tail
from authority.book import Book
from authority.certificates import Root
from protocol.instant import iso
from protocol.keys import kid_of
from protocol.refusal import Refused
from runtime.faults import ConfigFault, OutriderFault, StoreBroken, StoreBusy
from runtime.files import read_small, require_private
from runtime.key_files import load_certificate, load_private, write_private
from runtime.store import atomic_write

FOLDER_MODE: Final = 0o700
PUBLIC_MODE: Final = 0o644
PRIVATE_MODE: Final = 0o600
BOOK, ROOT_KEY, ROOT_CERTIFICATE, AUDIT = "book.cbor", "root.key", "root.pem", "audit.log"
CENTRE, BROKER, KEYS = "centre", "broker", "keys"
_RESTORE: Final = "restore the newest copy of the authority's folder"


class Folder:
    """Paths and files of one authority; knows no act."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tail: Tail | None = None  # of the audit log; nobody else writes under our lock

    def make(self) -> None:
        """The empty folder tree; raises ConfigFault where an authority is there already."""
        if (self.path / ROOT_KEY).exists() or (self.path / BOOK).exists():
            remedy = "it is never made anew; name another folder"
            raise ConfigFault(self.path, "holds an authority already", None, remedy)
        with _disk_faults(self.path):
            for part in ("", KEYS, CENTRE, BROKER):
                (self.path / part).mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder alone; raises StoreBusy naming the process that has it."""
        if not self.path.is_dir():
            remedy = "name the authority's folder with --dir, or run `outrider authority init`"
            raise ConfigFault(self.path, "is no folder", None, remedy)
        with _disk_faults(self.path):
            descriptor = os.open(
                self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_MODE
            )
        try:
            self._take(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _take(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            remedy = "wait until that command has ended"
            raise StoreBusy(self.path, "is in use by process", holder or "?", remedy) from cause
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)

    def load_book(self) -> Book:
        """Raises ConfigFault: none there, damaged."""
        path = self.path / BOOK
        if not path.exists():
            half_made = (self.path / ROOT_KEY).exists()
            what = "was not finished by `init`" if half_made else "holds no authority"
            remedy = "remove it and run `outrider authority init`" if half_made else "use --dir"
            raise ConfigFault(self.path, what, None, remedy)
        require_private(path)
        try:
            return books.decode(read_small(path, books.BOOK_BYTES_MAX))
        except Refused as cause:
            raise ConfigFault(path, "is damaged", cause.detail, _RESTORE) from cause

    def save_book(self, book: Book) -> None:
        atomic_write(self.path / BOOK, books.encode(book), PRIVATE_MODE)

    def load_root(self) -> Root:
        certificate = load_certificate(self.path / ROOT_CERTIFICATE)
        return Root(load_private(self.path / ROOT_KEY), certificate)

    def key_path(self, public_key: bytes) -> Path:
        return self.path / KEYS / f"{kid_of(public_key).hex()}.key"

    def key(self, public_key: bytes) -> Ed25519PrivateKey:
        """The private half; raises ConfigFault."""
        return load_private(self.key_path(public_key))

    def new_key(self) -> Ed25519PrivateKey:
        """A new key, on disk before it is used for anything."""
        key = Ed25519PrivateKey.generate()
        write_private(self.key_path(key.public_key().public_bytes_raw()), key)
        return key

    def published(self, name: str) -> bytes | None:
        """What lies under `name` in the folder now."""
        path = self.path / name
        return read_small(path, books.BOOK_BYTES_MAX) if path.exists() else None

    def publish(self, files: Mapping[str, bytes]) -> None:
        """Write what differs from what is there, in order; keys are private."""
        for name, content in files.items():
            path = self.path / name
            with _disk_faults(path):
                path.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
                is_there = path.exists() and path.read_bytes() == content
            if not is_there:
                atomic_write(path, content, PRIVATE_MODE if path.suffix == ".key" else PUBLIC_MODE)

    def forget_keys_but(self, public_keys: Iterable[bytes]) -> None:
        """Delete private keys that are out of use; what they have sealed stays valid."""
        kept = {self.key_path(public) for public in public_keys}
        with _disk_faults(self.path / KEYS):
            for path in (self.path / KEYS).glob("*.key"):
                if path not in kept:
                    path.unlink()

    def audit(self, now_ms: int, action: str, **fields: object) -> Tail:
        """Append one line: time, action, the system user, what it was about; synced."""
        line = {"time": iso(now_ms), "action": action, "uid": os.getuid(), **fields}
        path = self.path / AUDIT
        self._tail = audit_log.append(path, self._tail or audit_log.read_tail(path), line)
        return self._tail

    def verify_audit(self, book: Book) -> int:
        """How many lines hold together; raises ConfigFault naming the first that does not."""
        return audit_log.verify(self.path / AUDIT, book.audit_lines, book.audit_chain)


@contextlib.contextmanager
def _disk_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except OutriderFault:
        raise
    except OSError as cause:
        remedy = "check the disk and that this user may write there"
        raise StoreBroken(path, "cannot be written", cause.strerror, remedy) from cause
