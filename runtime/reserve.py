"""A file of blocks held back for the moment when the disk is full.

Making room needs some room: given up, its blocks carry the transaction that frees more. Called by
`runtime.store` only.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

FREE_FACTOR: Final = 4  # taken only while so many times its size is free


class Reserve:
    """`size_bytes` beside the store's file; 0 holds nothing back."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path, self._size_bytes = path, size_bytes

    def hold(self) -> bool:
        """Take the blocks where there is plenty of room; whether they are held."""
        if not self._size_bytes:
            return False
        with suppress(OSError):
            if self._path.stat().st_blocks * 512 >= self._size_bytes:
                return True
        try:
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize < FREE_FACTOR * self._size_bytes:
                return False
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size_bytes)
            finally:
                os.close(descriptor)
        except OSError:
            self.release()
            return False
        return True

    def release(self) -> bool:
        """Give the blocks up; whether there were any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
