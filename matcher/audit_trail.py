"""Who was bound to what at each moment of the journal: orders, terminals, crews, alerts.

Called by audit.py for each event, before it is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from matcher.core import events as ev


@dataclass(slots=True)
class Trail:
    """What ids stand for, as of the event at hand."""

    unit_of_order: dict[str, str] = field(default_factory=dict)
    incident_of_order: dict[str, str] = field(default_factory=dict)
    unit_of: dict[bytes, str] = field(default_factory=dict)  # by enrolment, while logged on
    device_of: dict[bytes, str] = field(default_factory=dict)
    crew_of: dict[str, frozenset[str]] = field(default_factory=dict)  # while logged on
    about: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)  # by alert
    messages: dict[tuple[bytes, int, int], tuple[str, str | None, str | None]] = field(
        default_factory=dict
    )  # those on their way: what, incident, unit

    def follow(self, event: ev.Event) -> None:
        """Called before an event is told."""
        match event:
            case ev.IdentitiesTaken():
                self.device_of.update(event.terminals)
                active = dict(event.terminals)
                for enrolment in [known for known in self.unit_of if known not in active]:
                    self.leave(enrolment)
            case ev.LoggedOn():
                self.leave(event.enrolment)
                self.device_of[event.enrolment] = event.device
                self.unit_of[event.enrolment] = event.unit
                self.crew_of[event.unit] = frozenset(event.crew)
            case ev.OrderIssued():
                self.unit_of_order[event.order] = event.unit
                self.incident_of_order[event.order] = event.incident
            case ev.AlertRaised():
                self.about[event.alert] = (event.unit, event.incident)
            case _:
                return

    def leave(self, enrolment: bytes) -> None:
        """A terminal is off; the crew with the unit's last one."""
        unit = self.unit_of.pop(enrolment, None)
        if unit is not None and unit not in self.unit_of.values():
            self.crew_of.pop(unit, None)
