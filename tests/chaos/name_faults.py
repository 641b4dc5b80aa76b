"""N10: the broker's name is not found, wrong, or the resolver is dead; the last address serves.

The terminal gets a resolver of its own by a private /etc/resolv.conf in a mount namespace, so this
needs root; without it the fault is not run, and the test says so.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator

from hil.tcp_proxy import TcpProxy
from tests.chaos.impostors import Dns
from tests.chaos.network_faults import is_down, is_up
from tests.chaos.scene import Scene

ADDRESS = "127.77.0.53"
NAME = "broker.outrider.test"
BACK_S = 30.0


class NoOwnResolver(Exception):
    """This host does not let us give a process a resolver of its own."""


@contextlib.contextmanager
def own_resolver(scene: Scene, unit: str) -> Iterator[Dns | None]:
    """The terminal asks a stub for the broker's name; None where that cannot be done."""
    unshare = shutil.which("unshare")
    if os.geteuid() != 0 or unshare is None or not _may_mount(unshare):
        yield None
        return
    terminal = scene.terminal(unit)
    with Dns(ADDRESS) as dns:
        conf = scene.world.folder / "resolv.conf"
        conf.write_text(dns.resolv_conf)
        scene.tune(unit, "broker", host=NAME, server_name="127.0.0.1")
        agent = shlex.join(terminal.agent.argv)
        script = f"mount --bind {shlex.quote(str(conf))} /etc/resolv.conf && exec {agent}"
        terminal.agent.argv = [unshare, "--mount", "sh", "-c", script]
        yield dns


def _may_mount(unshare: str) -> bool:
    script = "mount --bind /etc/hostname /etc/resolv.conf"
    return subprocess.run([unshare, "--mount", "sh", "-c", script], check=False).returncode == 0


def name_faults(scene: Scene, unit: str, dns: Dns | None) -> None:
    """Each fault of the resolver in turn."""
    if dns is None:
        raise NoOwnResolver("a resolver of its own for one process needs root and unshare")
    line, agent = scene.line(unit), scene.terminal(unit).agent
    is_up(scene, unit)
    assert dns.asked, "the stub was never asked"
    for answer in ("unknown", "silent"):  # the address of before still serves
        dns.answer = "unknown" if answer == "unknown" else "silent"
        line.do(TcpProxy.cut)
        is_down(scene, unit)
        back_s = scene.is_back(unit, time.monotonic(), BACK_S)
        scene.measured("N10", f"back by the old address, resolver {answer}", back_s, 10.0)
    mark = agent.mark
    dns.answer = "wrong"
    line.do(TcpProxy.cut)
    agent.wait_for("mqtt_connect_failed.*unreachable", after=mark)
    dns.answer = "right"
    back_s = scene.is_back(unit, time.monotonic(), BACK_S)
    scene.measured("N10", "back after a wrong address", back_s, BACK_S)
    agent.stop()
    dns.answer, mark = "unknown", agent.mark
    agent.start()
    agent.wait_for(f"mqtt_connect_failed.*name not found.*{NAME}", after=mark)
    dns.answer = "right"
    back_s = scene.is_back(unit, time.monotonic(), BACK_S)
    scene.measured("N10", "back after a start without the name", back_s, BACK_S)
