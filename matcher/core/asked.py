"""A manager's request in the making of its reply: who asks, what the board knows, why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from matcher.core.board import INCIDENT_CLOSED, Incident, Order, Unit
from matcher.core.commands import Estimates, ManagerRequest
from matcher.core.draft import Draft
from matcher.core.visibility import SOMEBODY, may_know, may_see
from protocol import request as rq

Reply: TypeAlias = dict[str, object]


class NotDone(Exception):
    """A request that cannot be done: code and sentence for the reply."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Asked:
    """One request with what its decision may read."""

    draft: Draft
    person: str
    expected_revision: int | None
    reason: str | None
    estimates: dict[str, Estimates]
    roles: tuple[str, ...] = ()

    def incident(self, incident_id: str, *, closed: bool = False) -> Incident:
        """An open incident (or with `closed` a closed one) at the revision that was expected."""
        board = self.draft.board
        incident = board.incidents.get(incident_id)
        if incident is None or not may_know(board, incident, self.roles):
            raise NotDone("unknown_incident", f"no incident {incident_id}")
        if (incident.state in INCIDENT_CLOSED) != closed:
            code = "incident_open" if closed else "incident_closed"
            raise NotDone(code, f"{incident_id} is {incident.state}")
        wanted = self.expected_revision
        if wanted is not None and wanted != incident.revision:
            detail = f"{incident_id} is at revision {incident.revision}, not {wanted}"
            by = f"; last changed by {self._by(incident)}" if incident.changed_by else ""
            raise NotDone("revision", detail + by)
        return incident

    def _by(self, incident: Incident) -> str | None:
        """A person, or a crew that moved its SOS; not one that this person does not know of."""
        unit = self.draft.board.units.get(incident.changed_by or "")
        return SOMEBODY if unit and not may_see(unit, self.roles) else incident.changed_by

    def unit(self, unit_id: str) -> Unit:
        unit = self.draft.board.units.get(unit_id)
        if unit is None or not may_see(unit, self.roles):
            raise NotDone("unknown_unit", f"no unit {unit_id}")
        return unit

    def order(self, order_id: str) -> Order:
        order = self.draft.board.orders.get(order_id)
        if order is None or not may_see(self.draft.board.units[order.unit], self.roles):
            raise NotDone("unknown_order", f"no order {order_id}")
        return order

    def estimate(self, incident: Incident) -> Estimates | None:
        return self.estimates.get(incident.incident)

    @classmethod
    def of(
        cls, draft: Draft, request: rq.Common, command: ManagerRequest,
        estimates: dict[str, Estimates],
    ) -> Asked:  # fmt: skip
        return cls(
            draft, command.person, request.expected_revision, request.reason, estimates,
            command.roles,
        )  # fmt: skip


Handler: TypeAlias = Callable[[Asked, Any], Reply]
Handlers: TypeAlias = dict[type[rq.Common], Handler]


def at_revision(incident: Incident) -> Reply:
    """The reply of a request that changed an incident."""
    return {"incident": incident.incident, "revision": incident.revision}
