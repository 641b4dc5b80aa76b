"""The store on disks that are full, read-only or failing, and under SIGKILL."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.faults import StoreBroken, StoreFull
from runtime.store import FileOptions, Store, atomic_write
from tests.runtime.test_store import SCHEMA, append, count

REPO = Path(__file__).parents[2]
MOUNT, UMOUNT = shutil.which("mount") or "", shutil.which("umount") or ""


def test_read_only_file_is_a_clear_fault(tmp_path: Path) -> None:
    folder = tmp_path / "ro"
    folder.mkdir()
    with Store(folder / "s.db", SCHEMA):
        pass
    if os.geteuid() != 0:
        folder.chmod(0o500)
    elif subprocess.run([MOUNT, "--bind", "-r", folder, folder], check=False).returncode != 0:
        pytest.skip("needs the right to mount")
    try:
        with pytest.raises(StoreBroken, match="write access"):
            Store(folder / "s.db", SCHEMA)
    finally:
        if os.geteuid() == 0:
            subprocess.run([UMOUNT, folder], check=True)
        folder.chmod(0o700)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = [MOUNT, "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run([UMOUNT, folder], check=True)


@pytest.mark.parametrize("exclusive", [False, True])
def test_full_disk_refuses_and_recovers_by_itself(small_disk: Path, exclusive: bool) -> None:
    (small_disk / "ballast").write_bytes(b"b" * 400_000)

    async def run(store: Store) -> int:
        kept = 0

        async def fill() -> None:
            nonlocal kept
            for _ in range(2000):
                await store.commit(append(b"x" * 2000))
                kept += 1

        with pytest.raises(StoreFull, match="free space in"):
            await fill()
        outcomes = await asyncio.gather(
            *(store.commit(append(b"x" * 20_000)) for _ in range(20)), return_exceptions=True
        )
        assert any(isinstance(o, StoreFull) for o in outcomes)
        assert all(isinstance(o, int | StoreFull) for o in outcomes)
        with pytest.raises(StoreFull):
            atomic_write(small_disk / "acl", b"a" * 600_000)
        kept += sum(isinstance(o, int) for o in outcomes)
        assert await store.read(count) == kept
        (small_disk / "ballast").unlink()
        await store.commit(append(b"x" * 2000))
        return kept + 1

    with Store(small_disk / "s.db", SCHEMA, FileOptions(exclusive=exclusive)) as store:
        kept = asyncio.run(run(store))
    with Store(small_disk / "s.db", SCHEMA) as store:
        assert store.commit_now(count) == kept
        store.check_now()


_DYING = """
import asyncio, sqlite3, sys
from pathlib import Path
from runtime.faults import StoreBroken
from runtime.service import Service, run_daemon
from runtime.store import Store
from tests.runtime.test_store import SCHEMA, append

async def main(service: Service) -> None:
    store = Store(Path(sys.argv[1]), SCHEMA)
    kept = 0
    try:
        for _ in range(50):
            await store.commit(append())
            kept += 1
    finally:
        print(kept, flush=True)
        try:
            await store.commit(append())
        except StoreBroken:
            print("later call broken", flush=True)

sys.exit(run_daemon(main))
"""


def test_failed_sync_ends_the_process_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    script = tmp_path / "dying.py"
    script.write_text(_DYING)
    inject = "inject=fdatasync,fsync:error=EIO:when=12+"
    command = ["strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", inject]
    dead = subprocess.run(
        [*command, sys.executable, script, tmp_path / "s.db"],
        cwd=REPO, env=os.environ | {"PYTHONPATH": str(REPO)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if "ptrace" in dead.stderr and "not permitted" in dead.stderr:
        pytest.skip("strace is not permitted here")
    kept, later = dead.stdout.splitlines()
    assert dead.returncode == 1, dead.stderr
    assert "disk error (SQLITE_IOERR_FSYNC)" in dead.stderr
    assert later == "later call broken"
    assert 0 < int(kept) < 50
    with Store(tmp_path / "s.db", SCHEMA) as store:
        assert int(kept) <= store.commit_now(count) <= int(kept) + 1
        store.check_now()


def test_killed_anywhere_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom runtime.store import Store\n"
        "from tests.runtime.test_store import SCHEMA, append\n"
        "store = Store(Path(sys.argv[1]), SCHEMA)\n"
        "while True:\n    print(store.commit_now(append(b'x' * 500)), flush=True)\n"
    )
    for lines in (1, 40, 300):
        process = subprocess.Popen(
            [sys.executable, script, tmp_path / "s.db"],
            cwd=REPO, env=os.environ | {"PYTHONPATH": str(REPO)}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        process.kill()
        printed = process.stdout.read().split()
        process.stdout.close()
        process.wait()
        with Store(tmp_path / "s.db", SCHEMA) as store:
            assert store.commit_now(count) >= (int(printed[-1]) if printed else lines)
            store.check_now()
