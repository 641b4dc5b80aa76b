"""A Debian 12 tree with nothing in it but python3, and commands run inside it.

Made by debootstrap with the mirror, the proxy and the package index of the machine's own settings,
none of which is known here. Mounts and processes of a command live in namespaces of its own, so
that nothing is left behind. Used by tests/bare/test_bare.py, which needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.test_tidy import ROOT, tracked_files

SUITE = "bookworm"
PACKAGES = "python3,ca-certificates"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
COPIED = ("etc/resolv.conf", "etc/hosts", "etc/pip.conf", "etc/xdg/pip", CERTIFICATES)
INSIDE = """
mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/run" &&
exec chroot "$0" /usr/bin/env -i "$@"
"""


class Unavailable(Exception):
    """This machine cannot make such a tree; the text says why."""


def home(user: str) -> str:
    """A user's home folder inside the tree."""
    return f"/home/{user}"


@dataclass(frozen=True, slots=True)
class BareTree:
    """A tree at `path`."""

    path: Path

    def run(
        self, *command: str, folder: str, user: str = "root", timeout_s: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the tree in a folder of the tree, with a bare environment."""
        settings = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "OUTRIDER_DATA"))}
        settings |= {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": home(user),
            "CI": "true",
        }
        script = 'cd "$1" && shift && exec setpriv --reuid="$0" --regid="$0" --clear-groups "$@"'
        argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", INSIDE]
        argv += [str(self.path), *(f"{key}={value}" for key, value in settings.items())]
        argv += ["sh", "-c", script, user, folder, *command]
        return subprocess.run(
            argv,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
        )

    def clone(self, folder: str, user: str = "root") -> None:
        """Copy what git tracks, or would track, of this repository into a folder of the tree."""
        target = self.path / folder.lstrip("/")
        for file in tracked_files():
            copy = target / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)
        if user != "root":
            self.run("chown", "-R", f"{user}:", folder, folder="/")


def make(path: Path) -> BareTree:
    """Make the tree in an empty or absent folder; one that is there is used as it is."""
    if os.geteuid():
        raise Unavailable("debootstrap and chroot need root")
    if not (path / "usr/bin/python3").exists():
        _bootstrap(path)
    _copy_settings(path)
    return BareTree(path)


def _bootstrap(path: Path) -> None:
    if not shutil.which("debootstrap"):
        install = ["apt-get", "-o", "DPkg::Lock::Timeout=400", "install", "-y", "debootstrap"]
        if not shutil.which("apt-get") or subprocess.run(install, check=False).returncode:
            raise Unavailable("debootstrap is not here and cannot be installed")
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(path)]
    done = subprocess.run([*command, _mirror()], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"debootstrap failed: {done.stdout.strip().splitlines()[-1:]}")


def _mirror() -> str:
    """The machine's own mirror of the suite."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    done = subprocess.run(
        [*command, f"Codename: {SUITE}"], capture_output=True, text=True, check=False
    )
    if done.returncode or not done.stdout:
        raise Unavailable(f"apt-get knows no mirror of {SUITE}")
    return done.stdout.splitlines()[0]


def _copy_settings(path: Path) -> None:
    for name in COPIED:
        source, target = Path("/") / name, path / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    sources = path / "etc/apt/sources.list.d"
    for pattern in ("*.list", "*.sources"):
        for file in Path("/etc/apt/sources.list.d").glob(pattern):
            shutil.copy(file, sources)
    if any(sources.iterdir()):
        (path / "etc/apt/sources.list").write_text("", encoding="utf-8")
    command = ["apt-config", "dump", "Acquire"]
    dump = subprocess.run(command, capture_output=True, check=True)
    (path / "etc/apt/apt.conf.d/99machine").write_bytes(dump.stdout)
