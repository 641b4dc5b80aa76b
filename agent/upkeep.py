"""What the centre's offline roles give a working terminal: certificate, configuration, codebook.

Wired by `agent.app`, so that it stays a list of parts.
"""

import asyncio
from collections.abc import Callable, Mapping

from agent.codebook import META, Codes
from agent.configuration import Begun, Configuring
from agent.renewal import Renewal
from agent.seals import Seals
from agent.settings import AgentSettings
from agent.terminal import Terminal
from agent.uplink import Uplink
from protocol.envelope import Kind
from runtime.mqtt_link import MqttLink


class Upkeep:
    """Both run beside everything else; the uplink hands their messages on."""

    def __init__(
        self,
        begun: Begun,
        terminal: Terminal,
        seals: Seals,
        link: MqttLink,
        uplink: Uplink,
        kept: Mapping[str, object],
        apply: Callable[[AgentSettings], None],
    ) -> None:
        """`kept`: the store's meta rows at the start."""
        keys = begun.own.keys
        self.renewal = Renewal(keys.folder, keys.renew_at, terminal, seals, link.reconnect, kept)
        self.configuring = Configuring(begun, terminal, seals, uplink, apply)
        self.codes = Codes(terminal, seals, kept.get(META))
        uplink.handlers = {
            Kind.CERTIFICATE: self.renewal.answered,
            Kind.CONFIGURATION: self.configuring.take,
            Kind.CODEBOOK: self.codes.take,
        }

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.renewal.run(), name="renewal")
            tasks.create_task(self.configuring.run(), name="configuration")
