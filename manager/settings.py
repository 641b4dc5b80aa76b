"""A manager's settings file: who this tool is, where its keys and the broker are.

fleet = "longwen"
name = "d07-shell"
[broker]
host = "broker.example"
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from protocol.groups import Group
from runtime.mqtt_types import LinkSettings
from runtime.settings import Settings

Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,31}$")]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class BrokerSettings(Settings):
    host: str = "localhost"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8883
    server_name: str = ""  # the name its certificate carries, where it is not `host`
    keepalive_s: Annotated[int, Field(ge=1, le=600)] = 10
    connect_timeout_s: Seconds = 10.0
    backoff_cap_s: Seconds = 5.0
    handshake_interval_s: Annotated[float, Field(ge=0, le=600)] = 1.0


class KeysSettings(Settings):
    """Folder with root.pem, tls.key, tls.pem, seal.key and trust.cbor, as enrolment leaves it."""

    folder: Path = Path("keys")


class ManagerSettings(Settings):
    """One tool of one person. `fleet` and `name` must be those of its certificate.

    `groups`: whose units that are not open to all it watches; its person has their roles.
    """

    fleet: Name
    name: Name
    groups: tuple[Group, ...] = ()
    broker: BrokerSettings = BrokerSettings()
    keys: KeysSettings = KeysSettings()

    def link(self) -> LinkSettings:
        """How to reach the broker. Raises ConfigFault."""
        broker, folder = self.broker, self.keys.folder
        return LinkSettings(
            host=broker.host,
            port=broker.port,
            server_name=broker.server_name,
            client_id=f"{self.fleet}.{self.name}",
            ca_file=folder / "root.pem",
            cert_file=folder / "tls.pem",
            key_file=folder / "tls.key",
            keepalive_s=broker.keepalive_s,
            connect_timeout_s=broker.connect_timeout_s,
            backoff_cap_s=broker.backoff_cap_s,
            handshake_interval_s=broker.handshake_interval_s,
        )
