"""A signed configuration: settings that the centre gives to terminals, laid over their own file.

A document of role `configuration`, bound to the fleet. It says what may differ without a visit:
never who a terminal is, its keys, files, sockets or ports. Pure. Callers: authority (before
sealing), matcher (to whom), agent (opens it and lays it over its file).
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from protocol import cbor, envelope
from protocol.envelope import Kind, Signer
from protocol.fields import U32, integer, many, plain, record, text, time_ms
from protocol.identities import KeyFor
from protocol.names import name
from protocol.refusal import Reason, Refused

SETTINGS_CHARACTERS_MAX: Final = 2000
NAMES_MAX: Final = 32  # of one document; to more of them, or to all, say so without names
KEYS: Final[Mapping[str, frozenset[str]]] = {
    "report": frozenset(
        {"policy", "bound_m", "interval_s", "distance_m", "turn_deg", "lease_s"}
    ),
    "track": frozenset({"entry_s", "fixes_max", "scratch_s"}),
    "health": frozenset({"interval_s"}),
    "broker": frozenset(
        {
            "host", "port", "server_name", "keepalive_s", "connect_timeout_s", "backoff_base_s",
            "backoff_cap_s", "handshake_interval_s",
        }
    ),
    "clock": frozenset({"system"}),
}  # fmt: skip
TOP: Final = frozenset({"log_level"})


@dataclass(frozen=True, slots=True)
class Configuration:
    """The payload, in wire order. No `names`: for every terminal of the fleet."""

    fleet: str
    version: int
    issued_ms: int
    names: tuple[str, ...]
    settings: str  # TOML

    def is_for(self, device: str) -> bool:
        return not self.names or device in self.names


_decode = record(
    Configuration, text(31), integer(1, U32), time_ms, many(text(31), NAMES_MAX),
    text(SETTINGS_CHARACTERS_MAX),
)  # fmt: skip


def encode(configuration: Configuration) -> bytes:
    return cbor.encode(plain(configuration))


def decode(payload: bytes) -> Configuration:
    """Raises Refused; the settings' words are checked, their values only by who applies them."""
    found: Configuration = _decode(cbor.decode(payload), "configuration")
    for one in found.names:
        name(one, "configuration.names")
    table_of(found.settings)
    return found


def seal(configuration: Configuration, key: Signer) -> bytes:
    payload = encode(configuration)
    return envelope.seal(Kind.CONFIGURATION, configuration.fleet, b"", payload, key)


def open_configuration(message: bytes, fleet: str, key_for: KeyFor) -> Configuration:
    """Raises Refused."""
    opened = envelope.open_sealed(
        message,
        kinds=frozenset({Kind.CONFIGURATION}),
        bound_to=fleet,
        enrolment=b"",
        key_for=key_for,
    )
    found = decode(opened.payload)
    if found.fleet != fleet:
        raise Refused(Reason.WRONG_ROLE, f"document of fleet {found.fleet}, not {fleet}")
    return found


def table_of(settings: str) -> dict[str, Any]:
    """The settings as tables; raises Refused: no TOML, a word that may not be set from afar."""
    if len(settings) > SETTINGS_CHARACTERS_MAX:
        detail = f"configuration: {len(settings)} characters; at most {SETTINGS_CHARACTERS_MAX}"
        raise Refused(Reason.TOO_LARGE, detail)
    try:
        table = tomllib.loads(settings)
    except (tomllib.TOMLDecodeError, RecursionError) as cause:
        raise Refused(Reason.MALFORMED, f"configuration: is not TOML: {cause!s:.80}") from cause
    for word, value in table.items():
        if word in TOP:
            continue
        if word not in KEYS:
            raise _unknown(word, TOP | KEYS.keys())
        if not isinstance(value, dict):
            raise Refused(Reason.MALFORMED, f"configuration: {word} is a table: write [{word}]")
        for inner in value:
            if inner not in KEYS[word]:
                raise _unknown(f"{word}.{inner}", {f"{word}.{known}" for known in KEYS[word]})
    return table


def laid_over(own: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """A terminal's own settings with the given ones in their place."""
    merged = dict(own)
    for word, value in table.items():
        mine = merged.get(word)
        is_table = isinstance(value, dict) and isinstance(mine, Mapping)
        merged[word] = {**(mine or {}), **value} if is_table else value
    return merged


def _unknown(word: str, known: frozenset[str] | set[str]) -> Refused:
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    remedy = f"did you mean {near[0]}?" if near else f"may be set: {', '.join(sorted(known))}"
    detail = f"configuration: {word!r:.60} is not to be set from afar; {remedy}"
    return Refused(Reason.OUT_OF_RANGE, detail)
