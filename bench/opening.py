"""`open`: opening, decoding and validating a position, beside the raw verify rate of the library.

Ours and the raw verify take turns in short batches over the same messages, timed by the thread's
own processor time, and the ratio is taken turn by turn: a busy machine slows both alike.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bench import samples
from bench.figure import Figure, Spread, number
from bench.options import Options
from protocol import cbor, envelope, position
from protocol.envelope import Kind, PositionOpener

RATIO_MIN: Final = 0.85
BATCH: Final = 250
SIGNATURE_BYTES: Final = 64

Step = Callable[[int], object]


async def run(options: Options) -> list[Figure]:
    """Ratio to the raw rate, and the peers' rates."""
    messages = [samples.seal(one) for one in samples.moving(BATCH)]
    turns = options.count(60, 12)
    ours, raw = _ours(messages), _raw(messages)
    peers = dict((_libsodium(messages), _cwt(messages), _pycose(messages)))
    options.say(f"{turns} turns of {BATCH} positions each")
    times_s = _take_turns([ours, raw, *(s for s in peers.values() if s is not None)], turns)
    ratios = [there / here for here, there in zip(times_s[0], times_s[1], strict=True)]
    rate, raw_rate = _rate(times_s[0]), _rate(times_s[1])
    beside = [
        f"ours {number(rate)}/s, raw cryptography {number(raw_rate)}/s, both per core",
        f"ratio by turns: {Spread.of(ratios).words('')}",
    ]
    columns = iter(times_s[2:])
    for name, step in peers.items():
        if step is None:
            beside.append(f"{name}: not installed; pip install {name.split()[0]}, then again")
        else:
            peer_rate = _rate(next(columns))
            beside.append(f"{name}: {number(peer_rate)}/s (ours {rate / peer_rate:.2f} of it)")
    beside.append(_openssl(options))
    share = median(ratios)
    return [
        Figure(
            "open", "open + decode + validate a position, share of the raw verify rate", share, "",
            RATIO_MIN, at_least=True, beside=tuple(beside),
        )
    ]  # fmt: skip


def _take_turns(steps: Sequence[Step], turns: int) -> list[list[float]]:
    """Seconds of each batch, by step; every other turn goes through the steps backwards."""
    for step in steps:
        for n in range(BATCH):
            step(n)
    times_s: list[list[float]] = [[] for _ in steps]
    for turn in range(turns):
        order = range(len(steps)) if turn % 2 else range(len(steps) - 1, -1, -1)
        for which in order:
            step = steps[which]
            started_ns = time.thread_time_ns()
            for n in range(BATCH):
                step(n)
            times_s[which].append((time.thread_time_ns() - started_ns) / 1e9)
    return times_s


def _rate(times_s: Sequence[float]) -> float:
    return BATCH / median(times_s)


def _ours(messages: Sequence[bytes]) -> Step:
    opener = PositionOpener(samples.TOPIC, samples.ENROLMENT, (samples.KEY.verify_key,))
    return lambda n: position.decode(opener.open(messages[n]))


def signed_parts(messages: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """(signature, what is signed) of each message, exactly as ours are."""
    external = envelope.aad(Kind.POSITION, samples.TOPIC, samples.ENROLMENT)
    head = ["Signature1", cbor.encode({1: envelope.ALG_ED25519}), external]
    return [
        (m[-SIGNATURE_BYTES:], cbor.encode([*head, cbor.read_bytes(m, 6, "payload")[1]]))
        for m in messages
    ]


def _raw(messages: Sequence[bytes]) -> Step:
    key = Ed25519PublicKey.from_public_bytes(samples.KEY.public)
    signed = signed_parts(messages)
    return lambda n: key.verify(*signed[n])


def _libsodium(messages: Sequence[bytes]) -> tuple[str, Step | None]:
    name = "pynacl (libsodium, raw verify)"
    try:
        from nacl.signing import VerifyKey  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
    except ImportError:
        return name, None
    key = VerifyKey(samples.KEY.public)
    signed = signed_parts(messages)
    return name, lambda n: key.verify(signed[n][1], signed[n][0])


def _cwt(messages: Sequence[bytes]) -> tuple[str, Step | None]:
    name = "cwt (COSE decode + verify + CBOR payload)"
    try:
        from cwt import COSE, COSEKey  # noqa: PLC0415
    except ImportError:
        return name, None
    parts = {"kty": "OKP", "crv": "Ed25519", "kid": "01"}
    seed = bytes(range(32))
    public = {**parts, "x": _base64(samples.KEY.public)}
    private = COSEKey.from_jwk({**public, "d": _base64(seed)})
    key, cose = COSEKey.from_jwk(public), COSE.new(alg_auto_inclusion=True)
    external = envelope.aad(Kind.POSITION, samples.TOPIC, samples.ENROLMENT)
    sealed = [
        cose.encode_and_sign(cbor.read_bytes(m, 6, "payload")[1], private, external_aad=external)
        for m in messages
    ]
    return name, lambda n: position.decode(cose.decode(sealed[n], key, external_aad=external))


def _base64(data: bytes) -> str:
    import base64  # noqa: PLC0415

    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _pycose(messages: Sequence[bytes]) -> tuple[str, Step | None]:
    name = "pycose (COSE decode + verify + CBOR payload)"
    try:
        from pycose.headers import Algorithm  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
        from pycose.keys import OKPKey  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
        from pycose.messages import Sign1Message  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
    except ImportError:
        return name, None
    seed = bytes(range(32))
    key = OKPKey(crv="ED25519", x=samples.KEY.public, d=seed)
    external = envelope.aad(Kind.POSITION, samples.TOPIC, samples.ENROLMENT)
    sealed = []
    for message in messages:
        _, payload = cbor.read_bytes(message, 6, "payload")
        one = Sign1Message(phdr={Algorithm: "EDDSA"}, payload=payload, external_aad=external)
        one.key = key
        sealed.append(one.encode())

    def step(n: int) -> object:
        found = Sign1Message.decode(sealed[n])
        found.key, found.external_aad = key, external
        assert found.verify_signature()
        return position.decode(found.payload)

    return name, step


def _openssl(options: Options) -> str:
    """The system's OpenSSL by its own measure; it may be another than the library bundles."""
    program = shutil.which("openssl")
    if program is None:
        return "openssl speed: no openssl on the PATH"
    seconds = str(options.count(3, 1))
    command = [program, "speed", "-seconds", seconds, "ed25519"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    rates = re.search(r"Ed25519.*?([\d.]+)\s+([\d.]+)\s*$", found.stdout, re.MULTILINE)
    version = re.search(r"version: (\S+)", found.stdout)
    if found.returncode != 0 or rates is None:
        return f"openssl speed: {found.stderr.strip()[-80:] or 'no figure'}"
    name = f"openssl speed ({version.group(1)})" if version else "openssl speed"
    return f"{name}: {number(float(rates.group(2)))} verifies/s"
