"""Facts to findings: each boundary from both sides, without the fault itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core.fix import Fix, FixKind
from doctor.core.broker import Stage, Visit, judge_agent_link, judge_visit
from doctor.core.clock import ClockFacts, judge_clock
from doctor.core.dates import Life, judge_dates
from doctor.core.disk import MIB, DiskFacts, judge_disk
from doctor.core.finding import DAY_MS, Level, span
from doctor.core.gnss import Heard, judge_agent_fix, judge_heard
from doctor.core.port import PortFacts, judge_port

NOW_MS = 1_795_000_000_000
MINUTE_MS = 60_000
FIX = Fix(
    epoch_ms=NOW_MS, time_of_day_ms=0, lat_deg=24.5, lon_deg=117.6, alt_m=None, sog_mps=0.0,
    cog_deg=None, kind=FixKind.FIX_3D, satellites=9, hdop=0.9,
)  # fmt: skip
HEARD = Heard(
    source="/dev/x", bytes_in=500, sentences=9, baud=9600, configured_baud=9600, fix=FIX
)  # fmt: skip
PORT = PortFacts(
    path="/dev/x", user="u", is_there=True, is_serial=True, may_use=True,
    rights="root:dialout 0660", group="dialout",
)  # fmt: skip
DISK = DiskFacts(
    folder="/d", user="u", is_there=True, may_write=True, is_read_only=False,
    free_bytes=500 * MIB, total_bytes=1000 * MIB, free_files=9,
)  # fmt: skip
LIFE = Life("certificate", NOW_MS - 10 * DAY_MS, NOW_MS + 20 * DAY_MS)


@pytest.mark.parametrize(
    ("change", "level", "word"),
    [
        ({}, Level.OK, "holds for 20 days"),
        ({"not_after_ms": NOW_MS + 7 * DAY_MS}, Level.OK, "7 days"),
        ({"not_after_ms": NOW_MS + 7 * DAY_MS - 1}, Level.WARN, "about to expire"),
        ({"not_before_ms": NOW_MS - 100 * DAY_MS}, Level.WARN, "about to expire"),  # a sixth left
        ({"not_after_ms": NOW_MS}, Level.FAULT, "has expired"),
        ({"not_before_ms": NOW_MS + 1}, Level.FAULT, "holds only from"),
    ],
    ids=["good", "week", "less", "share", "over", "early"],
)
def test_dates(change: dict[str, int], level: Level, word: str) -> None:
    found = judge_dates("certificate", replace(LIFE, **change), NOW_MS, "renew it")  # type: ignore[arg-type]
    assert (found.level, word in found.found) == (level, True), found
    assert bool(found.remedy) == (level is not Level.OK)


@pytest.mark.parametrize(
    ("apart_ms", "is_synchronised", "level"),
    [
        (2_000, False, Level.OK), (-2_000, True, Level.OK), (2_001, False, Level.WARN),
        (-10_000, False, Level.WARN), (10_001, False, Level.FAULT), (-10_001, True, Level.FAULT),
    ],
    ids=["2s", "-2s", "2.001s", "-10s", "10.001s", "-10.001s"],
)  # fmt: skip
def test_clock_beside_gnss(apart_ms: int, is_synchronised: bool, level: Level) -> None:
    found = judge_clock(ClockFacts(NOW_MS, is_synchronised, 0, NOW_MS - apart_ms))
    assert found.level is level
    assert ("third clock" in found.remedy) == (level is Level.FAULT and is_synchronised)


def test_clock_alone() -> None:
    assert judge_clock(ClockFacts(NOW_MS, True, NOW_MS, None)).level is Level.OK
    assert judge_clock(ClockFacts(NOW_MS, False, 0, None)).level is Level.WARN
    assert judge_clock(ClockFacts(NOW_MS, True, NOW_MS + 1, None)).level is Level.FAULT


def test_dates_are_held_against_the_best_time() -> None:
    assert ClockFacts(5, False, 3, None).best_ms == 5
    assert ClockFacts(5, True, 3, 9).best_ms == 9
    assert ClockFacts(5, True, 12, 9).best_ms == 12


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        ({}, Level.OK, ("3d fix", "9 satellites")),
        ({"lost": "gone"}, Level.FAULT, ("not heard", "port first")),
        ({"bytes_in": 0, "sentences": 0, "fix": None}, Level.FAULT, ("silent", "TX")),
        ({"sentences": 0, "fix": None}, Level.FAULT, ("500 bytes", "NMEA 0183")),
        ({"fix": None, "in_view": 11}, Level.FAULT, ("no fix", "11 satellites in view", "antenna")),
        ({"fix": replace(FIX, kind=FixKind.NONE, satellites=0)}, Level.FAULT, ("no fix", "no sat")),
        ({"baud": 38400}, Level.WARN, ("wrong baud", "38400", "9600", "baud = 38400")),
    ],
    ids=["good", "lost", "silent", "noise", "view", "none", "baud"],
)
def test_receiver(change: dict[str, object], level: Level, words: tuple[str, ...]) -> None:
    found = judge_heard("gnss", replace(HEARD, **change))  # type: ignore[arg-type]
    assert found.level is level
    for word in words:
        assert word in f"{found.found} -> {found.remedy}"


STATE = {"fix": "3d", "satellites": 9, "age_ms": 200, "flags": []}


@pytest.mark.parametrize(
    ("change", "level", "word"),
    [
        ({}, Level.OK, "3d fix"),
        ({"age_ms": 4001}, Level.FAULT, "no sentences"),
        ({"fix": "none", "satellites": None}, Level.FAULT, "no fix"),
        ({"fix": "none", "flags": ["unplugged"]}, Level.FAULT, "lost the receiver"),
        ({"flags": ["jump"]}, Level.WARN, "doubted: jump"),
        ({"flags": ["rollover"]}, Level.OK, "3d fix"),
    ],
    ids=["good", "silent", "none", "unplugged", "jump", "rollover"],
)
def test_what_the_agent_hears(change: dict[str, object], level: Level, word: str) -> None:
    found = judge_agent_fix("gnss", STATE | change, 4000)
    assert (found.level, word in found.found) == (level, True), found


def test_an_agent_that_has_heard_nothing_yet() -> None:
    assert judge_agent_fix("gnss", None, 4000).level is Level.FAULT


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        ({}, Level.OK, ("/dev/x",)),
        ({"is_there": False}, Level.FAULT, ("no serial port is there at all", "cable")),
        ({"is_there": False, "others": ("/dev/y",)}, Level.FAULT, ("there are: /dev/y", "these")),
        ({"is_serial": False}, Level.FAULT, ("no serial port",)),
        ({"may_use": False}, Level.FAULT, ("no permission", "adduser u dialout")),
        ({"may_use": False, "group": "root"}, Level.FAULT, ("60-outrider.rules",)),
        ({"holder": "gpsd (process 8)"}, Level.FAULT, ("held by gpsd", "disable")),
    ],
    ids=["good", "missing", "others", "file", "closed", "root", "held"],
)
def test_port(change: dict[str, object], level: Level, words: tuple[str, ...]) -> None:
    found = judge_port("port", replace(PORT, **change))  # type: ignore[arg-type]
    assert found.level is level
    for word in words:
        assert word in f"{found.found} -> {found.remedy}"


@pytest.mark.parametrize(
    ("change", "level", "word"),
    [
        ({}, Level.OK, "500 MiB free"),
        ({"free_files": None}, Level.OK, "free"),
        ({"free_bytes": 100 * MIB}, Level.OK, "free"),
        ({"free_bytes": 100 * MIB - 1}, Level.WARN, "getting full"),
        ({"free_bytes": 20 * MIB - 1}, Level.FAULT, "nearly full"),
        ({"free_files": 0}, Level.FAULT, "no further file"),
        ({"is_read_only": True}, Level.FAULT, "read-only"),
        ({"may_write": False}, Level.FAULT, "may not write"),
        ({"is_there": False}, Level.FAULT, "is not there"),
    ],
    ids=["good", "uncounted", "100", "99", "19", "inodes", "readonly", "closed", "missing"],
)
def test_disk(change: dict[str, object], level: Level, word: str) -> None:
    found = judge_disk("disk", replace(DISK, **change))  # type: ignore[arg-type]
    assert (found.level, word in found.found) == (level, True), found


VISIT = Visit(address="h:8883", stage=Stage.DONE, server=LIFE, asked=3)


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        ({}, Level.OK, ("let in and may publish",)),
        ({"has_session": False}, Level.OK, ("daemon's own",)),
        ({"asked": 0}, Level.WARN, ("rights are not shown",)),
        ({"stage": Stage.NAME}, Level.FAULT, ("name not found", "name server")),
        ({"stage": Stage.REACH, "detail": "connection refused"}, Level.FAULT, ("start mosquitto",)),
        ({"stage": Stage.REACH, "detail": "no route"}, Level.FAULT, ("unreachable", "modem")),
        ({"stage": Stage.TLS, "detail": "wrong version number"}, Level.FAULT, ("no TLS", "8883")),
        ({"stage": Stage.SERVER, "detail": "Hostname mismatch"}, Level.FAULT, ("another name",)),
        ({"stage": Stage.SERVER, "detail": "self-signed"}, Level.FAULT, ("not of our root",)),
        ({"stage": Stage.CLIENT, "detail": "alert certificate revoked"}, Level.FAULT, ("revoked",)),
        ({"stage": Stage.CLIENT, "detail": "certificate expired"}, Level.FAULT, ("crl.pem",)),
        ({"stage": Stage.CLIENT, "detail": "alert unknown ca"}, Level.FAULT, ("root of east.c",)),
        ({"stage": Stage.SESSION, "reason": 0x87}, Level.FAULT, ("not authorised", "acl")),
        ({"stage": Stage.SESSION, "reason": 0x89}, Level.FAULT, ("0x89", "log")),
        ({"stage": Stage.RIGHTS, "refused": ("a/position",)}, Level.FAULT, ("on position", "acl")),
        ({"server": Life("broker's", 0, NOW_MS - 1)}, Level.FAULT, ("expired",)),
        ({"server": Life("broker's", 0, NOW_MS + DAY_MS)}, Level.WARN, ("about to expire",)),
        ({"stage": Stage.RIGHTS, "refused": ("a/b",), "server": Life("broker's", 0, NOW_MS + 9)},
         Level.FAULT, ("not authorised",)),
    ],
    ids=[
        "good", "tls", "qos", "name", "refused", "route", "plain", "host", "root", "revoked",
        "expired", "ca", "connack", "busy", "rights", "server-over", "server-soon", "worst",
    ],
)  # fmt: skip
def test_visit(change: dict[str, object], level: Level, words: tuple[str, ...]) -> None:
    found = judge_visit(replace(VISIT, **change), "east.c", NOW_MS)  # type: ignore[arg-type]
    assert found.level is level, found
    for word in words:
        assert word in f"{found.found} -> {found.remedy}", found
    assert bool(found.remedy) == (level is not Level.OK)


@pytest.mark.parametrize(
    ("is_up", "welcomed", "visit", "level", "word"),
    [
        (True, True, None, Level.OK, "has answered"),
        (True, False, None, Level.FAULT, "does not answer"),
        (False, False, VISIT, Level.FAULT, "session does not stand"),
        (False, False, replace(VISIT, stage=Stage.REACH), Level.FAULT, "unreachable"),
    ],
    ids=["well", "deaf", "session", "down"],
)
def test_the_agents_own_link(
    is_up: bool, welcomed: bool, visit: Visit | None, level: Level, word: str
) -> None:
    found = judge_agent_link(
        is_up=is_up, welcomed=welcomed, address="h:1", visit=visit, client_name="c", now_ms=NOW_MS
    )
    assert (found.level, word in found.found) == (level, True)


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [(0, "0.0 s"), (-4_240, "4.2 s"), (119_000, "119 s"), (2 * MINUTE_MS, "2.0 min"),
     (7_200_000, "2.0 h"), (172_800_000, "2 days")],
    ids=["0", "4", "119", "2min", "2h", "2d"],
)  # fmt: skip
def test_spans_for_people(duration_ms: int, text: str) -> None:
    assert span(duration_ms) == text
