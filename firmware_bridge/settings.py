"""The bridge's settings file: the agent's socket, and one table per device.

Read by `firmware_bridge.app`; by `device_command` for the socket's path only. Unknown keys are
errors with the nearest known key.
"""

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from firmware_bridge.core.bridge import OWN_NAME
from runtime.settings import Settings

BOARDS_MAX: Final = 4
RECORDERS_MAX: Final = 8
DEFAULT_SOCKET: Final = Path("/run/outrider/devices.sock")

Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,31}$")]
Port = Annotated[str, Field(min_length=1, max_length=256)]
Baud = Annotated[int, Field(ge=1200, le=921_600)]


class Agent(Settings):
    """The agent's device socket; its `allowed_uids` must name this daemon's user."""

    socket: Path = DEFAULT_SOCKET


class Board(Settings):
    """Firmware that speaks SMP; `port` takes a device, a link to one, or a name in by-id."""

    name: Name
    port: Port
    baud: Baud = 115_200
    poll_ms: Annotated[int, Field(ge=10, le=1000)] = 40


class Recorder(Settings):
    """An officer's or vehicle's recorder; `name` is what it calls itself."""

    name: Name
    port: Port
    baud: Baud = 115_200


class BridgeSettings(Settings):
    """One bridge beside one agent."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    agent: Agent = Agent()
    board: Annotated[tuple[Board, ...], Field(max_length=BOARDS_MAX)] = ()
    recorder: Annotated[tuple[Recorder, ...], Field(max_length=RECORDERS_MAX)] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        devices: tuple[Board | Recorder, ...] = (*self.board, *self.recorder)
        if not devices:
            raise ValueError("no device: add a table [[board]] or [[recorder]]")
        names = [OWN_NAME, *(one.name for one in devices)]
        for key, values in (("name", names), ("port", [one.port for one in devices])):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{key} {twice[0]!r} stands twice ({OWN_NAME!r} is our own)")
        return self


class _SocketOnly(Settings):
    model_config = ConfigDict(extra="ignore", frozen=True)

    socket: Path | None = None


class SocketSettings(Settings):
    """What a shell command needs of the bridge's file, or of the agent's: where the socket is."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    agent: _SocketOnly = _SocketOnly()
    devices: _SocketOnly = _SocketOnly()

    @property
    def socket(self) -> Path:
        """The path named in the file, else the default."""
        return self.agent.socket or self.devices.socket or DEFAULT_SOCKET
