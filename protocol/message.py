"""One of our messages opened for people: `kind` and the payload's names.

Which kinds a topic carries is said here once for readers; the daemons ask for their own kinds.
Called by `outrider message open`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from protocol import (
    cbor,
    codebook,
    configuration,
    dispatch,
    entry,
    envelope,
    identities,
    logbook,
    position,
    renewal,
    request,
    session,
    topics,
    track,
)
from protocol.envelope import DOCUMENT_KINDS, Kind, Opened, PositionOpener
from protocol.fields import named
from protocol.keys import VerifyKey
from protocol.names import name
from protocol.refusal import Reason, Refused
from protocol.topics import RequestTopic

_KINDS_OF_LANE: Final = {
    "position": frozenset({Kind.POSITION}),
    "logbook": frozenset({Kind.BATCH}),
    "link": frozenset({Kind.BIRTH, Kind.WILL, Kind.RENEWAL}),  # a renewal travels in an entry
    "order": frozenset({Kind.DISPATCH, Kind.WELCOME, Kind.RECEIPT, Kind.ROSTER, Kind.PICTURE})
    | {Kind.CERTIFICATE}
    | DOCUMENT_KINDS,
}
_NAMED: Final[dict[Kind, Callable[[bytes], Any]]] = {
    Kind.BIRTH: session.decode_birth,
    Kind.WILL: session.decode_will,
    Kind.WELCOME: session.decode_welcome,
    Kind.RECEIPT: logbook.decode_receipt,
    Kind.CONFIGURATION: configuration.decode,
    Kind.CODEBOOK: lambda payload: codebook.decode(payload)[0],
    Kind.RENEWAL: renewal.decode_request,
    Kind.CERTIFICATE: renewal.decode_certificate,
}
_REQUEST: Final = frozenset({Kind.REQUEST})
_REPLY: Final = frozenset({Kind.REPLY})


def open_message(message: bytes, key: VerifyKey, topic: str, enrolment: bytes) -> dict[str, Any]:
    """Open and decode; `topic` is a document's fleet for kinds that are bound to the fleet.

    Raises Refused wherever a daemon would refuse the bytes; keys, roles, ages and numbers that
    only a daemon knows are not judged.
    """
    kinds, fleet, verb = _expected(topic)
    if kinds == _KINDS_OF_LANE["logbook"]:
        return _open_batch(message, key, topic, enrolment)
    if kinds == _KINDS_OF_LANE["position"]:
        payload = PositionOpener(topic, enrolment, (key,)).open(message)
        return {"kind": Kind.POSITION.value, **_position(payload)}
    kind, _ = envelope.peek(message, identities.DOCUMENT_BYTES_MAX)
    is_document = kind in DOCUMENT_KINDS
    opened = envelope.open_sealed(
        message,
        kinds=kinds,
        bound_to=fleet if is_document else topic,
        enrolment=b"" if is_document else enrolment,
        key_for=_only(key),
        bytes_max=identities.DOCUMENT_BYTES_MAX if is_document else cbor.MESSAGE_BYTES_MAX,
    )
    return {"kind": opened.kind.value, **_payload(opened, fleet, verb)}


def _only(key: VerifyKey) -> Callable[[Kind, bytes], VerifyKey | None]:
    return lambda _kind, kid: key if kid == key.kid else None


def _expected(topic: str) -> tuple[frozenset[Kind], str, str]:
    """Kinds that belong on `topic`, its fleet, and a request's verb."""
    if "/" not in topic:
        return DOCUMENT_KINDS, name(topic, "fleet"), ""
    parts = topic.split("/")
    if len(parts) == 6 and topic == topics.reply(parts[3], parts[5]):
        name(parts[3], "topic")
        name(parts[5], "topic")
        return _REPLY, parts[3], ""
    parsed = topics.parse(topic)
    if isinstance(parsed, RequestTopic):
        return _REQUEST, parsed.fleet, parsed.verb
    return _KINDS_OF_LANE[parsed.lane], parsed.fleet, ""


def _payload(opened: Opened, fleet: str, verb: str) -> dict[str, Any]:
    found: dict[str, Any]
    match opened.kind:
        case kind if kind in _NAMED:
            found = named(_NAMED[kind](opened.payload))
        case Kind.DISPATCH:
            found = _dispatch(opened.payload)
        case Kind.REQUEST:
            found = {"request": _request(opened.payload, verb)}
        case Kind.REPLY:
            found = {"reply": json.loads(request.encode(request.decode_reply(opened.payload)))}
        case Kind.TRUST:
            found = named(_of_fleet(identities.decode_trust(opened.payload), fleet))
        case Kind.IDENTITIES:
            found = named(_of_fleet(identities.decode_identities(opened.payload), fleet))
        case _:
            found = {"payload": opened.payload.hex()}  # no form is laid down yet
    return found


def _position(payload: bytes) -> dict[str, Any]:
    decoded = position.decode(payload)
    position.check_canonical(payload, decoded)
    shown: dict[str, Any] = named(decoded)
    return shown


def _of_fleet(
    document: identities.Trust | identities.Identities, fleet: str
) -> identities.Trust | identities.Identities:
    if document.fleet != fleet:
        raise Refused(Reason.WRONG_ROLE, f"document of fleet {document.fleet}, not {fleet}")
    return document


def _dispatch(payload: bytes) -> dict[str, Any]:
    numbered = dispatch.decode(payload)
    kind = type(numbered.body).__name__.lower()
    return {
        "term": numbered.term,
        "counter": numbered.counter,
        "type": kind,
        "body": named(numbered.body),
    }


def _request(payload: bytes, verb: str) -> Any:
    decoded = request.decode_request(payload)
    sealed_verb = getattr(decoded, "verb", "")
    if sealed_verb != verb:
        raise Refused(Reason.WRONG_KIND, f"verb {sealed_verb} on the topic of {verb}")
    return json.loads(request.encode(decoded))


def _open_batch(message: bytes, key: VerifyKey, topic: str, enrolment: bytes) -> dict[str, Any]:
    batch = logbook.decode_batch(message)
    opened = envelope.open_sealed(
        batch.sealed_head,
        kinds=_KINDS_OF_LANE["logbook"],
        bound_to=topic,
        enrolment=enrolment,
        key_for=_only(key),
    )
    head = logbook.decode_head(opened.payload)
    logbook.check_joins(head, batch.items)
    entries = [_item(item, n) for n, item in enumerate(batch.items, head.first)]
    return {"kind": opened.kind.value, **named(head), "entries": entries}


def _item(item: logbook.Item, n: int) -> dict[str, Any]:
    """One entry; `entry` null where only its digest travels, or it cannot be read (`fault`).

    An entry that cannot be read is kept by the centre as it is; it does not spoil its batch.
    """
    shown: dict[str, Any] = {"n": n, "digest": item.digest.hex(), "entry": None}
    if item.data is None:
        return shown
    try:
        decoded = entry.decode(item.data)
        if isinstance(decoded.body, entry.Track):
            shown["points"] = named(track.unpack(decoded.body.packed, decoded.body.count))
        shown["entry"] = {"kind": decoded.kind.name.lower(), **named(decoded)}
    except Refused as refused:
        shown |= {"data": item.data.hex(), "fault": str(refused)}
    return shown
