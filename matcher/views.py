"""The board and the positions as managers read them (protocol/managers.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from matcher.core.board import Alert, Board, Incident, Order, Unit
from matcher.core.estimate import newest_of, shown_of
from matcher.core.events import Candidate
from matcher.core.exercise import marked
from matcher.core.positions import LOST_EXTRA_MS, PositionBook, Verified
from matcher.core.sos_desk import state_of
from matcher.core.visibility import (
    hidden_units,
    is_for,
    is_hidden,
    is_open,
    shown_orders,
    waiting_reason,
)
from matcher.statistics_live import LiveStatistics
from matcher.texts import alert_title
from protocol import managers as m
from protocol.codebook_model import Codebook
from protocol.instant import iso
from protocol.order import OrderKind, OrderState
from protocol.refusal import Reason
from protocol.words import Freshness, Status, UnitKind, bits_to_flags

_FIX_WORDS = ("none", "2d", "3d")
EXPIRY_UNKNOWN_S = 300
MOVING_CM_S = 100
REPORT_BOUND_M = 15.0  # the terminals' setting `report.bound_m`


def freshness(unit: Unit, book: PositionBook, now_ms: int) -> Freshness:
    """Of the position that is shown; lost where there is none."""
    shown = shown_of(unit, book)
    return Freshness.LOST if shown is None else shown.freshness(now_ms)


def is_moving(unit: Unit, book: PositionBook) -> bool:
    """Whether its predicted place changes by the second."""
    newest = newest_of(unit, book)
    return newest is not None and (newest.position.speed_cm_s or 0) >= MOVING_CM_S


def unit(board: Board, one: Unit, book: PositionBook, now_ms: int) -> tuple[bytes, int]:
    """(GeoJSON, seconds after which the retained message may vanish)."""
    shown, newest = shown_of(one, book), newest_of(one, book)
    order = board.orders.get(one.order or "")
    properties = m.UnitProperties.model_validate(
        {
            "unit": one.unit,
            "kind": UnitKind(one.kind),
            "status": Status(one.status).word,
            "freshness": freshness(one, book, now_ms),
            "logon": one.logon,
            "incident": order.incident if order else None,
            "order": one.order,
            "hold": one.hold,
            **(_position(shown, now_ms) if shown else {}),
            "fix": _FIX_WORDS[newest.position.fix_kind] if newest else "none",
        }
    )
    geometry = _point(shown) if shown else None
    feature = m.UnitFeature(id=one.unit, geometry=geometry, properties=properties)
    lost_s = 2 * shown.position.next_s + LOST_EXTRA_MS // 1000 if shown else 0
    return m.encode(feature), max(EXPIRY_UNKNOWN_S, lost_s)


def _point(newest: Verified) -> m.PointGeometry | None:
    p = newest.position
    if p.lat_e7 is None or p.lon_e7 is None:
        return None
    return m.PointGeometry(coordinates=(p.lon_e7 / 1e7, p.lat_e7 / 1e7))


def _position(newest: Verified, now_ms: int) -> dict[str, object]:
    p, here = newest.position, newest.place_at(now_ms)
    return {
        "position_time": iso(p.time_ms),
        "received_time": iso(newest.received_ms),
        "next_s": p.next_s,
        "age_s": newest.age_ms(now_ms) / 1000,
        "predicted": None if here is None else (round(here[1], 7), round(here[0], 7)),
        "bound_m": REPORT_BOUND_M,
        "accuracy_m": p.accuracy_m,
        "sog_mps": None if p.speed_cm_s is None else p.speed_cm_s / 100,
        "cog_deg": None if p.course_ddeg is None else p.course_ddeg / 10,
        "flags": bits_to_flags(p.flags),
        "terminal": newest.device,
    }


def incident(board: Board, one: Incident, group: str = "") -> bytes:
    """An incident with the units that have an open order to it, as its audience knows them."""
    place = one.place
    named = [c for c in one.recommended if is_for(board.units[c.unit], group)]
    return m.encode(
        m.IncidentState(
            id=one.incident,
            number=one.number,
            long_number=one.long_number or None,
            kind=one.kind,
            priority=one.priority,
            state=one.state,  # type: ignore[arg-type]  # the same words
            place=m.IncidentPlace(
                lat=place.lat_e7 / 1e7,
                lon=place.lon_e7 / 1e7,
                datum=place.datum,  # type: ignore[arg-type]  # checked when reported
                source=place.source,
                accuracy_m=place.accuracy_m,
                text=place.text,
            ),
            plan=m.IncidentPlan(
                units=one.plan_units,
                officers=one.plan_officers,
                capabilities=one.capabilities,
                staging_m=one.staging_m,
            ),
            hazards=one.hazards,
            units=tuple(_unit_on_it(o) for o in shown_orders(board, one, group)),
            times=_times(one),
            revision=one.revision,
            waiting_reason=waiting_reason(board, one, group),
            recommended=tuple(_recommended(c, at) for at, c in enumerate(named, 1)),
            sends_at=None if one.due_ms is None else iso(one.due_ms),
            rule_stopped=one.stopped,
            disposition=one.disposition,
            exercise=one.exercise,
            referred_to=one.referred_to,
            sos=_sos(board, one, group),
        )
    )


def _sos(board: Board, one: Incident, group: str) -> m.IncidentSos | None:
    found = board.sos.get(one.incident)
    if found is None:
        return None
    hidden, said = hidden_units(board, group), found.false_alarm_by
    return m.IncidentSos(
        state=state_of(board, found),  # type: ignore[arg-type]  # the same words
        units=tuple(u for u in found.units if u not in hidden),
        silent=found.silent,
        acknowledged_by=found.acknowledged_by,
        false_alarm_by=None if said in hidden else said,
    )


def _unit_on_it(order: Order) -> m.IncidentUnit:
    eta_s = None if order.eta_ms is None else round(order.eta_ms / 1000)
    return m.IncidentUnit(
        unit=order.unit, order=order.order, kind=OrderKind(order.kind),
        state=OrderState(order.state), eta_s=eta_s, attached=order.attached,
    )  # fmt: skip


def _recommended(candidate: Candidate, place: int) -> m.Recommended:
    """`place`: 1 is the nearest of those that can be sent."""
    eta_s, age_s = round(candidate.eta_ms / 1000), round(candidate.age_ms / 1000)
    return m.Recommended(
        unit=candidate.unit,
        eta_s=eta_s,
        why=f"no. {place} by travel time: {eta_s} s, {candidate.distance_m} m;"
        f" position {age_s} s old",
        why_zh=f"行程时间第 {place}:{eta_s} 秒,{candidate.distance_m} 米;位置 {age_s} 秒前",
    )


def _times(one: Incident) -> m.IncidentTimes:
    known = {state: iso(at_ms) for state, at_ms in one.times_ms.items() if state != "pending"}
    return m.IncidentTimes.model_validate({"reported": iso(one.reported_ms), **known})


def alert(one: Alert, repeats: int, codes: Codebook) -> bytes:
    """In both languages; the particulars follow the title."""
    english, chinese = alert_title(codes, one.kind)
    return m.encode(
        m.Alert(
            alert=one.alert,
            kind=one.kind,
            raised=iso(one.raised_ms),
            unit=one.unit,
            incident=one.incident,
            order=one.order,
            text=marked(f"{english}: {one.text}", exercise=one.exercise)[:400],
            text_zh=marked(f"{chinese}:{one.text}", exercise=one.exercise)[:400],
            acknowledged_by=one.acknowledged_by,
            repeats=repeats,
        )
    )


def statistics(
    board: Board, live: LiveStatistics, refused: Mapping[str, int], positions: int, now_ms: int
) -> bytes:
    """What is, what was since the journal's beginning, and the last day; open to all only."""
    shown = [unit for unit in board.units.values() if is_open(unit)]
    p50_ms, p90_ms = live.response.percentile_ms(50), live.response.percentile_ms(90)
    return m.encode(
        m.Statistics(
            time=iso(now_ms),
            open_incidents=sum(not is_hidden(board, board.incidents[i]) for i in board.open_ids),
            units_by_status=dict(Counter(Status(u.status).word for u in shown)),
            orders_by_state={OrderState(s): n for s, n in live.orders_by_state.items() if n},
            refused={Reason(reason): count for reason, count in refused.items()},
            positions=positions,
            response_s=m.ResponseTimes(p50=_seconds(p50_ms), p90=_seconds(p90_ms)),
            day=live.day(now_ms),
        )
    )


def _seconds(duration_ms: int | None) -> float | None:
    return None if duration_ms is None else duration_ms / 1000
