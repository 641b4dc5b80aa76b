"""What a power cut leaves of the terminal's file: always a whole chain, never less than was synced.

A crash image is the file with its log cut at any byte, or with unsynced blocks gone. The log is
only cut beyond what was acknowledged: less than that no disk that syncs can lose.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from agent.logbook import Logbook
from agent.logbook_chain import Row
from protocol import logbook
from runtime.faults import StoreDamaged
from tests.agent.kept_logbook import alarm, append, begun, close, rows, run

COMMITS = 24
IMAGES = 60
_SIDE = ("", "-wal")


class Life:
    """A store that was written commit by commit; `sizes[i]`: its log once commit i was synced."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "agent.db"
        self.sizes: list[int] = []
        self.kept: list[tuple[int, bytes]] = []  # (n, h(n)) that was acknowledged with commit i
        book = begun(self.path)
        self._note(book)

        async def write() -> None:
            for i in range(COMMITS):
                await append(book, *(alarm(f"{i}.{j}" * (1 + i % 7)) for j in range(1 + i % 4)))
                self._note(book)

        run(write())
        self.image = folder / "image"
        self.image.mkdir()
        for side in _SIDE:  # as the disk is while the terminal runs
            shutil.copy(f"{self.path}{side}", f"{self.image / 'agent.db'}{side}")
        close(book)

    def _note(self, book: Logbook) -> None:
        self.sizes.append(Path(f"{self.path}-wal").stat().st_size)
        self.kept.append((book.synced_n, book.synced_head))

    def acknowledged(self, cut_at: int) -> tuple[int, bytes]:
        """What was synced when the log was no longer than `cut_at`."""
        return max(kept for size, kept in zip(self.sizes, self.kept, strict=True) if size <= cut_at)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return Life(tmp_path_factory.mktemp("life"))


def started_on(life: Life, folder: Path, log: bytes) -> tuple[Row, ...]:
    """The logbook of a terminal that starts on the image with this log."""
    path = folder / "agent.db"
    for side in _SIDE:
        Path(f"{path}{side}").unlink(missing_ok=True)
    shutil.copy(life.image / "agent.db", path)
    Path(f"{path}-wal").write_bytes(log)
    book = begun(path)
    assert book.load_now() is not None
    found = run(rows(book))
    close(book)
    return found


def check(life: Life, found: tuple[Row, ...], n: int, head: bytes) -> None:
    """A chain from the first entry on, with everything that was acknowledged as it was."""
    value = logbook.chain_start(*_first(life))
    for number, row in enumerate(found, 1):
        assert row.n == number
        assert row.head_before == value
        value = row.head
    assert len(found) >= n + 1, "what was synced is there, and the new boot's entry"
    assert found[n - 1].head == head


def _first(life: Life) -> tuple[bytes, bytes, bytes]:
    book = begun(life.path)
    key = (book.book.id, book.book.enrolment, bytes(32))
    close(book)
    return key


def cuts(life: Life) -> list[int]:
    """Each end of a commit, one byte round it, and bytes drawn in between."""
    first, last = life.sizes[0], life.sizes[-1]
    drawn = random.Random(11).sample(range(first, last), IMAGES)
    ends = {size + step for size in life.sizes for step in (-1, 0, 1)}
    return sorted({cut for cut in (*ends, *drawn) if first <= cut <= last})


def test_a_log_cut_anywhere_keeps_what_was_acknowledged(life: Life, tmp_path: Path) -> None:
    log = Path(f"{life.image / 'agent.db'}-wal").read_bytes()
    for cut in cuts(life):
        check(life, started_on(life, tmp_path, log[:cut]), *life.acknowledged(cut))


def test_a_tail_that_was_never_synced_is_as_if_it_had_not_been(life: Life, tmp_path: Path) -> None:
    """Blocks of the unsynced tail are old, zero or torn, in any mixture."""
    log = Path(f"{life.image / 'agent.db'}-wal").read_bytes()
    chance = random.Random(12)
    for _ in range(IMAGES // 2):
        at = chance.randrange(len(life.sizes) - 1)
        size = life.sizes[at]
        tail = bytearray(log[size:])
        for block in range(0, len(tail), 512):
            if chance.random() < 0.5:
                piece = tail[block : block + 512]
                tail[block : block + 512] = chance.choice(
                    (bytes(len(piece)), chance.randbytes(len(piece)))
                )
        check(life, started_on(life, tmp_path, log[:size] + tail), *life.kept[at])


def test_an_altered_entry_at_the_end_is_damage_not_a_chain(tmp_path: Path) -> None:
    """What SQLite cannot see the chain sees: the start refuses to go on with it."""
    path = tmp_path / "agent.db"
    book = begun(path)
    run(append(book, *(alarm(str(i)) for i in range(70))))
    n = book.synced_n
    book._store.commit_now(
        lambda c: c.execute(
            "UPDATE entry SET data = CAST(X'8706' || substr(data, 3) AS BLOB)"
            " WHERE (id & 4294967295) = ?",
            (n - n % 32 - 3,),
        )
    )
    close(book)
    with pytest.raises(StoreDamaged, match="does not hold what was written"):
        begun_checked(path)


def begun_checked(path: Path) -> None:
    book = begun(path)
    try:
        book.load_now()
    finally:
        close(book)
