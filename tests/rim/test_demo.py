"""`outrider demo` as a user runs it: the promised JSON, every call attended, files that verify."""

from __future__ import annotations

import fcntl
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.rim.daemon import outrider, run
from tests.rim.journal import numbers_of_all

# alone in its group: sixteen terminals want the machine for themselves
pytestmark = [pytest.mark.xdist_group("rim-demo"), pytest.mark.timeout(200)]

SECONDS, SEED = 40, 5
EXTRA_S = 30 + 60  # open incidents are waited for; start and end on a busy machine


@dataclass(frozen=True, slots=True)
class Shown:
    """One run of the demo."""

    code: int
    stdout: str
    stderr: str
    kept: Path

    @property
    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.stdout)
        return found


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Shown:
    """One run for all workers: two demos at a time would starve each other."""
    base = tmp_path_factory.getbasetemp()
    folder = base if worker_id == "master" else base.parent
    kept, result = folder / "demo-kept", folder / "demo.json"
    with (folder / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            words = ("demo", "--seconds", str(SECONDS), "--json", "--seed", str(SEED))
            done = run(outrider(*words, "--keep", kept), timeout_s=SECONDS + EXTRA_S)
            result.write_text(json.dumps([done.returncode, done.stdout, done.stderr]))
    code, stdout, stderr = json.loads(result.read_text())
    return Shown(code, stdout, stderr, kept)


@pytest.fixture
def config(shown: Shown) -> Path:
    """The kept matcher's settings, with the journal where it was kept."""
    path = shown.kept / "matcher.toml"
    lines = (shown.kept / "config" / "matcher.toml").read_text().splitlines()
    journal = f'journal = "{shown.kept / "journal.db"}"'
    path.write_text("\n".join(journal if one.startswith("journal") else one for one in lines))
    return path


def test_it_ends_well_and_says_so_in_one_object(shown: Shown) -> None:
    assert shown.code == 0, (shown.stdout, shown.stderr[-2000:])
    assert len(shown.stdout.strip().splitlines()) == 1
    assert "Traceback" not in shown.stderr


def test_the_summary_has_the_promised_keys_and_types(shown: Shown) -> None:
    summary = shown.summary
    for key in ("incidents", "attended", "orders", "positions"):
        assert type(summary[key]) is int, key
    assert summary["response_s"].keys() >= {"p50", "p90"}
    assert all(isinstance(summary["response_s"][key], float) for key in ("p50", "p90"))
    assert 0 < summary["response_s"]["p50"] <= summary["response_s"]["p90"]
    assert isinstance(summary["refused"], dict)


def test_every_call_is_attended_and_nothing_refused(shown: Shown) -> None:
    summary = shown.summary
    assert summary["incidents"] >= 4
    assert summary["attended"] == summary["incidents"]
    assert summary["orders"] >= summary["incidents"]
    assert summary["positions"] > 16 * 5
    assert summary["refused"] == {}


def test_the_kept_journal_verifies_and_replays(config: Path) -> None:
    verified = run(outrider("matcher", "verify", "--config", config))
    assert (verified.returncode, verified.stderr) == (0, "")
    replays = [run(outrider("matcher", "replay", "--json", "--config", config)) for _ in range(2)]
    assert [one.returncode for one in replays] == [0, 0]
    assert replays[0].stdout == replays[1].stdout
    state = json.loads(replays[0].stdout)["state"]
    log = (config.parent / "logs" / "matcher.log").read_text()
    assert f"state={state}" in log, "the live state at the end"


def test_the_kept_logbooks_have_no_gap(shown: Shown) -> None:
    logbooks = numbers_of_all(shown.kept / "journal.db")
    assert len(logbooks) == 16
    for numbers in logbooks.values():
        assert numbers == list(range(1, len(numbers) + 1))


def test_one_whole_order_is_left_as_evidence(shown: Shown) -> None:
    words = (shown.kept / "evidence.cbor", "--trust", shown.kept / "root.pem", "--json")
    done = run(outrider("evidence", "verify", *words))
    found = json.loads(done.stdout)
    assert (done.returncode, found["whole"], found["anchored"]) == (0, True, True), found
    assert found["order"] is not None
    assert found["held_whole"] >= 5  # delivered, accept, en route, on scene, clear


def test_no_private_key_is_kept(shown: Shown) -> None:
    assert (shown.kept / "root.pem").is_file()
    for path in shown.kept.rglob("*"):
        assert path.suffix != ".key", path
        assert not path.is_file() or b"PRIVATE KEY" not in path.read_bytes(), path
