"""A serial port as the file system and /proc show it; nothing is opened."""

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from doctor.core.port import PortFacts
from doctor.who import user_name
from runtime.serial_port import BY_ID

_DEVICES: Final = ("outrider-*", "serial[0-9]", "ttyUSB*", "ttyACM*", "ttyAMA*")


def port_of(path_or_id: str, *, own: int | None) -> PortFacts:
    """`own`: the process that may hold it, since it is the agent."""
    path = Path(path_or_id) if "/" in path_or_id else BY_ID / path_or_id
    try:
        status = path.stat()
    except PermissionError:  # a folder on the way to it
        return PortFacts(
            path=str(path),
            user=user_name(),
            is_there=True,
            is_serial=True,
            rights="a folder is closed",
        )
    except OSError:
        return PortFacts(path=str(path), user=user_name(), is_there=False, others=_others())
    return PortFacts(
        path=str(path),
        user=user_name(),
        is_there=True,
        is_serial=stat.S_ISCHR(status.st_mode),
        may_use=os.access(path, os.R_OK | os.W_OK, effective_ids=True),
        rights=f"{_user(status.st_uid)}:{_group(status.st_gid)} {stat.S_IMODE(status.st_mode):04o}",
        group=_group(status.st_gid),
        holder=_holder(path.resolve(), own),
    )


def _others() -> tuple[str, ...]:
    """By-id names first: they survive unplugging."""
    by_id = sorted(BY_ID.iterdir()) if BY_ID.is_dir() else []
    devices = sorted(one for pattern in _DEVICES for one in Path("/dev").glob(pattern))
    return tuple(str(one) for one in (*by_id, *devices))


def _holder(device: Path, own: int | None) -> str:
    """Another program with the device open; empty where none shows (others' need root)."""
    for process, target in _open_files():
        if target == str(device) and process not in (own, os.getpid()):
            return f"{_program(process)} (process {process})"
    return ""


def _open_files() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            for link in folder.iterdir():
                yield int(folder.parent.name), str(link.readlink())
        except OSError:  # gone meanwhile, or not ours to see
            continue


def _program(process: int) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return "a program"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
