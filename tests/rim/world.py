"""A small fleet for real: authority, mosquitto, matcher, terminals with receivers, a desk.

Everything is a process of its own with its own files in one short throw-away folder and its own
port, so worlds run beside each other. Only times are shorter than in service (keepalive 2 s); no
part is switched off. Used as a context manager; what it started it ends.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from authority import ceremony
from authority.acts import Invitee
from matcher.broker.lists import check_lists
from protocol.groups import groups_of_roles
from protocol.identities import IdentityKind
from runtime.faults import ConfigFault
from runtime.key_files import load_certificate
from tests.authority.fleet import FLEET, BrokerKeys, Fleet, real_now_ms
from tests.broker import Broker, free_port
from tests.rim.crew import Crew
from tests.rim.daemon import Daemon, outrider, run, until
from tests.rim.desk import Desk, Json
from tests.rim.terminal import Setting, Terminal, make_terminal, toml

DESK = "d01-desk"
MATCHER = "matcher"
_LOOK_S = 0.05


class World:
    """`units` are enrolled terminals `t-UNIT` in this order away from PLACE; nothing is started.

    Of `keys_only` there are keys and certificates and nothing that runs. `age_ms`: how long ago the
    authority made all keys and certificates.
    """

    def __init__(
        self,
        *units: str,
        managers: Mapping[str, tuple[str, ...]] | None = None,
        keys_only: tuple[str, ...] = (),
        age_ms: int = 0,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="orim-"))
        self.managers = dict(managers) if managers else {DESK: ("dispatcher", "supervisor")}
        for name in ("lists", "stores", "k"):
            (self.folder / name).mkdir()
        self.fleet = Fleet(self.folder, real_now_ms() - age_ms)
        self.enrolments = self._enrol((*units, *keys_only))
        shutil.copy(self.fleet.centre / "crl.pem", self.folder / "lists" / "crl.pem")
        keys = BrokerKeys(self.fleet.authority / "broker")
        crl = f"crlfile {self.folder / 'lists' / 'crl.pem'}"
        packet = "max_packet_size 131072"
        self.broker = Broker(self.folder / "broker", keys, acl="", options=(crl, packet))
        self.broker.port = free_port()
        self.extra_rights = ""
        self.matcher = Daemon(MATCHER, outrider("matcher", "run", "--config", self.matcher_config))
        self.journal = self.folder / "journal" / "journal.db"
        self.terminals = {unit: self.terminal(unit, at) for at, unit in enumerate(units)}
        self._desks: list[Desk] = []
        self._clients: list[contextlib.AbstractContextManager[object]] = []
        self._over = threading.Event()
        self.follows = threading.Event()  # cleared: nobody tells the broker of new lists
        self.follows.set()
        self.lists_refused = 0  # how often the check before a reload said no
        self._follower = threading.Thread(target=self._follow_lists, daemon=True)

    def _enrol(self, units: tuple[str, ...]) -> dict[str, bytes]:
        members = [
            ceremony.Member(Invitee(f"t-{unit}", IdentityKind.TERMINAL), self.keys(f"t-{unit}"))
            for unit in units
        ]
        members += [
            ceremony.Member(
                Invitee(name, IdentityKind.MANAGER, f"person of {name}", roles), self.keys(name)
            )
            for name, roles in self.managers.items()
        ]
        return ceremony.enrol_all(self.fleet.authority, members, self.fleet.now_ms)

    # --- where things are ------------------------------------------------------------------------

    @property
    def matcher_config(self) -> Path:
        return self.folder / "matcher.toml"

    def keys(self, name: str) -> Path:
        return self.folder / "k" / name

    def manager_config(self, name: str) -> Path:
        """The settings file of a manager's tool."""
        path = self.folder / f"{name}.toml"
        broker: dict[str, Setting] = {
            "host": "127.0.0.1",
            "port": self.broker.port,
            "keepalive_s": 2,
        }
        pace: dict[str, Setting] = {"backoff_cap_s": 0.5, "handshake_interval_s": 0}
        path.write_text(
            f"groups = {list(groups_of_roles(self.managers.get(name, ())))}\n"
            + toml({"fleet": FLEET, "name": name},
                  {"broker": broker | pace, "keys": {"folder": self.keys(name)}})
        )  # fmt: skip
        return path

    def write_matcher_config(self, mode: str = "auto", **units: str) -> None:
        """`units`: further units by name with their kind."""
        kinds = dict.fromkeys(self.terminals, "car") | units
        self.journal.parent.mkdir(exist_ok=True)
        text = toml(
            {"fleet": FLEET, "mode": mode, "statistics_s": 0.5},
            {
                "broker": {"port": self.broker.port, "keepalive_s": 2, "backoff_cap_s": 0.5,
                           "handshake_interval_s": 0.1},
                "files": {"keys": self.fleet.centre, "identities": self.fleet.centre,
                          "journal": self.journal, "broker": self.folder / "lists",
                          "requests": self.folder / "requests"},
            },
        )  # fmt: skip
        text += "".join(f'[[unit]]\nunit = "{u}"\nkind = "{k}"\n' for u, k in kinds.items())
        self.matcher_config.write_text(text)

    def terminal(self, unit: str, at: int) -> Terminal:
        """A terminal of this world, not started; `at`: its place in the row."""
        return make_terminal(self.folder, unit, at, self.broker.port)

    # --- life ------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        with contextlib.ExitStack() as ends:
            ends.callback(shutil.rmtree, self.folder, ignore_errors=True)
            if self._follower.is_alive():
                ends.callback(self._follower.join)
            ends.callback(self.broker.__exit__, None, None, None)
            for client in self._clients:
                ends.callback(client.__exit__, None, None, None)
            ends.callback(self.matcher.stop)
            for terminal in self.terminals.values():
                ends.callback(terminal.receiver.stop)
                ends.callback(terminal.agent.stop)
                for crew in terminal.crews:
                    ends.callback(crew.close)
            for desk in self._desks:
                ends.callback(desk.close)

    def start(self, *, terminals: bool = True) -> Self:
        """Centre, broker and the desk; then every terminal with its receiver."""
        self.start_centre()
        if terminals:
            self.start_terminals()
        self.desk.connected()
        return self

    def start_terminals(self) -> None:
        """All at once, each with its receiver."""
        for terminal in self.terminals.values():
            terminal.receiver.start("ready")
            terminal.start(ready=None)
        for terminal in self.terminals.values():
            terminal.agent.wait_for("event=ready")

    def start_centre(self, **units: str) -> None:
        """The matcher first: it writes the broker's lists. `units`: further ones, with kinds."""
        self.write_matcher_config(**units)
        self.matcher.start()
        self.start_broker()

    def start_broker(self) -> None:
        """With the lists that the matcher wrote; and the desk."""
        self._copy_lists()
        self.broker.start()
        self._follower.start()
        self.add_desk(DESK)

    def add_desk(self, name: str) -> Desk:
        self._desks.append(Desk(self.manager_config(name)))
        return self._desks[-1]

    def log_on(self, *units: str) -> None:
        """Log a crew on at each terminal and wait until its unit shows live at the desk."""
        crews = {unit: self.terminals[unit].crew() for unit in units or self.terminals}
        for unit, crew in crews.items():
            crew.log_on(unit)
        for unit in crews:
            self.desk.unit(unit, is_live)

    def config(self, unit: str) -> Path:
        """The settings file of a unit's terminal."""
        return self.terminals[unit].config

    @property
    def desk(self) -> Desk:
        return self._desks[0]

    def crew(self, unit: str) -> Crew:
        """The crew that was logged on."""
        return self.terminals[unit].crews[0]

    def keep(self, client: contextlib.AbstractContextManager[object]) -> None:
        """Close `client` before the broker goes."""
        self._clients.append(client)

    # --- the broker's lists ----------------------------------------------------------------------

    def grant(self, rights: str) -> None:
        """Widen the broker's access list beyond what the matcher generated; back when it holds."""
        self.extra_rights += rights + "\n"
        before = self.broker.log_count("Reloading config")
        self._copy_lists()
        self.broker.reload()
        until(lambda: self.broker.log_count("Reloading config") > before, "access list reloaded")

    def _copy_lists(self) -> None:
        rights = (self.folder / "lists" / "acl").read_text() + "\n" + self.extra_rights
        staged = self.folder / "acl.new"
        staged.write_text(rights)
        staged.replace(self.broker.acl_file)

    def _follow_lists(self) -> None:
        """As the systemd path unit does: the broker reads the lists again when they changed.

        Only where they pass the check that the unit makes first, and while `follows` is set.
        """
        lists = [self.folder / "lists" / name for name in ("acl", "crl.pem")]
        root = load_certificate(self.fleet.centre / "root.pem")
        seen: list[int] = []
        while not self._over.wait(_LOOK_S):
            stamps = [path.stat().st_mtime_ns if path.exists() else 0 for path in lists]
            if stamps == seen or not self.follows.is_set():
                continue
            is_news, seen = bool(seen), stamps
            try:
                check_lists(lists[0].parent, root, real_now_ms())
            except ConfigFault:
                self.lists_refused += 1
                continue
            self._copy_lists()
            if is_news:
                with contextlib.suppress(AssertionError):  # the broker is down: it reads at start
                    self.broker.reload()

    # --- questions to the journal ----------------------------------------------------------------

    def ask_journal(self, *words: str) -> str:
        """`outrider matcher WORDS --config …`: what it prints; it must find nothing wrong."""
        done = run(outrider("matcher", *words, "--config", self.matcher_config))
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def live_state(self) -> str:
        """Stop the matcher; the state's hash that it ended with."""
        mark = self.matcher.mark
        assert self.matcher.stop() == 0, self.matcher.tail()
        line = next(one for one in self.matcher.lines[mark[0] :] if "state=" in one)
        return line.partition("state=")[2].split()[0]


def is_live(properties: Json) -> bool:
    """Logged on, with a place that is fresh: automatic dispatch may send it."""
    is_placed = properties["freshness"] == "live" and properties["fix"] != "none"
    return is_placed and properties["logon"] is not None
