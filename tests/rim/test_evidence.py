"""An order through real processes, then its evidence: made by command beside the running matcher,
checked by command with nothing but the file and the root.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.authority.fleet import Fleet, real_now_ms
from tests.rim.daemon import outrider, run
from tests.rim.terminal import PLACE
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-evidence"), pytest.mark.timeout(120)]

AT_611 = (PLACE[0] - 0.001, PLACE[1])
GPX = {"g": "http://www.topografix.com/GPX/1/1"}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World("611", "612") as world:
        world.start()
        world.log_on()
        yield world


@pytest.fixture(scope="module")
def order(world: World) -> str:
    """One order from the report to clear."""
    incident = world.desk.report(AT_611)
    order = world.desk.order(incident, "611", "delivered")
    crew = world.crew("611")
    crew.answer(order, "accept")
    crew.order(order, "confirmed", "held")
    for word in ("en-route", "on-scene"):
        crew.answer(order, word)
    crew.answer(order, "clear", disposition="handled")
    crew.order(order, "cleared")
    world.desk.incident(incident, "cleared")
    return order


@pytest.fixture(scope="module")
def exported(world: World, order: str) -> Path:
    """The sealed file; the matcher runs all the while."""
    return export(world, "--order", order)


def export(world: World, *words: str, form: str = "cbor") -> Path:
    out = world.folder / f"evidence-{len(words)}.{form}"
    options = ("--out", out, "--format", form, "--reason", "test", "--config", world.matcher_config)
    done = run(outrider("evidence", "export", *words, *options))
    assert (done.returncode, done.stdout) == (0, ""), done
    assert "verified whole" in done.stderr
    return out


def verify(file: Path, *words: str | Path) -> tuple[int, dict[str, Any]]:
    done = run(outrider("evidence", "verify", file, "--json", *words))
    assert "Traceback" not in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def test_a_stranger_with_the_root_finds_it_whole(world: World, exported: Path) -> None:
    code, found = verify(exported, "--trust", world.fleet.centre / "root.pem")
    assert (code, found["whole"], found["anchored"], found["first_fault"]) == (0, True, True, None)
    assert found["held_whole"] >= 6
    assert found["erased"] == found["missing"] == 0


def test_without_a_root_nothing_is_anchored(exported: Path) -> None:
    code, found = verify(exported)
    assert (code, found["whole"], found["anchored"]) == (0, True, False)


def test_with_another_root_it_fails(exported: Path, tmp_path: Path) -> None:
    other = Fleet(tmp_path, real_now_ms())
    code, found = verify(exported, "--trust", other.centre / "root.pem")
    assert (code, found["whole"], found["anchored"]) == (1, False, False)
    assert found["first_fault"]["part"] == "certificate"


def test_changed_cut_and_empty_files_are_altered(exported: Path, tmp_path: Path) -> None:
    data = exported.read_bytes()
    changed = bytearray(data)
    changed[len(data) // 2] ^= 4
    for name, content in (("changed", bytes(changed)), ("cut", data[:-1]), ("empty", b"")):
        path = tmp_path / name
        path.write_bytes(content)
        code, found = verify(path)
        assert (code, found["whole"]) == (1, False), name
        assert found["first_fault"]["reason"]


def test_it_holds_the_order_and_not_the_other_terminals_entries(
    world: World, order: str, exported: Path
) -> None:
    text = export(world, "--order", order, form="geojson").read_text()
    document = json.loads(text)
    assert document["type"] == "FeatureCollection"
    assert document["outrider"]["order"] == order
    kinds = {one["properties"]["kind"] for one in document["features"]}
    assert {"reported", "decided", "issued", "answer", "delivered", "step"} <= kinds
    sources = {one["properties"].get("source") for one in document["features"]}
    assert sources >= {"centre", "t-611"}
    assert "t-612" not in sources
    reported = next(f for f in document["features"] if f["properties"]["kind"] == "reported")
    assert reported["geometry"]["coordinates"] == pytest.approx([AT_611[1], AT_611[0]], abs=1e-6)


def test_by_time_as_gpx_and_page(world: World, order: str) -> None:
    span = ("--from", "2020-01-01", "--to", "2100-01-01T00:00:00+08:00")
    made = export(world, *span, form="gpx").read_bytes()
    root = ElementTree.fromstring(made)  # noqa: S314  # our own file
    assert root.tag == f"{{{GPX['g']}}}gpx"
    assert root.findall("g:wpt", GPX)
    names = {one.text for one in root.findall("g:trk/g:name", GPX)}
    points = root.findall("g:trk/g:trkseg/g:trkpt", GPX)
    assert names <= {"t-611", "t-612"}
    assert all(abs(float(one.attrib["lat"]) - PLACE[0]) < 0.1 for one in points)
    page = export(world, "--order", order, form="html").read_text()
    assert "Verified whole" in page
    assert "核验通过" in page
    assert order in page
    code, found = verify(export(world, *span), "--trust", world.fleet.centre / "root.pem")
    assert (code, found["whole"], found["order"]) == (0, True, None)


def test_every_look_is_in_the_audit_chain(world: World, exported: Path) -> None:
    assert "look-ups agree" in world.ask_journal("verify")
    with closing(sqlite3.connect(world.journal.with_name("audit.db"))) as db:
        acts = [act for (act,) in db.execute("SELECT act FROM look_up ORDER BY number")]
        whats = [what for (what,) in db.execute("SELECT what FROM look_up")]
    assert acts[:2] == ["export", "exported"]
    assert any(hashlib.sha256(exported.read_bytes()).hexdigest() in what for what in whats)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--order", "o-9-9"), 1, "no transaction"),
        (("--order", "o-9-9", "--from", "2020-01-01"), 2, "either"),
        (("--from", "2020-01-02", "--to", "2020-01-01"), 2, "later"),
        (("--from", "yesterday", "--to", "2020-01-01"), 2, "ISO 8601"),
    ],
    ids=["unknown", "both", "backwards", "no-time"],
)
def test_wrong_words(world: World, words: tuple[str, ...], code: int, says: str) -> None:
    options = ("--out", world.folder / "x", "--reason", "test", "--config", world.matcher_config)
    done = run(outrider("evidence", "export", *words, *options))
    assert done.returncode == code, done
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (world.folder / "x").exists()
