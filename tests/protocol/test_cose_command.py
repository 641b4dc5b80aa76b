"""`outrider cose verify` from the command line: exit codes, one line, JSON, help."""

from __future__ import annotations

import json
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from protocol.cose import sig_structure
from protocol.cose_command import main
from protocol.keys import SealKey
from tests.protocol.samples import OTHER_KEY

SEALER = SealKey.from_seed(bytes(range(32)))
PROTECTED = cbor2.dumps({1: -8, 4: b"11"})


def pem_of(public: bytes) -> bytes:
    key = Ed25519PublicKey.from_public_bytes(public)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def message(tmp_path: Path) -> str:
    signature = SEALER.sign(sig_structure(PROTECTED, b"\x11\xaa", b"content"))
    path = tmp_path / "message.cbor"
    path.write_bytes(cbor2.dumps(cbor2.CBORTag(18, [PROTECTED, {}, b"content", signature])))
    return str(path)


@pytest.fixture
def pem(tmp_path: Path) -> str:
    path = tmp_path / "key.pem"
    path.write_bytes(pem_of(SEALER.public))
    return str(path)


def test_verified_by_hex_and_by_pem(
    message: str, pem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in (SEALER.public.hex(), pem):
        assert main(["--key", key, "--aad", "11aa", message]) == 0
        out, err = capsys.readouterr()
        assert (out, err) == ("verified: EdDSA, key id 3131, payload 7 bytes\n", "")


def test_json(message: str, pem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--key", pem, "--aad", "11AA", "--json", message]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "verified": True, "algorithm": -8, "algorithm_name": "EdDSA",
        "algorithm_protected": True, "kid": "3131", "payload": b"content".hex(),
    }  # fmt: skip


def test_refused_in_one_line(message: str, pem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--key", pem, message]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        f"outrider cose verify: {message}: refused: bad_seal:"
        " signature does not fit key, headers, aad and payload\n"
    )


def test_refused_as_json(message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--key", OTHER_KEY.public.hex(), "--aad", "11aa", "--json", message]) == 1
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["verified"], found["reason"]) == (False, "bad_seal")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("content", [b"", b"\xff", b"\xd9\x03\xe6\x84", b"[" * 1000])
def test_what_cannot_be_decoded_is_1(
    tmp_path: Path, pem: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.cbor"
    path.write_bytes(content)
    assert main(["--key", pem, str(path)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_cannot_be_read_is_1(
    tmp_path: Path, pem: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--key", pem, str(tmp_path / "absent")]) == 1
    assert "absent: No such file or directory" in capsys.readouterr().err
    assert main(["--key", pem, str(tmp_path)]) == 1
    assert main(["--key", "ab\0", message]) == 1
    capsys.readouterr()
    assert main(["--key", "abc123", message]) == 1
    assert "--key abc123: No such file or directory; give 64 hex" in capsys.readouterr().err


def test_a_key_that_is_none_is_1(
    tmp_path: Path, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "no.pem"
    path.write_bytes(b"nothing")
    assert main(["--key", str(path), message]) == 1
    assert f"--key {path}: not a PEM public key" in capsys.readouterr().err
    assert main(["--key", "00" * 32, message]) == 1
    assert "small order" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv", [[], ["file"], ["--key", "k"], ["--key", "k", "--aad", "xy", "f"], ["--nope"]]
)
def test_wrong_usage_is_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage: outrider cose verify" in capsys.readouterr().err


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "example:\n  outrider cose verify --key" in capsys.readouterr().out


def test_an_unprotected_algorithm_is_said(
    tmp_path: Path, pem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    signature = SEALER.sign(sig_structure(b"", b"", b""))
    path = tmp_path / "message.cbor"
    path.write_bytes(cbor2.dumps([b"", {1: -8}, b"", signature]))
    assert main(["--key", pem, str(path)]) == 0
    assert capsys.readouterr().out == (
        "verified: EdDSA, key id none, payload 0 bytes; algorithm header is unprotected\n"
    )
