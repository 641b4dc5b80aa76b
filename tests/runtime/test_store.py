"""The store keeps what it acknowledged, through errors of callers, full disks and dead disks."""

import asyncio
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.faults import StoreBroken, StoreBusy, StoreFull
from runtime.sqlite_file import open_reader
from runtime.store import FileOptions, Schema, Store, Work

SCHEMA = Schema(
    application_id=0x4F757431,
    migrations=[["CREATE TABLE entry(n INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT"]],
)


def append(body: bytes = b"x") -> Work[int]:
    return lambda connection: _insert(connection, body)


def _insert(connection: sqlite3.Connection, body: bytes) -> int:
    row = connection.execute("INSERT INTO entry(body) VALUES (?)", (body,)).lastrowid
    assert row is not None
    return row


def count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM entry").fetchone()[0])


@pytest.fixture(params=[False, True], ids=["shared", "exclusive"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    with Store(tmp_path / "s.db", SCHEMA, FileOptions(exclusive=request.param)) as opened:
        yield opened


def test_commit_returns_the_result_and_survives_a_kill(store: Store, tmp_path: Path) -> None:
    assert asyncio.run(store.commit(append(b"a"))) == 1
    for name in ("s.db", "s.db-wal"):  # what a power cut would leave
        shutil.copy(tmp_path / name, tmp_path / f"cut-{name}")
    with Store(tmp_path / "cut-s.db", SCHEMA) as copy:
        assert copy.commit_now(count) == 1


def test_commits_keep_their_order(store: Store) -> None:
    async def run() -> list[int]:
        return await asyncio.gather(*(store.commit(append(b"%d" % i)) for i in range(3000)))

    assert asyncio.run(run()) == list(range(1, 3001))
    assert asyncio.run(store.read(count)) == 3000


def test_waiting_commits_share_one_transaction(store: Store) -> None:
    """Held up by the first, the others make one group: one answer moment, few bytes."""
    entered, go_on = threading.Event(), threading.Event()

    def hold(_: sqlite3.Connection) -> None:
        entered.set()
        assert go_on.wait(10)

    async def run() -> int:
        first = asyncio.create_task(store.commit(hold))
        await asyncio.to_thread(entered.wait, 10)
        others = [asyncio.create_task(store.commit(append(b"x" * 60))) for _ in range(60)]
        await asyncio.sleep(0)
        before = store.bytes_written
        go_on.set()
        await asyncio.gather(first, *others)
        assert before is not None
        assert store.bytes_written is not None
        return store.bytes_written - before

    assert asyncio.run(run()) <= 3 * 60 * 200  # one by one they would take 60 pages and more


def test_failing_work_is_undone_alone(store: Store) -> None:
    def fail(connection: sqlite3.Connection) -> int:
        _insert(connection, b"bad")
        raise LookupError("no")

    def violate(connection: sqlite3.Connection) -> int:
        return _insert(connection, None)  # type: ignore[arg-type]

    async def run() -> list[int | BaseException]:
        works = [append(b"a"), fail, append(b"b"), violate, append(b"c")]
        return await asyncio.gather(*map(store.commit, works), return_exceptions=True)

    outcomes = asyncio.run(run())
    assert [type(o) for o in outcomes] == [int, LookupError, int, sqlite3.IntegrityError, int]
    bodies = asyncio.run(store.read(lambda c: c.execute("SELECT body FROM entry").fetchall()))
    assert bodies == [(b"a",), (b"b",), (b"c",)]


def test_commit_waits_for_a_place(store: Store) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def hold(_: sqlite3.Connection) -> int:
        entered.set()
        assert go_on.wait(10)
        return 0

    async def run() -> None:
        waiting = [asyncio.create_task(store.commit(hold))]
        await asyncio.to_thread(entered.wait, 10)
        waiting += [asyncio.create_task(store.commit(append())) for _ in range(2000)]
        await asyncio.sleep(0)
        assert store._writer._jobs.qsize() == 1023
        go_on.set()
        assert (await asyncio.gather(*waiting))[1:] == list(range(1, 2001))

    asyncio.run(run())


def test_file_is_private(store: Store) -> None:
    assert store.path.stat().st_mode & 0o777 == 0o600


def test_long_read_is_cut_and_the_store_lives_on(store: Store) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

    async def run() -> None:
        with pytest.raises(StoreBusy, match="took too long"):
            await store.read(lambda c: c.execute(endless).fetchone(), timeout_ms=50)
        await store.commit(append())
        assert await store.read(count) == 1

    asyncio.run(run())


def test_read_cannot_write(store: Store) -> None:
    async def run() -> None:
        with pytest.raises((sqlite3.OperationalError, RuntimeError), match=r"readonly|must not"):
            await store.read(append())
        assert await store.read(count) == 0

    asyncio.run(run())


def test_reads_go_on_beside_a_commit(tmp_path: Path) -> None:
    go_on = threading.Event()

    async def run(store: Store) -> None:
        held = asyncio.create_task(store.commit(lambda _: go_on.wait(10)))
        assert await store.read(count) == 0
        go_on.set()
        assert await held

    with Store(tmp_path / "s.db", SCHEMA) as store:
        asyncio.run(run(store))


def test_migration_is_whole_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with Store(path, SCHEMA) as store:
        store.commit_now(append())
    broken = Schema(
        application_id=SCHEMA.application_id,
        migrations=[*SCHEMA.migrations, ["CREATE TABLE more(x)", "CREATE NONSENSE"]],
    )
    with pytest.raises(sqlite3.OperationalError):
        Store(path, broken)
    newer = Schema(
        application_id=SCHEMA.application_id,
        migrations=[*SCHEMA.migrations, ["CREATE TABLE more(x)", "CREATE INDEX i ON more(x)"]],
    )
    with Store(path, newer) as store:
        assert store.commit_now(count) == 1
    with pytest.raises(StoreBroken, match=r"newer release: schema 2 .*knows 1"):
        Store(path, SCHEMA)


def test_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE t(x)")
    other.close()
    with pytest.raises(StoreBroken, match="another program"):
        Store(path, SCHEMA)


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" * 300])
def test_damaged_file_is_named_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(content)
    with pytest.raises(StoreBroken, match=r"s\.db: .* – move the file aside"):
        Store(path, SCHEMA)
    assert path.read_bytes() == content


def test_damage_inside_is_found_by_check(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with Store(path, SCHEMA) as store:
        for _ in range(200):
            store.commit_now(append(b"y" * 200))
        store.check_now()
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096)
    with Store(path, SCHEMA) as store, pytest.raises(StoreBroken, match="is damaged"):
        store.check_now()


def test_second_daemon_is_kept_off(store: Store) -> None:
    with pytest.raises(StoreBusy, match=f"in use by process .{os.getpid()}"):
        Store(store.path, SCHEMA)


def test_file_held_by_another_process_is_told_and_comes_back(tmp_path: Path) -> None:
    options = FileOptions(busy_timeout_ms=50)
    with Store(tmp_path / "s.db", SCHEMA, options) as store:
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match="held by another process"):
            store.commit_now(append())
        other.execute("ROLLBACK")
        other.close()
        assert store.commit_now(append()) == 1


def test_command_line_reads_beside_the_daemon(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db", SCHEMA) as store:
        store.commit_now(append())
        reader = open_reader(store.path, SCHEMA)
        assert count(reader) == 1
        reader.close()


def test_log_is_copied_between_commits(tmp_path: Path) -> None:
    """The log stays near its bound although the file grows well beyond it."""
    with Store(tmp_path / "s.db", SCHEMA, FileOptions(page_bytes=1024, wal_pages=64)) as store:
        for _ in range(600):
            store.commit_now(append(b"z" * 400))
        assert (tmp_path / "s.db-wal").stat().st_size <= 64 * 1048 * 2 + 100_000
        assert (tmp_path / "s.db").stat().st_size > 100_000
    assert not (tmp_path / "s.db-wal").exists()


def test_exclusive_file_has_no_shared_memory_file(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db", SCHEMA, FileOptions(exclusive=True)) as store:
        store.commit_now(append())
        assert {entry.name for entry in tmp_path.iterdir()} == {"s.db", "s.db-wal", "s.db.lock"}


def test_close_finishes_what_is_queued(tmp_path: Path) -> None:
    async def run(store: Store) -> None:
        tasks = [asyncio.create_task(store.commit(append())) for _ in range(50)]
        await asyncio.sleep(0)
        store.close()
        await asyncio.gather(*tasks)
        with pytest.raises(RuntimeError, match="closed"):
            await store.commit(append())

    asyncio.run(run(Store(tmp_path / "s.db", SCHEMA)))
    with Store(tmp_path / "s.db", SCHEMA) as store:
        assert store.commit_now(count) == 50


def test_full_file_refuses_and_recovers(store: Store) -> None:
    store.commit_now(lambda c: c.execute("PRAGMA max_page_count=10").fetchone())
    with pytest.raises(StoreFull):
        store.commit_now(append(b"x" * 100_000))
    assert store.commit_now(append(b"small")) == 1
