"""Published vectors: RFC 8032, Wycheproof and the COSE working group's, and another library."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from protocol import cose
from protocol.envelope import Kind
from protocol.keys import SealKey, VerifyKey
from protocol.refusal import Refused
from tests.protocol import samples

FILES = [
    "eddsa-examples_eddsa-01", "eddsa-examples_eddsa-02", "eddsa-examples_eddsa-sig-01",
    "eddsa-examples_eddsa-sig-02", "sign1-tests_sign-fail-01", "sign1-tests_sign-fail-02",
    "sign1-tests_sign-fail-03", "sign1-tests_sign-fail-04", "sign1-tests_sign-fail-06",
    "sign1-tests_sign-fail-07", "sign1-tests_sign-pass-01", "sign1-tests_sign-pass-02",
    "sign1-tests_sign-pass-03",
]  # fmt: skip
REFUSED = {
    "eddsa-examples_eddsa-01": "tag 98 is COSE_Sign;",
    "eddsa-examples_eddsa-02": "tag 98 is COSE_Sign;",
    "eddsa-examples_eddsa-sig-02": "signature of 114 bytes, wanted 64",  # Ed448
    "sign1-tests_sign-fail-01": "tag 998 ",
    "sign1-tests_sign-fail-02": "signature does not fit",
    "sign1-tests_sign-fail-03": "algorithm -999",
    "sign1-tests_sign-fail-04": "algorithm 'unknown'",
    "sign1-tests_sign-fail-06": "signature does not fit",
    "sign1-tests_sign-fail-07": "signature does not fit",
}


def load(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "cose" / name).read_text())
    return found


def number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")


def key_of(jwk: dict[str, str]) -> cose.Key:
    """The vector's key; for Ed448, which has none here, any other."""
    if jwk["crv"] == "P-256":
        numbers = ec.EllipticCurvePublicNumbers(number(jwk["x"]), number(jwk["y"]), ec.SECP256R1())
        return cose.Es256Key(numbers.public_key())
    return (
        VerifyKey(bytes.fromhex(jwk["x_hex"]))
        if jwk["crv"] == "Ed25519"
        else samples.OTHER_KEY.verify_key
    )


@pytest.mark.parametrize("name", FILES)
def test_working_groups_vectors(shared_data: Path, name: str) -> None:
    vector = load(shared_data, f"cose-wg_{name}.json")
    source = vector["input"].get("sign0") or vector["input"]["sign"]["signers"][0]
    message = bytes.fromhex(vector["output"]["cbor"])
    aad = bytes.fromhex(source.get("external", ""))
    if name in REFUSED:
        with pytest.raises(Refused, match=REFUSED[name]):
            cose.verify(message, key_of(source["key"]), aad)
        return
    assert not vector.get("fail")
    found = cose.verify(message, key_of(source["key"]), aad)
    assert found.payload == vector["input"]["plaintext"].encode()
    assert cose.ALGORITHMS[found.algorithm] == source["alg"]
    parts = cbor2.loads(message)
    protected, _, payload, signature = getattr(parts, "value", parts)
    structure = cose.sig_structure(protected, aad, payload)
    assert structure == bytes.fromhex(vector["intermediates"]["ToBeSign_hex"])
    if found.algorithm == cose.EDDSA:  # deterministic: the very same signature
        sealer = SealKey.from_seed(bytes.fromhex(source["key"]["d_hex"]))
        assert sealer.sign(structure) == signature


def test_wycheproof(shared_data: Path) -> None:
    groups = load(shared_data, "wycheproof_ed25519.json")["testGroups"]
    tests = [(group, test) for group in groups for test in group["tests"]]
    wrong = []
    for group, test in tests:
        key = VerifyKey(bytes.fromhex(group["publicKey"]["pk"]))
        holds = key.verifies(bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))
        if holds != (test["result"] == "valid"):
            wrong.append(test["tcId"])
    assert len(tests) == 151
    assert not wrong


def test_rfc_8032(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "cose" / "rfc8032_ed25519.json").read_text())
    assert len(vectors) == 3
    for vector in vectors:
        sealer = SealKey.from_seed(bytes.fromhex(vector["secret_key"]))
        message, signature = bytes.fromhex(vector["message"]), bytes.fromhex(vector["signature"])
        assert sealer.public.hex() == vector["public_key"]
        assert sealer.sign(message) == signature
        assert sealer.verify_key.verifies(signature, message)


@pytest.mark.parametrize("kind", samples.KINDS)
def test_our_messages_are_everyones_cose(kind: Kind) -> None:
    from protocol.envelope import aad

    bound_to, enrolment, key, payload = samples.PAYLOADS[kind]
    found = cose.verify(samples.seal(kind), key.verify_key, aad(kind, bound_to, enrolment))
    assert (found.algorithm, found.is_algorithm_protected) == (cose.ED25519, True)
    assert found.kid == (None if kind is Kind.POSITION else key.kid)
    assert found.payload == payload


def test_another_library_opens_what_we_seal() -> None:
    """cwt knows -8, not yet -19, so the same bytes are sealed under -8 for it."""
    cwt = pytest.importorskip("cwt")
    sealer = samples.TERMINAL_KEY
    payload = b"from us"
    protected = cbor2.dumps({1: cose.EDDSA, 4: sealer.kid})
    signature = sealer.sign(cose.sig_structure(protected, b"aad", payload))
    message = b"\xd2" + cbor2.dumps([protected, {}, payload, signature])
    theirs = cwt.COSEKey.new({1: 1, -1: 6, -2: sealer.public, 2: sealer.kid, 3: cose.EDDSA, 4: [2]})
    assert cwt.COSE.new().decode(message, theirs, external_aad=b"aad") == payload


def test_we_verify_what_another_library_seals() -> None:
    cwt = pytest.importorskip("cwt")
    seed = bytes(range(32))
    ours = SealKey.from_seed(seed)
    theirs = cwt.COSEKey.new(
        {1: 1, -1: 6, -2: ours.public, -4: seed, 2: ours.kid, 3: cose.EDDSA, 4: [1, 2]}
    )
    message = cwt.COSE.new(alg_auto_inclusion=True, kid_auto_inclusion=True).encode_and_sign(
        b"from them", theirs, external_aad=b"aad"
    )
    found = cose.verify(message, ours.verify_key, b"aad")
    assert (found.payload, found.kid) == (b"from them", ours.kid)
