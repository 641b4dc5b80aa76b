"""The agent's settings file: every key, its bounds and its default, sensible on a Raspberry Pi.

Read by `agent.app` and by the crew's command line (for the socket's path). Units are in the names.
"""

from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from agent.core.gpsd import GpsdAddress
from agent.core.reporting import DistanceAngle, Interval, Policy, Predict
from runtime.settings import Settings

NamePattern = r"^[a-z0-9-]{1,31}$"
Name = Annotated[str, Field(pattern=NamePattern)]
GPSD_SCHEME: Final = "gpsd://"
GPSD_PORT: Final = 2947
Seconds = Annotated[float, Field(gt=0, le=3600)]


def _gpsd_address(port: str) -> GpsdAddress | None:
    """Raises ValueError where it begins as gpsd's and is none."""
    if not port.startswith(GPSD_SCHEME):
        return None
    parts = urlsplit(port)
    if not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("gpsd is written as gpsd://HOST[:PORT][/dev/DEVICE]")
    return GpsdAddress(parts.hostname, parts.port or GPSD_PORT, parts.path.rstrip("/") or None)


class ReceiverSettings(Settings):
    """A receiver: `port` is a device, a link to one, a name in by-id, or gpsd.

    gpsd as its own tools write it: `gpsd://HOST[:PORT][/dev/DEVICE]`.
    """

    port: str
    baud: Annotated[int, Field(ge=1200, le=921_600)] = 9600  # where to begin: it is searched

    @field_validator("port", mode="after")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        _gpsd_address(value)
        return value

    @property
    def gpsd(self) -> GpsdAddress | None:
        """Where gpsd is, or None for a serial port."""
        return _gpsd_address(self.port)


class Gnss(ReceiverSettings):
    """The receiver, and with `[gnss.second]` another one that stands in for it."""

    port: str = "/dev/serial0"
    silent_s: Seconds = 4.0  # no fix for so long is an alarm
    second: ReceiverSettings | None = None

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.second is not None and self.second.port == self.port:
            raise ValueError(f"both receivers are {self.port}: name two ports, or one receiver")
        return self

    @property
    def receivers(self) -> tuple[ReceiverSettings, ...]:
        """The preferred one first."""
        return (self,) if self.second is None else (self, self.second)


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
    """Folder with root.pem, tls.key, tls.pem, seal.key and trust.cbor, as enrolment leaves it.

    The certificate is renewed after the share `renew_at` of its life.
    """

    folder: Path = Path("/etc/outrider/keys")
    renew_at: Annotated[float, Field(gt=0, le=0.9)] = 0.667


class StoreFile(Settings):
    """`size_max_mb`: beyond it the file counts as a full disk, and old track is thinned."""

    file: Path = Path("/var/lib/outrider/agent.db")
    size_max_mb: Annotated[int, Field(ge=4, le=1_000_000)] = 512


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


class RecordingSettings(Settings):
    """When recorders start besides on scene, SOS, siren and `busy`; `vehicle`: the vehicle's own.

    `on_ignition` is for those of the vehicle. What nothing asks for any more stops after
    `stop_after_s`.
    """

    on_accept: bool = False
    on_ignition: bool = False
    stop_after_s: Annotated[float, Field(ge=0, le=3600)] = 30.0
    vehicle: Annotated[tuple[Name, ...], Field(max_length=4)] = ()


class ConfigurationSettings(Settings):
    """A signed configuration is taken back after `trial_s` without a welcome under it."""

    trial_s: Seconds = 120.0


class SpeechSettings(Settings):
    """`program` reads text and speaks it; empty: nothing is spoken."""

    program: Annotated[str, Field(max_length=200)] = "espeak-ng"
    language: Literal["zh", "en"] = "zh"


class ScreenSettings(Settings):
    """The officer's screen on this computer's loopback, and on `network`: an address of its own.

    `officers` and `units` are what log-on offers to touch; the inputs are names of a board's.
    """

    enabled: bool = False
    port: Annotated[int, Field(ge=1024, le=65_535)] = 8610
    network: Annotated[str, Field(pattern=r"^(\d{1,3}(\.\d{1,3}){3})?$")] = ""
    kind: Literal["car", "motorcycle", "foot"] = "car"
    language: Literal["zh", "en"] = "zh"
    utc_offset_min: Annotated[int, Field(ge=-840, le=840)] = 480
    units: Annotated[tuple[Name, ...], Field(max_length=16)] = ()
    officers: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{1,16}$")], ...], Field(max_length=32)
    ] = ()
    accept_input: Name = "accept"
    repeat_input: Name = "repeat"
    speech: SpeechSettings = SpeechSettings()


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
    recording: RecordingSettings = RecordingSettings()
    configuration: ConfigurationSettings = ConfigurationSettings()
    screen: ScreenSettings = ScreenSettings()


def policy_of(report: Report) -> Policy:
    """The policy that the settings name."""
    if report.policy == "predict":
        return Predict(report.bound_m, report.lease_s)
    if report.policy == "distance-angle":
        return DistanceAngle(report.distance_m, report.turn_deg, report.lease_s)
    return Interval(report.interval_s, report.distance_m, report.lease_s)
