"""A serial port as the file system shows it: there, usable, held by whom. Pure.

Facts come from doctor/port_probe.py.
"""

from dataclasses import dataclass

from doctor.core.finding import Finding, fault, ok


@dataclass(frozen=True, slots=True, kw_only=True)
class PortFacts:
    """`user` is whom the answer holds for; `others` are the serial ports that are there."""

    path: str
    user: str
    is_there: bool
    is_serial: bool = False
    may_use: bool = False
    rights: str = ""  # as `root:dialout 0660`
    group: str = ""
    holder: str = ""  # another program that has it open, as `gpsd (process 812)`
    others: tuple[str, ...] = ()


def judge_port(name: str, facts: PortFacts) -> Finding:
    """Missing, no device, no permission, held by another program, or as it should be."""
    path = facts.path
    if not facts.is_there:
        return fault(name, f"{path} is not there; {_there(facts.others)}", _missing_remedy(facts))
    if not facts.is_serial:
        return fault(name, f"{path} is no serial port", "name the receiver's port in gnss.port")
    if not facts.may_use:
        found = f"no permission: user {facts.user} may not use {path} ({facts.rights})"
        return fault(name, found, _permission_remedy(facts))
    if facts.holder:
        remedy = "end that program; gpsd: systemctl disable --now gpsd.socket gpsd, or read from it"
        return fault(name, f"{path} is held by {facts.holder}", remedy)
    return ok(name, f"{path} ({facts.rights})")


def _there(others: tuple[str, ...]) -> str:
    return f"there are: {', '.join(others)}" if others else "no serial port is there at all"


def _missing_remedy(facts: PortFacts) -> str:
    if facts.others:
        return "plug the receiver in, or put one of these into gnss.port"
    return "plug the receiver in; check its cable and power (dmesg shows what the kernel saw)"


def _permission_remedy(facts: PortFacts) -> str:
    udev = "install systemd/udev/60-outrider.rules and plug it in again"
    if facts.group in ("", "root", "tty"):
        return udev
    return f"{udev}, or: adduser {facts.user} {facts.group}"
