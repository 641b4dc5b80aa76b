"""Messages from the desk on this terminal: shown once, read, answered by a code; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from protocol import cbor, dispatch
from protocol.dispatch import Message, Numbered
from protocol.refusal import Reason, Refused

NOTES_MAX: Final = 16
SHOWN: Final = "shown"
_BYTES_MAX: Final = 1 << 16
_EMPTY: Final[Mapping[str, "Note"]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Note:
    """A message and what the crew did with it: `shown`, `read`, or their answer's code."""

    message: Message
    state: str = SHOWN


def no_notes() -> Mapping[str, Note]:
    return _EMPTY


def with_message(notes: Mapping[str, Note], message: Message) -> Mapping[str, Note]:
    """The newest NOTES_MAX; one that is known stays as it is."""
    if message.message in notes:
        return notes
    found = {**notes, message.message: Note(message)}
    while len(found) > NOTES_MAX:
        del found[next(iter(found))]
    return MappingProxyType(found)


def answered(notes: Mapping[str, Note], name: str, code: str) -> Mapping[str, Note]:
    """Raises KeyError for an unknown one."""
    return MappingProxyType({**notes, name: replace(notes[name], state=code)})


def encode(notes: Mapping[str, Note]) -> bytes:
    """As they lie in the store."""
    return cbor.encode(
        [[dispatch.encode(Numbered(0, 1, note.message)), note.state] for note in notes.values()]
    )


def decode(data: bytes) -> Mapping[str, Note]:
    """Raises Refused."""
    rows = cbor.decode(data, _BYTES_MAX)
    if not isinstance(rows, list):
        raise Refused(Reason.MALFORMED, "stored messages: no array")
    return MappingProxyType({note.message.message: note for note in _notes(rows)})


def _notes(rows: Iterable[object]) -> Iterable[Note]:
    for row in rows:
        message, state = cbor.array(row, 2, "stored message")
        body = dispatch.decode(message).body
        if not isinstance(body, Message) or not isinstance(state, str):
            raise Refused(Reason.MALFORMED, "stored message: holds something else")
        yield Note(body, state)
