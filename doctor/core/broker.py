"""How far a visit to the broker came, and what stood in the way. Pure.

Facts come from doctor/broker_probe.py; beside a running daemon the visit ends after TLS, since a
second session under the same name would cut the daemon's own.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from doctor.core.dates import Life, judge_dates
from doctor.core.finding import Finding, Level, fault, ok, warn

NOT_AUTHORISED: Final = 0x87
ERROR_FROM: Final = 0x80
_ACCESS: Final = (
    "at the centre: is this name active in `outrider authority list`, does the broker's acl file "
    "have its block, was the broker reloaded"
)


class Stage(StrEnum):
    """Where the visit ended; DONE: as far as it should go."""

    NAME = "name"
    REACH = "reach"
    TLS = "tls"
    SERVER = "server"  # its certificate
    CLIENT = "client"  # ours, as the broker sees it
    SESSION = "session"
    RIGHTS = "rights"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """`detail` is the library's or the broker's own word; `server` are its certificate's dates."""

    address: str
    stage: Stage
    detail: str = ""
    reason: int = 0  # MQTT's, where the broker gave one
    server: Life | None = None
    refused: tuple[str, ...] = ()  # topics
    asked: int = 0  # topics that we asked for
    has_session: bool = True  # whether a session was tried

    @property
    def reached_tls(self) -> bool:
        return self.stage in {Stage.SESSION, Stage.RIGHTS, Stage.DONE}


def judge_visit(visit: Visit, client_name: str, now_ms: int) -> Finding:
    """The first thing in the way, with its remedy; dates of the broker's certificate included."""
    if visit.reached_tls and visit.server is not None:
        remedy = "at the authority: outrider authority rotate, then carry broker/ to the broker"
        dated = judge_dates("broker", visit.server, now_ms, remedy)
        if dated.level is not Level.OK and (
            visit.stage is Stage.DONE or dated.level is Level.FAULT
        ):
            return dated
    found, remedy = _VERDICTS[visit.stage](visit, client_name)
    if visit.stage is not Stage.DONE:
        return fault("broker", found, remedy)
    return ok("broker", found) if not remedy else warn("broker", found, remedy)


def judge_agent_link(
    *, is_up: bool, welcomed: bool, address: str, visit: Visit | None, client_name: str, now_ms: int
) -> Finding:
    """What a running agent says of its link; `visit` is what TLS alone showed while it was down."""
    if is_up and welcomed:
        return ok("broker", f"{address}: the agent is connected, the centre has answered it")
    if is_up:
        found = f"{address}: the agent is connected, the centre does not answer"
        return fault("broker", found, f"not authorised, or no matcher runs: {_ACCESS}")
    if visit is not None and visit.stage is not Stage.DONE:
        return judge_visit(visit, client_name, now_ms)
    found = f"{address}: TLS works, the agent's session does not stand"
    return fault("broker", found, "not authorised, or a twin: see journalctl -u outrider-agent")


def _name(visit: Visit, _client: str) -> tuple[str, str]:
    found = f"broker's name not found: {visit.address} ({visit.detail})"
    return found, "correct broker.host, or give this computer a name server or a line in /etc/hosts"


def _reach(visit: Visit, _client: str) -> tuple[str, str]:
    found = f"broker unreachable: {visit.address} ({visit.detail})"
    if "refused" in visit.detail:
        return found, "nothing listens there: start mosquitto, or correct broker.port"
    return found, "check modem, SIM, cable and firewall; then broker.host and broker.port"


def _tls(visit: Visit, _client: str) -> tuple[str, str]:
    if "wrong version" in visit.detail or "record layer" in visit.detail:
        return f"{visit.address} speaks no TLS", "correct broker.port (8883 with TLS)"
    found = f"{visit.address}: no TLS 1.3 ({visit.detail})"
    return found, "is that our broker? mosquitto.conf needs tls_version tlsv1.3"


def _server(visit: Visit, _client: str) -> tuple[str, str]:
    if "mismatch" in visit.detail.lower():
        found = f"wrong broker certificate: it is for another name ({visit.detail})"
        return found, "set broker.host or broker.server_name to a name in it, or certify this name"
    found = f"wrong broker certificate: not of our root ({visit.detail})"
    return found, "is that our broker? carry the authority's broker/ folder to it, or enrol again"


def _client_side(visit: Visit, client: str) -> tuple[str, str]:
    detail = visit.detail
    if "revoked" in detail:
        return f"not authorised: the certificate of {client} is revoked", "enrol this device again"
    if "expired" in detail:
        found = f"not authorised: the broker takes the certificate of {client} for expired"
        return found, "if its dates are good, the broker's clock or its crl.pem is out of date"
    if "unknown ca" in detail:
        found = f"not authorised: the broker does not know the root of {client}"
        return found, "enrol with the fleet's authority, or carry its root.pem to the broker"
    found = f"not authorised: the broker refuses the certificate of {client} ({detail})"
    return found, "see the broker's log, then enrol this device again"


def _session(visit: Visit, client: str) -> tuple[str, str]:
    if visit.reason == NOT_AUTHORISED:
        return f"not authorised: the broker lets {client} not in", _ACCESS
    said = f"reason {visit.reason:#04x}" if visit.reason else visit.detail
    return f"{visit.address}: the broker gives no session ({said})", "see the broker's log"


def _rights(visit: Visit, client: str) -> tuple[str, str]:
    lanes = ", ".join(topic.rpartition("/")[2] for topic in visit.refused)
    return f"not authorised: {client} may not publish on {lanes}", _ACCESS


def _done(visit: Visit, client: str) -> tuple[str, str]:
    if not visit.has_session:
        return f"{visit.address}: reached, certificates fit; the session is the daemon's own", ""
    if not visit.asked:
        found = f"{visit.address}: {client} is let in; it takes no QoS 2, so rights are not shown"
        return found, "start the daemon and look again"
    return f"{visit.address}: {client} is let in and may publish", ""


_VERDICTS: Final = {
    Stage.NAME: _name, Stage.REACH: _reach, Stage.TLS: _tls, Stage.SERVER: _server,
    Stage.CLIENT: _client_side, Stage.SESSION: _session, Stage.RIGHTS: _rights, Stage.DONE: _done,
}  # fmt: skip
