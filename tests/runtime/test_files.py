"""Files that are not what their name promises; writes that a power cut cannot halve."""

import os
import socket
from pathlib import Path

import pytest

from runtime.faults import ConfigFault, StoreBroken
from runtime.files import read_small, require_private
from runtime.store import atomic_write


def test_reads_a_regular_file(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"x = 1\r\n\x00")
    assert read_small(path) == b"x = 1\r\n\x00"
    assert read_small(path, bytes_max=8) == b"x = 1\r\n\x00"


def _folder(path: Path) -> None:
    path.mkdir()


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(100 * 1024 * 1024)


def _writable_by_all(path: Path) -> None:
    path.write_text("x = 1")
    path.chmod(0o666)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _: None, "does not exist"),
        (_folder, "a folder"),
        (os.mkfifo, "pipe"),
        (_socket, "cannot be opened"),
        (_huge, "larger than"),
        (_writable_by_all, "changed by everyone"),
        (lambda path: path.symlink_to(path), "cannot be opened"),
        (lambda path: path.symlink_to("/dev/zero"), "no regular file"),
    ],
)
def test_refuses_what_is_no_small_file(tmp_path: Path, make: object, reason: str) -> None:
    path = tmp_path / "odd"
    assert callable(make)
    make(path)
    with pytest.raises(ConfigFault, match=reason) as caught:
        read_small(path)
    assert str(path) in str(caught.value)
    assert "–" in str(caught.value)


def test_name_with_nul_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match="cannot be opened"):
        read_small(tmp_path / "a\0b")


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_private_key_file_is_accepted(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"k")
    path.chmod(mode)
    require_private(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_open_key_file_is_refused_with_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"k")
    path.chmod(mode)
    with pytest.raises(ConfigFault, match=f"{mode:04o}.*chmod 600"):
        require_private(path)


def test_systemd_credential_may_be_readable_by_access_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"k")
    path.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    require_private(path)
    path.chmod(0o444)
    with pytest.raises(ConfigFault, match="others may read"):
        require_private(path)


def test_empty_or_missing_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(ConfigFault, match="does not exist"):
        require_private(path)
    path.touch(0o600)
    with pytest.raises(ConfigFault, match="is empty"):
        require_private(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
def test_key_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"k")
    path.chmod(0o600)
    os.chown(path, 12345, -1)
    with pytest.raises(ConfigFault, match="uid 12345"):
        require_private(path)


def test_atomic_write_replaces_and_sets_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "acl"
    atomic_write(path, b"old", 0o644)
    atomic_write(path, b"new", 0o640)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["acl"]


def test_failed_atomic_write_keeps_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "acl"
    atomic_write(path, b"old")

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreBroken, match="Input/output error"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["acl"]


def test_fault_is_one_line_whatever_it_names() -> None:
    fault = ConfigFault("a\nb", "is bad", "x" * 500 + "\n", "mend\tit")
    assert "\n" not in str(fault)
    assert "\t" not in str(fault)
    assert len(str(fault)) < 200
