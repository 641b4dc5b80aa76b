"""The agent's settings file: every key, its bounds and its default, sensible on a Raspberry Pi.

Read by `agent.app` and by the crew's command line (for the socket's path). Units are in the names.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agent.core.reporting import DistanceAngle, Interval, Policy, Predict
from runtime.settings import Settings

NamePattern = r"^[a-z0-9-]{1,31}$"
Name = Annotated[str, Field(pattern=NamePattern)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Gnss(Settings):
    """The receiver's port; `port` takes a device, a link to one, or a name in by-id."""

    port: str = "/dev/serial0"
    baud: Annotated[int, Field(ge=1200, le=921_600)] = 9600
    silent_s: Seconds = 4.0  # no fix for so long is an alarm


class Broker(Settings):
    host: str = "localhost"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8883
    server_name: str = ""
    keepalive_s: Annotated[int, Field(ge=1, le=600)] = 10
    connect_timeout_s: Seconds = 10.0
    backoff_base_s: Seconds = 0.5
    backoff_cap_s: Seconds = 30.0
    handshake_interval_s: Annotated[float, Field(ge=0, le=600)] = 5.0


class Keys(Settings):
    """Folder with root.pem, tls.key, tls.pem, seal.key and trust.cbor, as enrolment leaves it."""

    folder: Path = Path("/etc/outrider/keys")


class StoreFile(Settings):
    file: Path = Path("/var/lib/outrider/agent.db")


class Devices(Settings):
    """The local socket; root and the agent's own user are always allowed."""

    socket: Path = Path("/run/outrider/devices.sock")
    allowed_uids: tuple[int, ...] = ()


class Report(Settings):
    """When the newest position is sent, and how long it is promised to hold (`lease_s`).

    `bound_m` is of policy `predict`, `turn_deg` of `distance-angle`, `interval_s` of `interval`.
    """

    policy: Literal["predict", "distance-angle", "interval"] = "predict"
    bound_m: Annotated[float, Field(gt=0, le=1000)] = 15.0
    interval_s: Seconds = 5.0
    distance_m: Annotated[float, Field(gt=0, le=100_000)] = 50.0
    turn_deg: Annotated[float, Field(gt=0, le=180)] = 30.0
    lease_s: Annotated[int, Field(ge=2, le=30)] = 30


class TrackSettings(Settings):
    entry_s: Annotated[float, Field(ge=1, le=60)] = 60.0
    fixes_max: Annotated[int, Field(ge=1, le=60)] = 60
    scratch_s: Annotated[float, Field(ge=1, le=60)] = 10.0


class ClockSettings(Settings):
    """`system`: how far the system clock is believed; `ask` asks the kernel."""

    system: Literal["ask", "ntp", "rtc", "none"] = "ask"


class Health(Settings):
    interval_s: Annotated[float, Field(ge=10, le=86_400)] = 600.0


class AgentSettings(Settings):
    """One terminal. `fleet` and `device` must be those of its certificate."""

    fleet: Name
    device: Name
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    gnss: Gnss = Gnss()
    broker: Broker = Broker()
    keys: Keys = Keys()
    store: StoreFile = StoreFile()
    devices: Devices = Devices()
    report: Report = Report()
    track: TrackSettings = TrackSettings()
    clock: ClockSettings = ClockSettings()
    health: Health = Health()


def policy_of(report: Report) -> Policy:
    """The policy that the settings name."""
    if report.policy == "predict":
        return Predict(report.bound_m, report.lease_s)
    if report.policy == "distance-angle":
        return DistanceAngle(report.distance_m, report.turn_deg, report.lease_s)
    return Interval(report.interval_s, report.distance_m, report.lease_s)
