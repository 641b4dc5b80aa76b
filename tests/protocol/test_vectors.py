"""docs/protocol/vectors.json is what the code makes, and the code takes it as it says."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from protocol import entry, track
from protocol.keys import VerifyKey
from protocol.message import open_message
from protocol.refusal import Refused
from tests.protocol import make_vectors
from tests.protocol.cddl import Schema
from tests.protocol.test_cddl import CDDL

TEXT = make_vectors.FILE.read_text(encoding="utf-8")
VECTORS: dict[str, Any] = json.loads(TEXT)
raw = bytes.fromhex


def named(vector: dict[str, Any]) -> str:
    return str(vector["name"]).replace(" ", "-")


def test_the_file_is_what_the_code_makes() -> None:
    assert make_vectors.text() == TEXT, "run: python -m tests.protocol.make_vectors"


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=named)
def test_messages_from_their_parts_with_other_libraries_alone(vector: dict[str, Any]) -> None:
    """What somebody does who has only the file, a CBOR and an Ed25519 library."""
    key = Ed25519PrivateKey.from_private_bytes(raw(VECTORS["keys"][vector["key"]]["seed"]))
    external = ["outrider/1", vector["kind"], vector["bound_to"], raw(vector["enrolment"])]
    assert cbor2.dumps(external) == raw(vector["aad"])
    protected, payload = raw(vector["protected"]), raw(vector["payload"])
    structure = cbor2.dumps(["Signature1", protected, raw(vector["aad"]), payload])
    assert structure == raw(vector["sig_structure"])
    sealed = cbor2.dumps([protected, {}, payload, key.sign(structure)])
    message = raw(vector["message"])
    assert (cbor2.loads(message)[0] if vector["kind"] == "batch" else message) == sealed


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=named)
def test_messages_are_opened(vector: dict[str, Any]) -> None:
    key = VerifyKey(raw(VECTORS["keys"][vector["key"]]["public"]))
    message, enrolment = raw(vector["message"]), raw(vector["enrolment"])
    found = open_message(message, key, vector["bound_to"], enrolment)
    assert json.loads(json.dumps(found)) == vector["opened"]


def test_keys() -> None:
    for key in VECTORS["keys"].values():
        public = Ed25519PrivateKey.from_private_bytes(raw(key["seed"])).public_key()
        assert public.public_bytes_raw().hex() == key["public"]
        assert hashlib.sha256(raw(key["public"])).digest()[:8].hex() == key["kid"]


def test_the_chain_by_hand() -> None:
    chain = VECTORS["chain"]
    head = hashlib.sha256(raw(chain["start"])).digest()
    assert head.hex() == chain["head_0"]
    for step in chain["entries"]:
        digest = hashlib.sha256(raw(step["entry"])).digest()
        assert digest.hex() == step["digest"]
        head = hashlib.sha256(head + step["n"].to_bytes(8, "big") + digest).digest()
        assert head.hex() == step["head"]
        assert entry.decode(raw(step["entry"])).kind.name.lower() == step["names"]["kind"]
        assert Schema(CDDL).holds("entry", raw(step["entry"]))


def test_the_track() -> None:
    vector = VECTORS["track"]
    points = track.unpack(raw(vector["packed"]), len(vector["points"]))
    assert points == make_vectors.POINTS
    assert track.unpack(track.pack(points), len(points)) == points
    assert vector["packed"].endswith(vector["columns"])


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=named)
def test_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        open_message(
            raw(vector["message"]),
            VerifyKey(raw(vector["public_key"])),
            vector["topic"],
            raw(vector["enrolment"]),
        )
    assert caught.value.reason.value == vector["reason"]


def test_what_is_refused_for_its_seal_alone_is_otherwise_sound() -> None:
    """Where a payload is at fault, the seal holds: the vector tests the check that it names."""
    for vector in VECTORS["refused"]:
        if vector["reason"] in {"out_of_range", "wrong_algorithm"}:
            message = cbor2.loads(raw(vector["message"]))
            sealed = cbor2.loads(message[0]) if len(message) == 2 else message
            protected, _, payload, signature = sealed
            kinds = ("position", "batch", "birth", "dispatch", "receipt")
            externals = [
                cbor2.dumps(["outrider/1", kind, vector["topic"], raw(vector["enrolment"])])
                for kind in kinds
            ]
            key = Ed25519PublicKey.from_public_bytes(raw(vector["public_key"]))
            assert any(_holds(key, signature, protected, one, payload) for one in externals)


def _holds(
    key: Ed25519PublicKey, signature: bytes, protected: bytes, external: bytes, payload: bytes
) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, cbor2.dumps(["Signature1", protected, external, payload]))
    except InvalidSignature:
        return False
    return True
