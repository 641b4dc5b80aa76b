"""What somebody who holds a real message but not its key can make of it. Pure.

`flips` and `forms` alter one message; both keep what makes it look real. A batch's seal lies inside
of it, so its forms are made of the sealed head. Used by the tests of this folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import cbor2

from protocol import envelope
from protocol.envelope import Kind
from protocol.keys import SealKey

_ORDER: Final = 2**252 + 27742317777372353535851937790883648493  # of Ed25519's base point
_ALGORITHMS: Final = (-8, -7, -35, -47, 0, 1, 4, 5, 6, None, True, "EdDSA", -19.0)
_TAGS: Final = (16, 17, 18, 61, 96, 97, 98, 55799)
_IDENTITY: Final = b"\x01" + bytes(31)  # a point of small order

Resign = Callable[[bytes, bytes], bytes]


def flips(message: bytes) -> Iterator[bytes]:
    """Every one-bit change."""
    for at in range(len(message)):
        for bit in range(8):
            yield message[:at] + bytes([message[at] ^ 1 << bit]) + message[at + 1 :]


def is_batch(message: bytes) -> bool:
    return message[:1] == b"\x82"


def forms(message: bytes) -> Iterator[bytes]:
    """Other structures, algorithms, headers and signatures; bytes cut off, lost, doubled."""
    for at in range(len(message)):
        yield message[:at]
        yield message[:at] + message[at + 1 :]
        yield message[:at] + message[at : at + 1] * 2 + message[at + 1 :]
    yield message + b"\x00"
    yield message + message
    if is_batch(message):
        head, entries = cbor2.loads(message)
        yield from (cbor2.dumps([form, entries]) for form in _sealed_forms(head))
        yield from _batch_forms(head, entries)
    else:
        yield from _sealed_forms(message)


def _batch_forms(head: bytes, entries: list[object]) -> Iterator[bytes]:
    """Entries beside the head left out, doubled, turned round, swapped for others."""
    yield cbor2.dumps([head, []])
    yield cbor2.dumps([head, entries[:-1]])
    yield cbor2.dumps([head, [*entries, entries[-1]]])
    yield cbor2.dumps([head, [bytes(32)] * len(entries)])
    yield cbor2.dumps([head, [[bytes(32)]] * len(entries)])
    yield cbor2.dumps([head, entries, []])
    yield cbor2.dumps([head])
    if len(entries) > 1:
        yield cbor2.dumps([head, entries[::-1]])


def _sealed_forms(message: bytes) -> Iterator[bytes]:
    protected, _, payload, signature = cbor2.loads(message)
    header = cbor2.loads(protected)
    for algorithm in _ALGORITHMS:
        yield cbor2.dumps([cbor2.dumps(header | {1: algorithm}), {}, payload, signature])
        yield cbor2.dumps([protected, {1: algorithm}, payload, signature])
    bare = {label: value for label, value in header.items() if label != 1}
    yield cbor2.dumps([cbor2.dumps(bare), {}, payload, signature])
    yield cbor2.dumps([cbor2.dumps(bare), {1: -19}, payload, signature])
    yield cbor2.dumps([b"", header, payload, signature])
    yield cbor2.dumps([cbor2.dumps(header | {2: [99], 99: 1}), {}, payload, signature])  # crit
    yield cbor2.dumps([protected, {4: b"k" * 8}, payload, signature])
    yield cbor2.dumps([cbor2.dumps(header | {5: b"k" * 8}), {}, payload, signature])
    doubled = bytes([protected[0] + 1]) + protected[1:] + cbor2.dumps(4) + cbor2.dumps(b"k" * 8)
    yield cbor2.dumps([doubled, {}, payload, signature])  # two kids in one map
    yield from (cbor2.dumps(cbor2.CBORTag(tag, cbor2.loads(message))) for tag in _TAGS)
    yield from (cbor2.dumps(form) for form in _structures(protected, payload, signature))
    yield from _signatures(protected, payload, signature)


def _structures(protected: bytes, payload: bytes, signature: bytes) -> Iterator[object]:
    yield [protected, {}, payload]  # as COSE_Sign1 without its signature
    yield [protected, {}, payload, [[protected, {}, signature]]]  # COSE_Sign
    yield [protected, {}, None, signature]  # detached
    yield [protected, {}, b"", signature]
    yield [protected, {}, payload + b"\x00", signature]
    yield [protected, [], payload, signature]
    yield {0: protected, 1: {}, 2: payload, 3: signature}
    yield [
        protected,
        {},
        cbor2.loads(payload) if payload[:1] != b"{" else payload.decode(),
        signature,
    ]


def _signatures(protected: bytes, payload: bytes, signature: bytes) -> Iterator[bytes]:
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    body = b"\x84" + cbor2.dumps(protected) + b"\xa0" + cbor2.dumps(payload)
    times = (n * _ORDER for n in range(1, 16) if s + n * _ORDER < 1 << 256)
    malleable = [r + (s + more).to_bytes(32, "little") for more in times]  # RFC 8032 section 5.1.7
    for other in (
        *malleable,
        r + ((-s) % _ORDER).to_bytes(32, "little"),
        signature[32:] + r,
        _IDENTITY + bytes(32),
        _IDENTITY + signature[32:],
        bytes(64),
        b"\xff" * 64,
    ):
        yield body + b"\x58\x40" + other
    for short in (b"", signature[:63], signature + b"\x00"):
        yield body + cbor2.dumps(short)
    yield (
        b"\x84"
        + cbor2.dumps(protected)
        + b"\xa0"
        + b"\x5f"
        + cbor2.dumps(payload)
        + b"\xff"
        + (b"\x58\x40" + signature)
    )
    yield b"\x9f" + body[1:] + b"\x58\x40" + signature + b"\xff"
    yield (
        b"\x84"
        + cbor2.dumps(protected)
        + b"\xa0"
        + cbor2.dumps(payload)
        + b"\x59\x00\x40"
        + signature
    )


def resealed(message: bytes, topic: str, enrolment: bytes, key: SealKey, kind: Kind) -> bytes:
    """The same payload under `key`; the key id is that key's own."""
    if is_batch(message):
        head, entries = cbor2.loads(message)
        return cbor2.dumps([resealed(head, topic, enrolment, key, kind), entries])
    return envelope.seal(kind, topic, enrolment, cbor2.loads(message)[2], key)


def with_kid_of(forged: bytes, real: bytes) -> bytes:
    """`forged` that claims the key of `real`."""
    if is_batch(forged):
        head, entries = cbor2.loads(forged)
        return cbor2.dumps([with_kid_of(head, cbor2.loads(real)[0]), entries])
    _, _, payload, signature = cbor2.loads(forged)
    return cbor2.dumps([cbor2.loads(real)[0], {}, payload, signature])
