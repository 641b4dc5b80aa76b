"""As whom the checks run: what the daemon's user may not do, the daemon cannot do.

An installed daemon (settings below /etc/outrider) has a user of its own; root takes its place
before anything is looked at.
"""

import concurrent.futures.thread  # noqa: F401 - see `become`
import ctypes  # noqa: F401
import encodings.idna  # noqa: F401
import os
import pwd
from pathlib import Path
from typing import Final

from runtime.faults import ConfigFault

INSTALLED: Final = Path("/etc/outrider")


def user_name() -> str:
    """Of this process; the number where it has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def become(named: str | None, config: Path, daemon_user: str) -> None:
    """Go on as the daemon's user: `named`, or `daemon_user` for an installed daemon.

    Nothing where this process is not root or nobody was named and nothing is installed. Raises
    ConfigFault for a name that this computer does not know.
    """
    user = named
    if user is None and config.absolute().is_relative_to(INSTALLED) and _is_known(daemon_user):
        user = daemon_user
    if user is None or user == user_name():
        return
    if not _is_known(user):
        raise ConfigFault("--user", "no such user", user, "see the first column of /etc/passwd")
    if os.geteuid() != 0:
        raise ConfigFault(
            "--user", "needs root", user_name(), f"sudo outrider doctor --user {user}"
        )
    entry = pwd.getpwnam(user)
    # from here on nothing may be left to import: the Python of root's own home is out of reach
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def _is_known(user: str) -> bool:
    return any(entry.pw_name == user for entry in pwd.getpwall())
