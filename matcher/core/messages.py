"""Messages to crews: to a unit or to all on an incident; shown, read, answered by a code."""

from __future__ import annotations

from typing import Final

from matcher.core import events as ev
from matcher.core import welfare
from matcher.core.asked import Asked, NotDone, Reply
from matcher.core.board import Unit
from matcher.core.draft import Draft
from matcher.core.exercise import marked
from protocol import dispatch
from protocol import entry as entries
from protocol import request as rq

LIFE_MS: Final = 3_600_000
READ: Final = "read"


def send(asked: Asked, request: rq.SendMessage) -> Reply:
    draft = asked.draft
    units = _to(asked, request)
    reached = [unit for unit in units if draft.board.units[unit].terminals]
    if not reached:
        raise NotDone("not_logged_on", "no terminal is logged on there; call by radio")
    message, text = draft.new_id("message"), _marked(asked, request, reached)
    draft.emit(
        ev.MessageSent(draft.now_ms, message, request.incident, tuple(reached), asked.person, text)
    )
    expires_ms = draft.now_ms + LIFE_MS
    body = dispatch.Message(message, request.incident, asked.person, text, draft.now_ms, expires_ms)
    for unit in reached:
        draft.send_to_unit(unit, body, expires_ms)
    reply: Reply = {"message": message}
    if request.incident is not None:
        reply["incident"] = request.incident
    return reply


def _to(asked: Asked, request: rq.SendMessage) -> list[str]:
    if request.unit is not None:
        return [asked.unit(request.unit).unit]
    incident = asked.incident(request.incident or "")
    return sorted({order.unit for order in asked.draft.board.open_orders_of(incident)})


def _marked(asked: Asked, request: rq.SendMessage, units: list[str]) -> str:
    """What is said within an exercise says so."""
    board = asked.draft.board
    incident = board.incidents.get(request.incident or "")
    played = incident.exercise if incident is not None else board.units[units[0]].exercise
    return marked(request.text, exercise=played)


def on_shown(draft: Draft, message: dispatch.Message, unit: str) -> None:
    draft.emit(ev.MessageShown(draft.now_ms, message.message, unit))


def on_answer(draft: Draft, unit: Unit, body: entries.MessageAnswer) -> None:
    """A code other than `read` is the crew's answer: the desk hears it."""
    note = draft.board.messages.get(body.message)
    if note is None or note.states.get(unit.unit) in (None, body.code):
        return
    draft.emit(ev.MessageAnswered(draft.now_ms, body.message, unit.unit, body.code))
    if body.code != READ and not (note.by == welfare.RULE and body.code in welfare.CALM):
        draft.alert(
            "crew_reply", f"{body.message}-{unit.unit}", f"{unit.unit}: {body.code} ({note.text})",
            unit=unit.unit, incident=note.incident, again=True,
        )  # fmt: skip
