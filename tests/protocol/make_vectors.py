"""Makes docs/protocol/vectors.json: the same bytes each time, from seeds that are written in it.

    python -m tests.protocol.make_vectors

A track is packed as a stored block here (RFC 1951 section 3.2.4): what a compressor makes of it
differs between libraries, and a reader must take either.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cbor2

from protocol import dispatch, entry, envelope, logbook, request, topics
from protocol.cose import sig_structure
from protocol.entry import Entry, Track
from protocol.envelope import Kind
from protocol.fields import named
from protocol.keys import SealKey
from protocol.logbook import Head, Item
from protocol.message import open_message
from protocol.position import encode as encode_position
from protocol.track import CODEC, TrackPoint, pack
from protocol.window import Take, Window
from tests.protocol import samples

FILE: Final = Path(__file__).parents[2] / "docs" / "protocol" / "vectors.json"
SEEDS: Final = {name: name.encode().ljust(32, b".") for name in
                ("terminal", "centre", "manager", "root", "other")}  # fmt: skip
KEYS: Final = {name: SealKey.from_seed(seed) for name, seed in SEEDS.items()}
Json = dict[str, Any]

POINTS: Final = (
    TrackPoint(samples.NOW_MS, 24_513_001, 117_647_003, 100, 91, 2, 0),
    TrackPoint(samples.NOW_MS + 1000, 24_513_001, 117_647_101, 102, 90, 2, 0),
    TrackPoint(samples.NOW_MS + 2000, 24_512_999, 117_647_201, None, None, 1, 0b10_0000_0000),
)


def stored(points: tuple[TrackPoint, ...]) -> tuple[bytes, bytes]:
    """(columns, packed) of a track, packed without compression."""
    raw = zlib.decompress(pack(points), -15)
    size = len(raw).to_bytes(2, "little")
    return raw, b"\x01" + size + bytes(255 - byte for byte in size) + raw


def entries() -> tuple[Entry, ...]:
    track = Track(CODEC, len(POINTS), stored(POINTS)[1])
    return tuple(
        replace(one, body=track) if isinstance(one.body, Track) else one for one in samples.ENTRIES
    )


def name_of(key: SealKey) -> str:
    return next(name for name, known in KEYS.items() if known.public == key.public)


def message_vector(
    name: str, kind: Kind, payload: bytes, items: tuple[Item, ...] | None = None
) -> Json:
    """One sealed message with every step on the way to it."""
    bound_to, enrolment, key, _ = samples.PAYLOADS[kind]
    sealed = envelope.seal(kind, bound_to, enrolment, payload, key)
    protected = cbor2.loads(sealed)[0]
    external = envelope.aad(kind, bound_to, enrolment)
    message = sealed if items is None else logbook.encode_batch(sealed, items)
    return {
        "name": name,
        "kind": kind.value,
        "key": name_of(key),
        "bound_to": bound_to,
        "enrolment": enrolment.hex(),
        "payload": payload.hex(),
        "protected": protected.hex(),
        "aad": external.hex(),
        "sig_structure": sig_structure(protected, external, payload).hex(),
        "message": message.hex(),
        "opened": open_message(message, key.verify_key, bound_to, enrolment),
    }


def messages() -> list[Json]:
    alone = [
        message_vector(kind.value, kind, samples.PAYLOADS[kind][3])
        for kind in samples.KINDS
        if kind not in {Kind.BATCH, Kind.DISPATCH}
    ]
    numbered = [
        message_vector(f"dispatch {type(one.body).__name__.lower()}", Kind.DISPATCH,
                       dispatch.encode(one))
        for one in (samples.ORDER, samples.CONFIRM, samples.CANCEL, samples.MESSAGE)
    ]  # fmt: skip
    nowhere = replace(samples.POSITION, lat_e7=None, lon_e7=None, fix_kind=0, time_trust=0)
    no_fix = message_vector("position without fix", Kind.POSITION, encode_position(nowhere))
    head, items = samples.batch(entries(), bare=frozenset({2}))
    whole = message_vector("batch", Kind.BATCH, logbook.encode_head(head), items)
    return [*alone, no_fix, whole, *numbered]


def chain() -> Json:
    start = ["outrider/1", "logbook", samples.LOGBOOK, samples.ENROLMENT, KEYS["terminal"].public]
    head, steps = samples.CHAIN_START, []
    for n, one in enumerate(entries(), 1):
        data = entry.encode(one)
        head = logbook.chain(head, n, logbook.digest(data))
        steps.append(
            {
                "n": n,
                "entry": data.hex(),
                "names": {"kind": one.kind.name.lower(), **named(one)},
                "digest": logbook.digest(data).hex(),
                "head": head.hex(),
            }
        )
    return {
        "start": cbor2.dumps(start).hex(),
        "head_0": samples.CHAIN_START.hex(),
        "entries": steps,
    }


ARRIVALS: Final = {
    "in order, then again": [(1, 1), (1, 2), (1, 2), (1, 1)],
    "out of order": [(1, 3), (1, 1), (1, 2), (1, 3), (1, 4)],
    "edge of the width": [(1, 256), (1, 257), (1, 1), (1, 257), (1, 258), (1, 514)],
    "a higher term, then the lower one": [(1, 1), (3, 2), (1, 2), (2, 1), (3, 1), (3, 300)],
}


def windows() -> list[Json]:
    found = []
    for name, arrivals in ARRIVALS.items():
        window, verdicts = Window(), []
        for term, counter in arrivals:
            take = window.judge(term, counter)
            window = window.taken(term, counter) if take is Take.NEW else window
            verdicts.append({"term": term, "counter": counter, "verdict": take.value})
        end = {"term": window.term, "floor": window.floor, "bits": f"{window.bits:x}"}
        found.append({"name": name, "arrivals": verdicts, "window": end})
    return found


def track() -> Json:
    raw, packed = stored(POINTS)
    return {
        "codec": CODEC,
        "points": named(POINTS),
        "columns": raw.hex(),
        "packed": packed.hex(),
    }


def refusal(name: str, reason: str, message: bytes, kind: Kind, **other: Any) -> Json:
    """A message that must be refused, and as what it comes."""
    bound_to, enrolment, key, _ = samples.PAYLOADS[kind]
    return {
        "name": name,
        "topic": other.get("topic", bound_to),
        "enrolment": other.get("enrolment", enrolment).hex(),
        "public_key": other.get("public", key.public).hex(),
        "message": message.hex(),
        "reason": reason,
    }


def with_header(header: dict[int, Any], kind: Kind = Kind.BIRTH) -> bytes:
    """The sample of a kind under another protected header, soundly signed."""
    bound_to, enrolment, key, payload = samples.PAYLOADS[kind]
    protected = cbor2.dumps(header, canonical=True)
    external = envelope.aad(kind, bound_to, enrolment)
    signature = key.sign(sig_structure(protected, external, payload))
    return cbor2.dumps([protected, {}, payload, signature])


def with_payload(payload: bytes, kind: Kind) -> bytes:
    bound_to, enrolment, key, _ = samples.PAYLOADS[kind]
    return envelope.seal(kind, bound_to, enrolment, payload, key)


def refused_envelopes() -> list[Json]:
    birth = samples.seal(Kind.BIRTH)
    kid, label = KEYS["terminal"].kid, -65537
    flipped = bytearray(birth)
    flipped[40] ^= 1
    elsewhere = topics.terminal(samples.FLEET, "car-8", "link")
    unprotected = cbor2.loads(birth)
    unprotected[1] = {4: KEYS["other"].kid}
    longer = birth.replace(b"\xa0\x58", b"\xa0\x59\x00", 1)
    as_birth, as_position = Kind.BIRTH, Kind.POSITION
    position = samples.seal(as_position)
    return [
        refusal("one bit of the payload", "bad_seal", bytes(flipped), as_birth),
        refusal("another topic", "bad_seal", birth, as_birth, topic=elsewhere),
        refusal("another enrolment", "bad_seal", birth, as_birth, enrolment=bytes(16)),
        refusal("another key", "unknown_key", birth, as_birth, public=KEYS["other"].public),
        refusal(
            "another key, of a position",
            "bad_seal",
            position,
            as_position,
            public=KEYS["other"].public,
        ),
        refusal("a position on the link", "wrong_kind", position, as_birth),
        refusal("a birth on the order topic", "wrong_kind", birth, Kind.WELCOME),
        refusal(
            "algorithm -8",
            "wrong_algorithm",
            with_header({1: -8, 4: kid, label: "birth"}),
            as_birth,
        ),
        refusal(
            "algorithm 0", "wrong_algorithm", with_header({1: 0, 4: kid, label: "birth"}), as_birth
        ),
        refusal("no algorithm", "malformed", with_header({4: kid, label: "birth"}), as_birth),
        refusal("no kid", "malformed", with_header({1: -19, label: "birth"}), as_birth),
        refusal("no kind", "malformed", with_header({1: -19, 4: kid}), as_birth),
        refusal(
            "a kind that is none",
            "wrong_kind",
            with_header({1: -19, 4: kid, label: "order"}),
            as_birth,
        ),
        refusal(
            "a critical header",
            "malformed",
            with_header({1: -19, 2: [99], 4: kid, label: "birth"}),
            as_birth,
        ),
        refusal("an unprotected header", "malformed", cbor2.dumps(unprotected), as_birth),
        refusal("tag 18", "malformed", b"\xd2" + birth, as_birth),
        refusal("a byte behind", "malformed", birth + b"\x00", as_birth),
        refusal("a byte short", "malformed", birth[:-1], as_birth),
        refusal("a length not in shortest form", "malformed", longer, as_birth),
        refusal("an array without length", "malformed", b"\x9f" + birth[1:] + b"\xff", as_birth),
        refusal("a length of 4 GiB", "malformed", birth[:5] + b"\x5a\xff\xff\xff\xff", as_birth),
        refusal("100 levels", "malformed", b"\x81" * 100 + b"\x00", as_birth),
        refusal("a key of small order", "malformed", position, as_position, public=bytes(32)),
        refusal(
            "a key that is not canonical",
            "malformed",
            position,
            as_position,
            public=(2**255 - 1).to_bytes(32, "little"),
        ),
    ]


def refused_payloads() -> list[Json]:
    as_position, as_dispatch, as_request = Kind.POSITION, Kind.DISPATCH, Kind.REQUEST
    position = encode_position(samples.POSITION)
    late = encode_position(replace(samples.POSITION, next_s=31))
    north = encode_position(replace(samples.POSITION, lat_e7=900_000_001))
    half = encode_position(replace(samples.POSITION, lat_e7=None))
    zero = dispatch.encode(replace(samples.ORDER, counter=0))
    priority = request.encode(samples.REPORT).replace(b'"priority":2', b'"priority":9')
    other_verb = topics.request(samples.FLEET, samples.MANAGER, "cancel")
    moved = envelope.seal(
        as_request, other_verb, bytes(16), request.encode(samples.REPORT), KEYS["manager"]
    )
    head, items = samples.batch(entries())
    sealed = with_payload(logbook.encode_head(head), Kind.BATCH)
    swapped = (items[1], items[0], *items[2:])
    other = Head(head.logbook, 1, head.head_before, 600, head.head_last)
    ranges = replace(samples.RECEIPT, ranges=((229, 231),))
    return [
        refusal("next_s too large", "out_of_range", with_payload(late, as_position), as_position),
        refusal("beyond the pole", "out_of_range", with_payload(north, as_position), as_position),
        refusal("longitude alone", "out_of_range", with_payload(half, as_position), as_position),
        refusal(
            "a byte behind the payload",
            "malformed",
            with_payload(position + b"\0", as_position),
            as_position,
        ),
        refusal("number 0", "out_of_range", with_payload(zero, as_dispatch), as_dispatch),
        refusal("priority 9", "malformed", with_payload(priority, as_request), as_request),
        refusal("another verb", "wrong_kind", moved, as_request, topic=other_verb),
        refusal(
            "a range that joins n",
            "out_of_range",
            with_payload(logbook.encode_receipt(ranges), Kind.RECEIPT),
            Kind.RECEIPT,
        ),
        refusal(
            "two entries swapped", "chain_broken", logbook.encode_batch(sealed, swapped), Kind.BATCH
        ),
        refusal(
            "an entry missing", "chain_broken", logbook.encode_batch(sealed, items[:-1]), Kind.BATCH
        ),
        refusal(
            "600 entries",
            "out_of_range",
            logbook.encode_batch(with_payload(logbook.encode_head(other), Kind.BATCH), items),
            Kind.BATCH,
        ),
    ]


def vectors() -> Json:
    return {
        "about": "Examples of docs/protocol/README.md; bytes in hex. Made by "
        "tests/protocol/make_vectors.py from the seeds in `keys`.",
        "keys": {
            name: {"seed": SEEDS[name].hex(), "public": key.public.hex(), "kid": key.kid.hex()}
            for name, key in KEYS.items()
        },
        "messages": messages(),
        "chain": chain(),
        "windows": windows(),
        "track": track(),
        "refused": [*refused_envelopes(), *refused_payloads()],
    }


def text() -> str:
    return json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
