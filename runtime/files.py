"""Small files read with suspicion: configuration, keys, certificates, documents from a stick.

A name may point to a folder, a pipe that never ends, 100 MB or somebody else's file. Each is told
apart by one `ConfigFault` naming the file and the remedy. Callers: `settings`, key loading.
Writing is `runtime.store.atomic_write`, since fsync lives there.
"""

import os
import stat
from pathlib import Path
from typing import Final

from runtime.faults import ConfigFault

SMALL_FILE_BYTES_MAX: Final = 1 << 20
_GROUP_OR_OTHERS: Final = 0o077
_OTHERS: Final = 0o007


def read_small(path: Path, bytes_max: int = SMALL_FILE_BYTES_MAX) -> bytes:
    """The whole content of a regular file that not everyone may change.

    Raises ConfigFault: missing, no permission, no regular file, larger than `bytes_max`,
    or writable by all.
    """
    descriptor = _open(path)
    try:
        _require_regular(path, os.fstat(descriptor))
        _require_unwritable_by_all(path, os.fstat(descriptor))
        content = _read_up_to(descriptor, bytes_max + 1)
    except OSError as cause:
        raise ConfigFault(path, "cannot be read", cause.strerror, "check the disk") from cause
    finally:
        os.close(descriptor)
    if len(content) > bytes_max:
        raise ConfigFault(path, f"is larger than {bytes_max} bytes", None, "name the right file")
    return content


def require_private(path: Path) -> None:
    """Refuse a key file that is missing, empty, someone else's, or open to group or others.

    Raises ConfigFault. Files of systemd's LoadCredential= may be group-readable by access list.
    """
    descriptor = _open(path)
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    _require_regular(path, status)
    if status.st_uid not in (os.geteuid(), 0):
        raise ConfigFault(path, "belongs to another user", f"uid {status.st_uid}", "chown it")
    if status.st_mode & (_OTHERS if _is_credential(path) else _GROUP_OR_OTHERS):
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        raise ConfigFault(path, "holds a secret that others may read", mode, f"chmod 600 {path}")
    if status.st_size == 0:
        raise ConfigFault(path, "is empty", "0 bytes", "restore the key or enrol again")


def _open(path: Path) -> int:
    try:
        # O_NONBLOCK: a pipe without a writer must not hold us up
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as cause:
        raise ConfigFault(path, "does not exist", None, "create it or name another") from cause
    except PermissionError as cause:
        who = f"uid {os.geteuid()}"
        raise ConfigFault(path, "must not be read by this user", who, "chown or chmod") from cause
    except (OSError, ValueError) as cause:  # ValueError: a NUL in the name
        raise ConfigFault(path, "cannot be opened", str(cause), "name a regular file") from cause


def _require_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
        raise ConfigFault(path, "is no regular file", kind, "name a regular file")


def _require_unwritable_by_all(path: Path, status: os.stat_result) -> None:
    if status.st_mode & stat.S_IWOTH:
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        raise ConfigFault(path, "may be changed by everyone", mode, f"chmod o-w {path}")


def _read_up_to(descriptor: int, bytes_max: int) -> bytes:
    content = bytearray()
    while len(content) < bytes_max:
        chunk = os.read(descriptor, bytes_max - len(content))
        if not chunk:
            break
        content += chunk
    return bytes(content)


def _is_credential(path: Path) -> bool:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return folder is not None and path.resolve().is_relative_to(Path(folder).resolve())
