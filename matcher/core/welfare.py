"""Welfare checks: a crew on scene that touches nothing for too long is asked, then the desk told.

Called at the end of each entry, by the desk's own entries, and by the tick.
"""

from __future__ import annotations

from typing import Final

from matcher.core import events as ev
from matcher.core.board import Board, Order, Unit
from matcher.core.draft import Draft
from protocol import dispatch
from protocol import entry as entries
from protocol.order import AnswerMeans, OrderState
from protocol.words import Status

ANSWER_MS: Final = 60_000
LIFE_MS: Final = 600_000
RULE: Final = "rule:welfare"
ALERT: Final = "welfare_check"
CALM: Final = frozenset({"read", "received", "yes", "all_safe", "under_control"})
TEXT: Final = (
    "安全确认:是否平安?触屏任意操作即可答复。 Welfare check: are you all right? Any touch answers."
)


def deadlines_ms(board: Board) -> list[int]:
    """When each crew on scene is to be asked, or the desk told."""
    return [due_ms for unit in board.units.values() if (due_ms := _due_ms(board, unit)) is not None]


def _on_scene(board: Board, unit: Unit) -> Order | None:
    order = board.orders.get(unit.order or "")
    if order is None or order.state != OrderState.ON_SCENE or unit.status == Status.EMERGENCY:
        return None
    return order


def _due_ms(board: Board, unit: Unit) -> int | None:
    order = _on_scene(board, unit)
    if order is None:
        return None
    watch = board.watches.get(unit.unit)
    if watch is not None and watch.order == order.order:
        return None if watch.told else watch.asked_ms + ANSWER_MS
    since_ms = max(order.times_ms[OrderState.ON_SCENE], unit.touched_ms)
    return since_ms + _limit_ms(board, unit, order)


def _limit_ms(board: Board, unit: Unit, order: Order) -> int:
    """As the codebook says for what it is; one officer alone as where there is a weapon."""
    incident, codes = board.incidents[order.incident], board.book.codes
    if unit.officers_now == 1:
        return codes.welfare.weapon_check_s * 1000
    return codes.welfare_s(incident.kind, incident.hazards) * 1000


def heard(draft: Draft, unit_id: str | None, body: entries.Body) -> None:
    """An entry that a person made is a sign of life; what the terminal does by itself is none."""
    match body:
        case entries.OrderAnswer() if body.means != AnswerMeans.TOUCH:
            return
        case entries.OrderAnswer() | entries.MessageAnswer() | entries.StatusChange():
            touched(draft, unit_id, f"unit:{unit_id}")
        case entries.Logon():
            touched(draft, body.unit, f"unit:{body.unit}")
        case _:
            return


def touched(draft: Draft, unit_id: str | None, by: str) -> None:
    """A touch, a word by radio, or a person at the desk who takes care of it."""
    unit = draft.board.units.get(unit_id or "")
    if unit is not None and _on_scene(draft.board, unit) is not None:
        draft.emit(ev.UnitTouched(draft.now_ms, unit.unit, by))


def on_tick(draft: Draft) -> None:
    for _, unit in sorted(draft.board.units.items()):
        due_ms, order = _due_ms(draft.board, unit), _on_scene(draft.board, unit)
        if due_ms is None or order is None or due_ms > draft.now_ms:
            continue
        watch = draft.board.watches.get(unit.unit)
        if watch is None or watch.order != order.order:
            _ask(draft, unit, order)
        else:
            _tell(draft, unit, order, "does not answer a welfare check")


def _ask(draft: Draft, unit: Unit, order: Order) -> None:
    now_ms, message = draft.now_ms, draft.new_id("welfare")
    if not unit.terminals:
        draft.emit(ev.WelfareAsked(now_ms, unit.unit, order.order, ""))
        _tell(draft, unit, order, "has no terminal: ask by radio whether it is well")
        return
    draft.emit(ev.WelfareAsked(now_ms, unit.unit, order.order, message))
    draft.emit(ev.MessageSent(now_ms, message, order.incident, (unit.unit,), RULE, TEXT))
    body = dispatch.Message(message, order.incident, RULE, TEXT, now_ms, now_ms + LIFE_MS)
    draft.send_to_unit(unit.unit, body, now_ms + LIFE_MS)


def _tell(draft: Draft, unit: Unit, order: Order, what: str) -> None:
    draft.emit(ev.WelfareUnanswered(draft.now_ms, unit.unit))
    number = draft.board.incidents[order.incident].number
    draft.alert(
        ALERT, order.order, f"{number}: {unit.unit} {what}",
        unit=unit.unit, incident=order.incident, order=order.order, again=True,
    )  # fmt: skip
