"""`outrider message open`: every kind with its names, and refusals in one line."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from protocol import codebook, envelope, logbook, request
from protocol.envelope import Kind
from protocol.message_command import main
from tests.protocol import samples
from tests.protocol.codebooks import SMALL
from tests.protocol.test_cose_command import pem_of

FIELDS = {
    Kind.POSITION: samples.POSITION,
    Kind.BIRTH: samples.BIRTH,
    Kind.WILL: samples.WILL,
    Kind.WELCOME: samples.WELCOME,
    Kind.RECEIPT: samples.RECEIPT,
    Kind.TRUST: samples.TRUST,
    Kind.IDENTITIES: samples.IDENTITIES,
}


class Shell:
    """Runs the command on bytes; `error` is its line on stderr."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys
        self.error = ""

    def open(
        self, message: bytes, key: bytes, topic: str, enrolment: bytes
    ) -> dict[str, Any] | None:
        """The object on stdout, or None where the exit code is 1."""
        (self._folder / "message").write_bytes(message)
        (self._folder / "key.pem").write_bytes(pem_of(key))
        options = ["--key", str(self._folder / "key.pem"), "--topic", topic]
        argv = [*options, "--enrolment", enrolment.hex(), str(self._folder / "message")]
        code = main(argv)
        out, self.error = self._capsys.readouterr()
        if code == 0:
            assert self.error == ""
            found: dict[str, Any] = json.loads(out)
            return found
        assert (code, out, len(self.error.splitlines())) == (1, "", 1)
        self.error = self.error.rpartition("refused: ")[2].rstrip()
        return None

    def open_sample(self, kind: Kind, message: bytes | None = None) -> dict[str, Any] | None:
        bound_to, enrolment, key, _ = samples.PAYLOADS[kind]
        if message is None:
            message = samples.sealed_batch() if kind is Kind.BATCH else samples.seal(kind)
        return self.open(message, key.public, bound_to, enrolment)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


@pytest.mark.parametrize("kind", FIELDS)
def test_kinds_that_are_one_record(shell: Shell, kind: Kind) -> None:
    found = shell.open_sample(kind)
    assert found is not None
    assert list(found) == ["kind", *(field.name for field in fields(FIELDS[kind]))]  # type: ignore[arg-type]
    assert found["kind"] == kind.value


def test_position(shell: Shell) -> None:
    found = shell.open_sample(Kind.POSITION)
    assert found is not None
    assert (found["lat_e7"], found["lon_e7"]) == (245_130_012, 1_176_470_034)
    assert found["entry_head"] == "0011223344556677"


def test_dispatch(shell: Shell) -> None:
    found = shell.open_sample(Kind.DISPATCH)
    assert found is not None
    assert (found["term"], found["counter"], found["type"]) == (3, 18, "order")
    assert found["body"]["place"]["text"] == "北京路 1 号"


def test_request_and_reply(shell: Shell) -> None:
    found = shell.open_sample(Kind.REQUEST)
    assert found is not None
    assert found["kind"] == "request"
    assert (found["request"]["verb"], found["request"]["kind"]) == ("report", "burglary")
    found = shell.open_sample(Kind.REPLY)
    assert found is not None
    assert found["reply"]["outcome"] == "done"


def test_batch(shell: Shell) -> None:
    found = shell.open_sample(Kind.BATCH)
    assert found is not None
    assert (found["first"], found["last"]) == (1, len(samples.ENTRIES))
    assert [one["n"] for one in found["entries"]] == list(range(1, found["last"] + 1))
    assert found["entries"][0]["entry"]["kind"] == "start"
    assert found["entries"][0]["entry"]["body"]["version"] == "0.1.0"
    assert found["entries"][1]["entry"] is None  # its digest alone


def test_a_track_in_a_batch_is_unpacked(shell: Shell) -> None:
    head, items = samples.batch()
    message = logbook.encode_batch(samples.seal(Kind.BATCH), items)
    found = shell.open_sample(Kind.BATCH, message)
    assert found is not None
    assert len(found["entries"][1]["points"]) == 60
    assert found["head_last"] == head.head_last.hex()


def test_an_entry_that_cannot_be_read_does_not_spoil_its_batch(shell: Shell) -> None:
    digest = logbook.digest(b"\xff")
    head = logbook.Head(
        samples.LOGBOOK, 1, samples.CHAIN_START, 1, logbook.chain(samples.CHAIN_START, 1, digest)
    )
    sealed = envelope.seal(
        Kind.BATCH, samples.LOGBOOK_TOPIC, samples.ENROLMENT, logbook.encode_head(head),
        samples.TERMINAL_KEY,
    )  # fmt: skip
    message = logbook.encode_batch(sealed, [logbook.Item(digest, b"\xff")])
    found = shell.open_sample(Kind.BATCH, message)
    assert found is not None
    assert found["entries"] == [
        {
            "n": 1, "digest": digest.hex(), "entry": None, "data": "ff",
            "fault": "malformed: indefinite or reserved length at byte 0",
        }
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [Kind.TRUST, Kind.IDENTITIES, Kind.CODEBOOK])
def test_documents_open_by_their_fleet_alone(shell: Shell, kind: Kind) -> None:
    book = codebook.encode(codebook.document(samples.FLEET, SMALL, 0))
    payload = samples.PAYLOADS[kind][3] if kind in samples.PAYLOADS else book
    message = envelope.seal(kind, samples.FLEET, b"", payload, samples.ROOT_KEY)
    root = samples.ROOT_KEY.public
    assert shell.open(message, root, samples.FLEET, b"") is not None
    assert shell.open(message, root, samples.ORDER_TOPIC, samples.ENROLMENT) is not None
    assert shell.open(message, root, "yy", b"") is None
    assert shell.error.startswith("bad_seal")
    assert shell.open(message, root, samples.LINK_TOPIC, samples.ENROLMENT) is None
    assert shell.error == f"wrong_kind: {kind} where birth, renewal, will belongs"


def test_a_document_of_another_fleet_is_refused(shell: Shell) -> None:
    message = envelope.seal(
        Kind.TRUST, "yy", b"", samples.PAYLOADS[Kind.TRUST][3], samples.ROOT_KEY
    )
    assert shell.open(message, samples.ROOT_KEY.public, "yy", b"") is None
    assert shell.error == "wrong_role: document of fleet zz, not yy"


@pytest.mark.parametrize("kind", samples.KINDS)
def test_a_wrong_key_topic_or_enrolment_is_refused(shell: Shell, kind: Kind) -> None:
    bound_to, enrolment, key, _ = samples.PAYLOADS[kind]
    message = samples.sealed_batch() if kind is Kind.BATCH else samples.seal(kind)
    assert shell.open(message, samples.OTHER_KEY.public, bound_to, enrolment) is None
    assert shell.error.startswith("bad_seal" if kind is Kind.POSITION else "unknown_key")
    elsewhere = bound_to.replace("zz", "yy")
    assert shell.open(message, key.public, elsewhere, enrolment) is None
    assert shell.error.startswith("bad_seal")
    if kind not in envelope.DOCUMENT_KINDS:
        assert shell.open(message, key.public, bound_to, b"x" * 16) is None
        assert shell.error.startswith("bad_seal")


@pytest.mark.parametrize("kind", sorted(set(samples.KINDS) - {Kind.POSITION, Kind.BATCH}))
def test_kinds_belong_to_their_topics(shell: Shell, kind: Kind) -> None:
    lanes = {
        samples.POSITION_TOPIC, samples.LOGBOOK_TOPIC, samples.LINK_TOPIC, samples.ORDER_TOPIC,
        samples.REQUEST_TOPIC, samples.REPLY_TOPIC,
    }  # fmt: skip
    allowed = {samples.PAYLOADS[kind][0]}
    if kind in envelope.DOCUMENT_KINDS:
        allowed = {samples.ORDER_TOPIC}
    key, payload = samples.PAYLOADS[kind][2:]
    for topic in sorted(lanes - allowed):
        message = envelope.seal(kind, topic, samples.ENROLMENT, payload, key)
        assert shell.open(message, key.public, topic, samples.ENROLMENT) is None
        assert shell.error.startswith(("wrong_kind", "malformed", "too_large"))


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        ("outrider/v1/terminal/zz/car-7/nothing", "unknown_topic: "),
        ("outrider/v1/terminal/zz/+/position", "unknown_topic: "),
        ("outrider/v1/fleet/zz/reply/#", "malformed: topic: '#' is no name"),
        ("/", "unknown_topic: "),
        ("", "malformed: fleet: '' is no name"),
        ("ZZ", "malformed: fleet: 'ZZ' is no name"),
    ],
)
def test_topics_that_are_none_of_ours(shell: Shell, topic: str, text: str) -> None:
    message = samples.seal(Kind.POSITION)
    assert shell.open(message, samples.TERMINAL_KEY.public, topic, samples.ENROLMENT) is None
    assert shell.error.startswith(text)


def test_a_verb_that_is_not_the_topics_is_refused(shell: Shell) -> None:
    topic = samples.REQUEST_TOPIC.replace("report", "cancel")
    payload = request.encode(samples.REPORT)
    message = envelope.seal(Kind.REQUEST, topic, bytes(16), payload, samples.MANAGER_KEY)
    assert shell.open(message, samples.MANAGER_KEY.public, topic, bytes(16)) is None
    assert shell.error == "wrong_kind: verb report on the topic of cancel"


def test_a_position_that_is_not_the_one_encoding_is_refused(shell: Shell) -> None:
    payload = samples.PAYLOADS[Kind.POSITION][3] + b"\x00"
    message = envelope.seal(
        Kind.POSITION, samples.POSITION_TOPIC, samples.ENROLMENT, payload, samples.TERMINAL_KEY
    )
    assert shell.open_sample(Kind.POSITION, message) is None
    assert shell.error == "malformed: position: not the deterministic encoding"


def test_a_p256_key_seals_nothing_of_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    path = tmp_path / "key.pem"
    path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    argv = ["--key", str(path), "--topic", "zz", "--enrolment", "", str(path)]
    assert main(argv) == 1
    assert "P-256 key; messages are sealed with Ed25519" in capsys.readouterr().err


@pytest.mark.parametrize("enrolment", ["xy", "00", "0" * 31, "00" * 17])
def test_an_enrolment_has_32_digits(enrolment: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--key", "k", "--topic", "t", "--enrolment", enrolment, "f"])
    assert caught.value.code == 2
    assert "--enrolment" in capsys.readouterr().err


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "example:\n  outrider message open --key" in capsys.readouterr().out
