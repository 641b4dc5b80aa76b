"""The demo's folder: who is in the fleet, every settings file, the broker's configuration."""

from __future__ import annotations

import json
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from demo.city import districts

FLEET = "demo"
DESK, CALLER = "d01-desk", "d01-shell"

KINDS = ["car"] * 9 + ["drone"] + ["motorcycle"] * 5 + ["foot"]
OFFICERS = {"car": 2, "motorcycle": 1, "drone": 0, "foot": 1}


@dataclass(frozen=True, slots=True)
class Member:
    """One unit with its one terminal."""

    unit: str
    kind: str

    @property
    def device(self) -> str:
        return f"t-{self.unit}"

    @property
    def crew(self) -> list[str]:
        return [f"{self.unit}{i}" for i in range(1, OFFICERS[self.kind] + 1)]


def fleet() -> list[Member]:
    """9 cars, 5 motorcycles, 1 drone, 1 officer on foot."""
    return [Member(str(611 + i), kind) for i, kind in enumerate(KINDS)]


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below one short folder (Unix sockets take at most 107 characters)."""

    folder: Path
    port: int

    @classmethod
    def make(cls, folder: Path) -> Layout:
        for name in ("logs", "config", "ports", "sockets", "stores", "broker", "keys"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        return cls(folder, free_port())

    @property
    def journal(self) -> Path:
        return self.folder / "journal.db"

    @property
    def matcher_config(self) -> Path:
        return self.folder / "config" / "matcher.toml"

    def terminal_config(self, member: Member) -> Path:
        return self.folder / "config" / f"{member.device}.toml"

    def socket(self, member: Member) -> Path:
        return self.folder / "sockets" / f"{member.unit}.sock"

    def gnss_port(self, member: Member) -> Path:
        return self.folder / "ports" / member.unit

    def manager_config(self, name: str) -> Path:
        return self.folder / "config" / f"{name}.toml"

    # --- files -----------------------------------------------------------------------------------

    def write_members(self) -> Path:
        """Whom the authority enrols at once."""
        rows: list[dict[str, object]] = [
            {"name": m.device, "kind": "terminal", "out": f"keys/{m.device}"} for m in fleet()
        ]
        for name, roles in ((DESK, ["dispatcher", "supervisor"]), (CALLER, ["intake"])):
            person = {"person": "demo dispatcher", "roles": roles}
            rows.append({"name": name, "kind": "manager", "out": f"keys/{name}", **person})
        path = self.folder / "config" / "members.json"
        path.write_text(json.dumps(rows))
        return path

    def write_settings(self) -> None:
        self.matcher_config.write_text(_matcher(self.port))
        self.matcher_config.with_name("districts.geojson").write_text(json.dumps(districts()))
        for name in (DESK, CALLER):
            self.manager_config(name).write_text(_manager(name, self.port))
        for member in fleet():
            self.terminal_config(member).write_text(
                _terminal(member, self.port, self.gnss_port(member))
            )

    def write_broker(self) -> Path:
        """mosquitto with mutual TLS, the generated lists, and no memory."""
        source, target = self.folder / "authority" / "broker", self.folder / "broker"
        for name in ("root.pem", "server.pem", "server.key"):
            shutil.copy(source / name, target / name)
        path = target / "mosquitto.conf"
        path.write_text(_broker(target, self.port))
        return path


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _broker(folder: Path, port: int) -> str:
    user = "user root\n" if os.geteuid() == 0 else ""
    return (
        f"listener {port} 127.0.0.1\nallow_anonymous false\n"
        f"cafile {folder}/root.pem\ncertfile {folder}/server.pem\nkeyfile {folder}/server.key\n"
        f"crlfile {folder}/crl.pem\nacl_file {folder}/acl\n"
        "require_certificate true\ntls_version tlsv1.3\n"
        "use_identity_as_username true\nuse_username_as_clientid true\n"
        "persistence false\nset_tcp_nodelay true\nmax_packet_size 131072\n"
        f"max_inflight_messages 200\nmax_queued_messages 2000\nlog_type error\n{user}"
    )


def _matcher(port: int) -> str:
    units = "".join(
        f'[[unit]]\nunit = "{m.unit}"\nkind = "{m.kind}"\nofficers = {OFFICERS[m.kind]}\n'
        for m in fleet()
    )
    return (
        f'fleet = "{FLEET}"\nmode = "auto"\n'
        f'[broker]\nhost = "localhost"\nport = {port}\nbackoff_cap_s = 1.0\n'
        "handshake_interval_s = 0.1\n[files]\n"
        'keys = "../authority/centre"\nidentities = "../authority/centre"\n'
        f'journal = "../journal.db"\nbroker = "../broker"\ndistricts = "districts.geojson"\n'
        f"{units}"
    )


def _manager(name: str, port: int) -> str:
    return (
        f'fleet = "{FLEET}"\nname = "{name}"\n[broker]\nport = {port}\nbackoff_cap_s = 1.0\n'
        f'handshake_interval_s = 0.2\n[keys]\nfolder = "../keys/{name}"\n'
    )


def _terminal(member: Member, port: int, gnss: Path) -> str:
    return (
        f'fleet = "{FLEET}"\ndevice = "{member.device}"\n'
        f'[gnss]\nport = "{gnss}"\n'
        f"[broker]\nport = {port}\nbackoff_base_s = 0.2\nbackoff_cap_s = 2.0\n"
        "handshake_interval_s = 0.5\n"
        f'[keys]\nfolder = "../keys/{member.device}"\n'
        f'[store]\nfile = "../stores/{member.device}.db"\n'
        f'[devices]\nsocket = "../sockets/{member.unit}.sock"\n'
        "[report]\nlease_s = 10\n"
    )
