"""The board and the positions as managers read them (protocol/managers.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from matcher.core.board import Alert, Board, Incident, Order, Unit
from matcher.core.estimate import newest_of, shown_of
from matcher.core.positions import LOST_EXTRA_MS, PositionBook, Verified
from matcher.texts import alert_title
from protocol import managers as m
from protocol.instant import iso
from protocol.order import OrderState
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


def incident(board: Board, one: Incident) -> bytes:
    """An incident with the units that have an open order to it."""
    place = one.place
    return m.encode(
        m.IncidentState(
            id=one.incident,
            number=one.number,
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
            plan=m.IncidentPlan(units=one.plan_units, officers=one.plan_officers),
            hazards=one.hazards,
            units=tuple(_unit_on_it(o) for o in board.orders_of(one) if o.is_open),
            times=_times(one),
            revision=one.revision,
            waiting_reason=one.waits,
            disposition=one.disposition,
        )
    )


def _unit_on_it(order: Order) -> m.IncidentUnit:
    eta_s = None if order.eta_ms is None else round(order.eta_ms / 1000)
    return m.IncidentUnit(
        unit=order.unit, order=order.order, state=OrderState(order.state), eta_s=eta_s
    )


def _times(one: Incident) -> m.IncidentTimes:
    known = {state: iso(at_ms) for state, at_ms in one.times_ms.items() if state != "pending"}
    return m.IncidentTimes.model_validate({"reported": iso(one.reported_ms), **known})


def alert(one: Alert, repeats: int) -> bytes:
    """In both languages; the particulars follow the title."""
    english, chinese = alert_title(one.kind)
    return m.encode(
        m.Alert(
            alert=one.alert,
            kind=one.kind,
            raised=iso(one.raised_ms),
            unit=one.unit,
            incident=one.incident,
            order=one.order,
            text=f"{english}: {one.text}"[:400],
            text_zh=f"{chinese}:{one.text}"[:400],
            acknowledged_by=one.acknowledged_by,
            repeats=repeats,
        )
    )


def statistics(board: Board, refused: Mapping[str, int], positions: int, now_ms: int) -> bytes:
    """Counts, and order to on scene of the orders that got there."""
    orders = board.orders.values()
    times_s = sorted(
        (o.times_ms[OrderState.ON_SCENE] - o.issued_ms) / 1000
        for o in orders
        if OrderState.ON_SCENE in o.times_ms
    )
    return m.encode(
        m.Statistics(
            time=iso(now_ms),
            open_incidents=len(board.open_incidents()),
            units_by_status=dict(Counter(Status(u.status).word for u in board.units.values())),
            orders_by_state=dict(Counter(OrderState(o.state) for o in orders)),
            refused={Reason(reason): count for reason, count in refused.items()},
            positions=positions,
            response_s=m.ResponseTimes(p50=_share(times_s, 0.5), p90=_share(times_s, 0.9)),
        )
    )


def _share(ordered: list[float], share: float) -> float | None:
    """Nearest-rank percentile."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
