"""A fleet of the tests: real core, made-up travel times, terminals that answer when told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from matcher.core import events as ev
from matcher.core.board import Board, Incident, Order
from matcher.core.commands import (
    Begin,
    Command,
    EntryCame,
    Estimates,
    ManagerRequest,
    TakeIdentities,
    Tick,
)
from matcher.core.decide import decide, needs, wants_place
from protocol import dispatch
from protocol import entry as entries
from protocol import request as rq
from protocol.order import Answer, AnswerMeans

START_MS = 1_790_000_000_000
DESK = b"d" * 16


def enrolment_of(unit: str) -> bytes:
    return unit.encode().ljust(16, b".")


@dataclass
class FleetUnderTest:
    """`eta_ms` per unit holds for every incident; a unit without one has no position."""

    eta_ms: dict[str, int]
    officers: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    bands: dict[str, str] = field(default_factory=dict)
    capabilities: dict[str, tuple[str, ...]] = field(default_factory=dict)
    mode: str = "auto"
    now_ms: int = START_MS
    board: Board = field(default_factory=Board)
    commands: list[Command] = field(default_factory=list)
    events: list[ev.Event] = field(default_factory=list)
    entry_n: dict[str, int] = field(default_factory=dict)
    more_terminals: dict[str, str] = field(default_factory=dict)  # terminal -> unit, by hand
    places: dict[str, entries.Here] = field(default_factory=dict)  # terminal -> where it is
    requests: int = 0
    roles: tuple[str, ...] = ()  # of the person who asks

    def __post_init__(self) -> None:
        units = tuple(
            ev.UnitSpec(
                u, self.kinds.get(u, "car"), self.officers.get(u, 2), self.capabilities.get(u, ())
            )
            for u in sorted(self.eta_ms)
        )
        devices = sorted([*self.eta_ms, *self.more_terminals])
        terminals = tuple((enrolment_of(u), f"t-{u}") for u in devices)
        self.do(Begin(self.now_ms, self.mode, units))
        self.do(TakeIdentities(self.now_ms, 1, b"i" * 32, terminals))
        for unit in sorted(self.eta_ms):
            crew = tuple(f"{unit}-{i}" for i in range(self.officers.get(unit, 2)))
            for device in (unit, *(d for d, u in self.more_terminals.items() if u == unit)):
                self.entry(device, entries.Logon(1, unit, None, crew, None, ()))

    def do(self, command: Command) -> list[ev.Event]:
        if isinstance(command, EntryCame) and wants_place(command):
            command = replace(command, here=self.places.get(command.device.removeprefix("t-")))
        if isinstance(command, ManagerRequest | EntryCame | Tick):
            wanted = needs(self.board, command)
            command = replace(command, estimates=tuple(self._estimate(i) for i, _, _ in wanted))
        found = decide(self.board, command)
        self.commands.append(command)
        self.events += found
        return found

    def _estimate(self, incident: str) -> Estimates:
        candidates = tuple(
            ev.Candidate(u, ms, ms // 100, 500, self.bands.get(u, "live"))
            for u, ms in sorted(self.eta_ms.items())
        )
        return Estimates(incident, candidates, (), ())

    # --- what people and terminals do ---------------------------------------------------------

    def request(self, request: dict[str, object]) -> rq.Reply:
        self.requests += 1
        payload = rq.encode(
            rq.REQUEST.validate_python(
                {
                    "request_id": f"request-{self.requests}",
                    "issued_ms": self.now_ms,
                    "expires_ms": self.now_ms + 30_000,
                    **request,
                }
            )
        )
        self.do(ManagerRequest(self.now_ms, DESK, "d01", "person 7", payload, (), self.roles))
        done = self.board.requests[DESK, f"request-{self.requests}"]
        return rq.decode_reply(done.reply)

    def report(
        self, priority: int = 1, units: int = 1, officers: int = 1, exercise: int = False,
        **plan: object,
    ) -> Incident:  # fmt: skip
        reply = self.request(
            {
                "verb": "report", "kind": "theft", "priority": priority, "exercise": bool(exercise),
                "place": {"lat": 24.513, "lon": 117.647},
                "plan": {
                    "units": units, "officers": officers, "capabilities": (), "alert": False,
                    **plan,
                },
            }
        )  # fmt: skip
        assert reply.incident is not None
        return self.board.incidents[reply.incident]

    def entry(self, unit: str, body: entries.Body) -> list[ev.Event]:
        return self.entry_dated(unit, body, self.now_ms)

    def entry_dated(
        self, unit: str, body: entries.Body, said_ms: int, trust: int = 3
    ) -> list[ev.Event]:
        """`said_ms`: the terminal's time, believed as far as `trust` says."""
        n = self.entry_n[unit] = self.entry_n.get(unit, 0) + 1
        data = entries.encode(entries.Entry(said_ms, trust, 1, 1000 * n, 1, body))
        return self.do(EntryCame(self.now_ms, enrolment_of(unit), f"t-{unit}", n, data, ()))

    def deliver(self, unit: str) -> None:
        """The terminal keeps everything that is on its way to it."""
        for waiting in tuple(self.board.outbound.get(enrolment_of(unit), ())):
            body = dispatch.decode(waiting.message).body
            order = getattr(body, "order", None)
            revision = body.revision if isinstance(body, dispatch.Order) else None
            self.entry(
                unit,
                entries.Delivered(waiting.term, waiting.counter, order, revision, "shown"),
            )

    def answer(
        self, order: Order, answer: Answer, disposition: str | None = None, at: str | None = None
    ) -> None:
        """At the unit's own terminal, or `at` another of its terminals."""
        self.entry(
            at or order.unit,
            entries.OrderAnswer(
                order.order, order.revision, int(answer), int(AnswerMeans.TOUCH), None,
                disposition, None,
            ),
        )  # fmt: skip

    def answer_by_name(self, order: Order, answer: str) -> None:
        self.answer(order, Answer.from_word(answer))

    def take_off(self, unit: str) -> None:
        """Its crew logs off at its own terminal."""
        self.entry(unit, entries.Logoff(1, None))

    def by_voice(self, order: Order, answer: str, **more: object) -> rq.Reply:
        """What the crew said by radio, entered by the desk."""
        return self.request({"verb": "answer", "order": order.order, "answer": answer, **more})

    def attend(self, order: Order) -> None:
        """From delivery to clear, without a hitch."""
        self.deliver(order.unit)
        for step in (Answer.ACCEPT, Answer.EN_ROUTE, Answer.ON_SCENE, Answer.CLEAR):
            self.wait(1)
            self.answer(order, step, "handled" if step is Answer.CLEAR else None)

    def wait(self, seconds: float) -> list[ev.Event]:
        self.now_ms += round(seconds * 1000)
        return self.do(Tick(self.now_ms, ()))

    def restart(self) -> None:
        units = tuple(
            ev.UnitSpec(u.unit, u.kind, u.officers, u.capabilities)
            for _, u in sorted(self.board.units.items())
        )
        self.do(Begin(self.now_ms, self.mode, units))

    # --- what one looks at --------------------------------------------------------------------

    def orders(self, incident: Incident) -> list[Order]:
        return self.board.orders_of(incident)

    def bodies_for(self, unit: str) -> list[dispatch.Body]:
        waiting = self.board.outbound.get(enrolment_of(unit), [])
        return [dispatch.decode(m.message).body for m in waiting]

    def alert_kinds(self) -> list[str]:
        return [alert.kind for alert in self.board.alerts.values()]
