"""Every check of a terminal; beside a running agent the agent is asked, never its port or session.

The checks run side by side, so the slowest (a search for the line speed) is the whole time.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from agent.identity import link_settings
from agent.settings import AgentSettings, ReceiverSettings
from agent.version import BUILT_MS
from doctor.agent_probe import AgentFacts, ask_agent, silence_remedy
from doctor.broker_probe import visit
from doctor.core.broker import Visit, judge_agent_link, judge_visit
from doctor.core.clock import ClockFacts, judge_clock
from doctor.core.crew import judge_crew
from doctor.core.dates import Life, judge_dates
from doctor.core.disk import judge_disk
from doctor.core.finding import Finding, fault, ok, warn
from doctor.core.gnss import judge_agent_fix, judge_heard
from doctor.core.port import judge_port
from doctor.disk_probe import disk_of
from doctor.faults import of_fault
from doctor.gnss_probe import Listener
from doctor.port_probe import port_of
from doctor.store_probe import look_into
from doctor.terminal_keys import certificate_life, check_keys
from protocol import topics
from protocol.names import common_name
from runtime.clock import Clock, system_clock_synchronized
from runtime.faults import ConfigFault

DAEMON_USER: Final = "outrider-agent"
_LANES: Final = ("position", "logbook", "link")
_RENEW: Final = "connect it, so that the centre renews it; once expired: enrol this device again"


async def check_agent(settings: AgentSettings, clock: Clock) -> list[Finding]:
    """In the order in which a technician would look."""
    return await _Terminal(settings, clock).examine()


class _Terminal:
    def __init__(self, settings: AgentSettings, clock: Clock) -> None:
        self._kept = look_into(settings)
        self._settings = settings = self._kept.settings
        self._clock, self._folder = clock, settings.keys.folder
        self._name = common_name(settings.fleet, settings.device)
        receivers = settings.gnss.receivers
        self._labels = ["", " second"][: len(receivers)]
        self._receivers = receivers

    async def examine(self) -> list[Finding]:
        settings, clock = self._settings, self._clock
        self._life, unread = self._certificate()
        floor_ms = max(BUILT_MS, self._life.not_before_ms if self._life else 0)
        self._agent = await ask_agent(settings.devices.socket, settings.store.file, clock)
        self._listeners = [Listener(one, clock, floor_ms) for one in self._receivers]
        async with asyncio.TaskGroup() as tasks:
            receivers = tasks.create_task(self._check_receivers())
            visiting = tasks.create_task(self._visit())
        clock_facts = self._clock_facts(floor_ms)
        now_ms = clock_facts.best_ms
        return [
            *self._signed(),
            self._process(),
            *receivers.result(),
            judge_clock(clock_facts),
            check_keys(self._folder, self._name),
            unread or self._dates(now_ms),
            self._broker(visiting.result(), now_ms),
            judge_disk("disk", disk_of(settings.store.file.parent)),
            self._unit(),
        ]

    # --- the agent itself ------------------------------------------------------------------------

    @property
    def _is_running(self) -> bool:
        return self._agent.process is not None

    def _signed(self) -> list[Finding]:
        """A signed configuration is not seen in the file, and holds over it."""
        version = self._kept.version
        if not version:
            return []
        return [ok("signed", f"configuration version {version} from the centre is over the file")]

    def _process(self) -> Finding:
        agent: AgentFacts = self._agent
        if not self._is_running:
            return ok("agent", "does not run; receiver and broker are tried directly")
        who = f"runs (process {agent.process})" if agent.process else "runs"
        if agent.state is None:
            return fault("agent", f"{who} and does not answer: {agent.silence}", silence_remedy())
        return ok("agent", f"{who} and answers")

    def _unit(self) -> Finding:
        state = self._agent.state
        if state is not None:
            return judge_crew(state.unit, state.logon, state.status)
        if self._is_running:
            return warn("unit", "not known: the agent does not answer", silence_remedy())
        if self._kept.unread:
            found = f"not known: {self._kept.unread}"
            return warn("unit", found, "start the agent and look again")
        crew = self._kept.crew
        return judge_crew(crew.unit, crew.logon, "as the agent last kept it")

    # --- receivers and time ----------------------------------------------------------------------

    async def _check_receivers(self) -> list[Finding]:
        pairs = zip(self._labels, self._receivers, self._listeners, strict=True)
        found = await asyncio.gather(*(self._receiver(*one) for one in pairs))
        return [finding for findings in found for finding in findings]

    async def _receiver(
        self, label: str, receiver: ReceiverSettings, listener: Listener
    ) -> Sequence[Finding]:
        port = None
        if receiver.gpsd is None:
            own = self._agent.process
            port = await asyncio.to_thread(lambda: port_of(receiver.port, own=own))
        held = [] if port is None else [judge_port(f"port{label}", port)]
        if self._is_running:
            return held if label else [*held, self._agent_fix()]
        if port is not None and (not port.may_use or not port.is_serial or port.holder):
            remedy = "mend the port first, then look again"
            return [*held, fault(f"gnss{label}", "not heard: the port cannot be used", remedy)]
        return [*held, judge_heard(f"gnss{label}", await listener.listen())]

    def _agent_fix(self) -> Finding:
        """The agent chooses between its receivers: one fix speaks for both."""
        state = self._agent.state
        if state is None:
            return warn("gnss", "not known: the agent does not answer", silence_remedy())
        return judge_agent_fix("gnss", state.fix, round(self._settings.gnss.silent_s * 1000))

    def _clock_facts(self, floor_ms: int) -> ClockFacts:
        trust = self._settings.clock.system
        synced = system_clock_synchronized() if trust == "ask" else trust == "ntp"
        state = self._agent.state
        if state is None:
            heard = [one.gnss_ms for one in self._listeners]
            gnss_ms = next((ms for ms in heard if ms is not None), None)
            return ClockFacts(self._clock.utc_ms(), synced, floor_ms, gnss_ms)
        fix = state.fix
        gnss_ms = None if fix is None or fix["fix"] == "none" else fix["time_ms"]
        if gnss_ms is not None and fix is not None:
            gnss_ms += fix["age_ms"]
        return ClockFacts(self._agent.asked_utc_ms, synced, floor_ms, gnss_ms)

    # --- keys and certificate --------------------------------------------------------------------

    def _certificate(self) -> tuple[Life | None, Finding | None]:
        try:
            return certificate_life(self._folder, self._name), None
        except ConfigFault as cause:
            return None, of_fault("certificate", cause)

    def _dates(self, now_ms: int) -> Finding:
        assert self._life is not None
        return judge_dates("certificate", self._life, now_ms, _RENEW)

    # --- broker ----------------------------------------------------------------------------------

    async def _visit(self) -> Visit | ConfigFault | None:
        """None: nothing to try, since the agent has its session."""
        state = self._agent.state
        if state is not None and state.link == "up":
            return None
        settings = self._settings
        lanes = [topics.terminal(settings.fleet, settings.device, lane) for lane in _LANES]
        try:
            return await visit(link_settings(settings), lanes, may_connect=not self._is_running)
        except ConfigFault as cause:
            return cause

    def _broker(self, visited: Visit | ConfigFault | None, now_ms: int) -> Finding:
        if isinstance(visited, ConfigFault):
            return of_fault("broker", visited)
        state, address = self._agent.state, link_settings(self._settings).address
        if state is None:
            assert visited is not None
            return judge_visit(visited, self._name, now_ms)
        return judge_agent_link(
            is_up=state.link == "up", welcomed=state.welcomed, address=address, visit=visited,
            client_name=self._name, now_ms=now_ms,
        )  # fmt: skip
