"""Statistics by command from a journal on disk, and the same ones live beside the engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from matcher import command, views
from matcher.core.board import Board
from matcher.core.districts import Districts
from matcher.core.positions import PositionBook
from matcher.engine import Engine
from matcher.journal.journal import Journal
from matcher.journal.schema import SCHEMA
from matcher.statistics_live import DAY_MS, LiveStatistics, _seq_before
from matcher.statistics_text import columns_of
from protocol import managers
from protocol.figures import PeriodFigures, PeriodReport
from runtime.log import get_log
from runtime.store import Store
from tests.matcher.decided_journal import keep, settings_for
from tests.matcher.fleet import FleetUnderTest

SQUARE = [[117.6, 24.5], [117.7, 24.5], [117.7, 24.6], [117.6, 24.6], [117.6, 24.5]]


def busy_fleet() -> FleetUnderTest:
    """Three incidents: attended within a minute, cancelled by the caller, nobody there."""
    fleet = FleetUnderTest({"a": 10_000, "b": 20_000})
    first = fleet.report(priority=1)
    fleet.attend(fleet.orders(first)[0])
    second = fleet.report(priority=3)
    fleet.wait(2)
    fleet.request({"verb": "cancel", "incident": second.incident, "reason": "caller_cancelled"})
    third = fleet.report(priority=3)
    fleet.wait(2)
    fleet.request({"verb": "cancel", "incident": third.incident, "reason": "false_alarm"})
    return fleet


def districts_file(folder: Path, name: str = "东城") -> Path:
    path = folder / "districts.geojson"
    geometry = {"type": "Polygon", "coordinates": [SQUARE]}
    feature = {"type": "Feature", "properties": {"district": name}, "geometry": geometry}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    keep(tmp_path / "journal.db", busy_fleet().commands)
    path = settings_for(tmp_path, tmp_path / "journal.db")
    with path.open("a") as file:
        file.write(f'districts = "{districts_file(tmp_path)}"\n')
    return path


def ask(capsys: pytest.CaptureFixture[str], config: Path, *words: str) -> str:
    assert command.main(["statistics", *words, "--config", str(config)]) == 0
    return capsys.readouterr().out


def test_the_object(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = PeriodReport.model_validate_json(ask(capsys, config, "--json"))
    fleet = found.fleet
    assert (fleet.incidents, fleet.attended, fleet.unattended) == (3, 1, 1)
    assert fleet.excluded == {"caller_cancelled": 1}
    assert (fleet.within_5min, fleet.within_10min) == (0.5, 0.5)
    assert (fleet.process.n, fleet.turnout.n, fleet.travel.n, fleet.total.n) == (2, 1, 1, 1)
    assert (fleet.turnout.p50_s, fleet.travel.p50_s, fleet.total.p90_s) == (2, 1, 3)
    assert (fleet.arrivals.touch.n, fleet.arrivals.by_desk.n) == (1, 0)
    assert {key: one.incidents for key, one in found.by_priority.items()} == {"1": 1, "3": 2}
    assert list(found.by_district) == ["东城"]
    assert list(found.by_hour) == ["22"]  # 14:13 UTC, eight hours on
    assert found.crew_alerts.shifts == 2
    assert [(one.incident, one.reason) for one in found.excluded_incidents] == [
        ("i-1-2", "caller_cancelled")
    ]
    assert ask(capsys, config, "--json") == ask(capsys, config, "--json")


def test_a_period(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def count(*words: str) -> int:
        found = PeriodReport.model_validate_json(ask(capsys, config, "--json", *words))
        return found.fleet.incidents

    assert count("--from", "2026-09-21T14:13:20Z") == 3
    assert count("--from", "2026-09-21T14:13:22Z") == 2
    assert count("--to", "2026-09-21T14:13:21Z") == 1
    assert count("--from", "2026-09-21T22:13:22+08:00", "--to", "2026-09-21T22:13:26+08:00") == 1


def test_wrong_periods_are_named(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["statistics", "--config", str(config), "--from", "2026-09-22", "--to", "2026-09-21"]
    assert command.main(words) == 1
    assert "--to: is not later than --from" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        command.main(["statistics", "--config", str(config), "--from", "yesterday"])
    assert ended.value.code == 2
    assert "wanted ISO 8601" in capsys.readouterr().err


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("by", ["priority", "district", "hour"])
def test_tables_fit_in_80_columns(
    config: Path, capsys: pytest.CaptureFixture[str], language: str, by: str
) -> None:
    lines = ask(capsys, config, "--by", by, "--lang", language).splitlines()
    assert max(columns_of(line) for line in lines) <= 80
    key = {"priority": "1", "district": "东城", "hour": "22"}[by]
    shares, times = [line.split() for line in lines if line.split()[:1] == [key]]
    if by == "priority":
        assert shares == ["1", "1", "0", "1", "0", "0", "100.0%", "100.0%"]
        assert times[4:7] == ["1", "2.0", "2.0"]
    whole = next(line for line in lines if line.startswith(("all", "全部")))
    assert whole.split()[1:6] == ["3", "0", "1", "1", "1"]
    assert any("caller_cancelled" in line and "i-1-2" in line for line in lines)


def test_an_empty_period_says_so(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no incident in this period" in ask(capsys, config, "--from", "2030-01-01")


def test_a_bad_file_of_districts(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "districts.geojson").write_text("[]")
    assert command.main(["statistics", "--config", str(config)]) == 1
    assert "is no GeoJSON FeatureCollection" in capsys.readouterr().err


# --- live ----------------------------------------------------------------------------------------


class SetClock:
    """UTC that a test sets."""

    def __init__(self, utc_ms: int) -> None:
        self.now_ms = utc_ms

    def utc_ms(self) -> int:
        return self.now_ms

    def monotonic_ms(self) -> int:
        return self.now_ms


def live_in(
    path: Path, now_ms: int, act: Callable[[Engine, LiveStatistics, SetClock], object]
) -> object:
    """An engine on the journal at `path` with its live statistics; what `act` gives."""

    async def run() -> object:
        clock = SetClock(now_ms)
        with Store(path, SCHEMA) as store:
            engine = Engine(Journal(store), PositionBook(), clock)  # type: ignore[arg-type]
            engine._with_estimates = lambda one: one  # type: ignore[method-assign, assignment]
            log = get_log("test", clock)  # type: ignore[arg-type]
            live = LiveStatistics(engine, store, Districts(), 480, log)
            live.begin()
            result = act(engine, live, clock)
            return await result if asyncio.iscoroutine(result) else result

    return asyncio.run(run())


def statistics(engine: Engine, live: LiveStatistics, now_ms: int) -> managers.Statistics:
    payload = views.statistics(engine.board, live, {}, 0, now_ms)
    return managers.decode(managers.Statistics, payload)


def by_hand(board: Board) -> tuple[dict[str, int], list[int]]:
    """Orders by state, and order to on scene, as one pass over the board gives them."""
    states: dict[str, int] = {}
    for order in board.orders.values():
        states[order.state] = states.get(order.state, 0) + 1
    there = [order for order in board.orders.values() if "on_scene" in order.times_ms]
    times = [order.times_ms["on_scene"] - order.issued_ms for order in there]
    return states, times


@pytest.mark.parametrize("read_after", [0, 4, 1_000])
@pytest.mark.parametrize("share_kept", [0.0, 0.3, 0.5, 1.0])
def test_live_follows_every_event_from_wherever_it_began(
    tmp_path: Path, share_kept: float, read_after: int
) -> None:
    """Some commands are in the journal at the start, some come before it was read, some after."""
    fleet = busy_fleet()
    late = fleet.report(priority=3)  # expires and is accepted late: a closed order that moves
    fleet.deliver("a")
    fleet.wait(61)
    fleet.attend(fleet.orders(late)[0])
    fleet.report(priority=1)
    fleet.wait(6)  # not delivered: an alarm
    kept = round(share_kept * len(fleet.commands))
    keep(tmp_path / "journal.db", fleet.commands[:kept])

    async def act(engine: Engine, live: LiveStatistics, clock: SetClock) -> None:
        coming = fleet.commands[kept:]
        for one in coming[:read_after]:
            clock.now_ms = one.now_ms
            await engine.run(one)
        await live.run()
        for one in coming[read_after:]:
            clock.now_ms = one.now_ms
            await engine.run(one)
        found = statistics(engine, live, fleet.now_ms)
        states, times = by_hand(engine.board)
        assert {str(s): n for s, n in found.orders_by_state.items()} == states
        assert live.response.n == len(times) == 2
        assert found.day is not None
        assert (found.day.fleet.incidents, found.day.fleet.attended) == (5, 2)
        assert found.day.by_priority["3"].total.n == 1
        assert found.day.desk_alarms.alarms == len(engine.board.alerts) > 0
        assert found.day.crew_alerts.shifts == 2
        assert found.open_incidents == len(engine.board.open_ids)

    live_in(tmp_path / "journal.db", fleet.commands[max(0, kept - 1)].now_ms, act)


def test_the_day_is_unknown_until_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    fleet = busy_fleet()
    keep(path, fleet.commands)

    def before(engine: Engine, live: LiveStatistics, _: SetClock) -> managers.Statistics:
        return statistics(engine, live, fleet.now_ms)

    found = live_in(path, fleet.now_ms, before)
    assert isinstance(found, managers.Statistics)
    assert found.day is None
    assert sum(found.orders_by_state.values()) == len(fleet.board.orders)


def test_yesterday_goes_as_today_comes(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    fleet = busy_fleet()
    keep(path, fleet.commands)

    async def act(engine: Engine, live: LiveStatistics, clock: SetClock) -> list[int]:
        await live.run()
        counts = []
        for later_ms in (0, DAY_MS - 3_600_000, DAY_MS + 3_600_000):
            clock.now_ms = fleet.now_ms + later_ms
            day = live.day(clock.now_ms)
            assert day is not None
            counts.append(day.fleet.incidents)
        return counts

    assert live_in(path, fleet.now_ms, act) == [3, 3, 0]


def test_a_drone_of_long_ago_attends_nobody_today(tmp_path: Path) -> None:
    """What the fleet's units are stands in the journal before the day that is read."""
    path = tmp_path / "journal.db"
    fleet = FleetUnderTest({"d": 10_000}, kinds={"d": "drone"})
    fleet.now_ms += 2 * DAY_MS
    incident = fleet.report()
    fleet.request({"verb": "assign", "incident": incident.incident, "unit": "d"})
    fleet.attend(fleet.orders(incident)[0])
    keep(path, fleet.commands)

    async def act(_engine: Engine, live: LiveStatistics, _clock: SetClock) -> object:
        await live.run()
        return live.day(fleet.now_ms)

    found = live_in(path, fleet.now_ms, act)
    assert isinstance(found, PeriodFigures)
    assert (found.fleet.incidents, found.fleet.attended, found.fleet.unattended) == (1, 0, 1)


def test_a_start_reads_the_last_day_only(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    fleet = busy_fleet()
    fleet.now_ms += 2 * DAY_MS
    fleet.report(priority=2)
    keep(path, fleet.commands)

    async def act(_engine: Engine, live: LiveStatistics, _clock: SetClock) -> object:
        await live.run()
        return live.day(fleet.now_ms)

    found = live_in(path, fleet.now_ms, act)
    assert isinstance(found, PeriodFigures)
    assert found.fleet.incidents == 1
    with Store(path, SCHEMA) as store:
        last = len(fleet.commands)
        times = [one.now_ms for one in fleet.commands]
        for at_ms in (0, times[0], times[0] + 1, times[-1], times[-1] + 1):
            seq = store.commit_now(lambda db, at_ms=at_ms: _seq_before(db, at_ms))  # type: ignore[misc]
            kept = store.commit_now(
                lambda db, at_ms=at_ms: db.execute(  # type: ignore[misc]
                    "SELECT coalesce(max(seq), 0) FROM tx WHERE at_ms < ?", (at_ms,)
                ).fetchone()[0]
            )
            assert seq == kept <= last


def test_a_full_topic_stays_far_below_the_brokers_limit(tmp_path: Path) -> None:
    """Every hour, priority and district has incidents: the largest message that can be."""
    folder = tmp_path / "big"
    folder.mkdir()
    fleet = FleetUnderTest({"a": 10_000})
    for hour in range(24):
        incident = fleet.report(priority=1 + hour % 4)
        fleet.attend(fleet.orders(incident)[0])
        fleet.wait(3_600)
    keep(folder / "journal.db", fleet.commands)

    async def act(engine: Engine, live: LiveStatistics, _clock: SetClock) -> int:
        await live.run()
        return len(views.statistics(engine.board, live, {}, 0, fleet.now_ms))

    size = live_in(folder / "journal.db", fleet.now_ms, act)
    assert isinstance(size, int)
    assert 5_000 < size < 65_536
