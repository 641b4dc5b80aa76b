"""Makes docs/protocol/asyncapi.yaml from the topics and the models: the same text each time.

    python -m tests.protocol.make_asyncapi

Operations are the centre's: it receives what terminals and managers send. Sealed payloads are
described by outrider.cddl; JSON by schemas made from the models (JSON Schema draft 7, which
AsyncAPI's schema object extends).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from pydantic.json_schema import models_json_schema

from protocol import topics
from protocol.managers import MODELS
from protocol.request import REQUEST, Reply

FILE: Final = Path(__file__).parents[2] / "docs" / "protocol" / "asyncapi.yaml"
REF: Final = "#/components/schemas/{model}"
Json = dict[str, Any]

COSE: Final = 'application/cose; cose-type="cose-sign1"'
JSON: Final = "application/json"
PARAMETERS: Final = {
    "fleet": "Name of the fleet.",
    "device": "A terminal's name.",
    "manager": "Name of a manager's tool: one identity, one connection.",
    "verb": "What is asked for; the same verb stands in the sealed request.",
    "unit": "A unit's call sign.",
    "incident": "An incident's id.",
    "alert": "Kind of the alert.",
    "group": "A group of people; role group-NAME belongs to it.",
    "list": "Name of the broker's access list: a digest of its text.",
}


class Channel(NamedTuple):
    """One row of the wire contract's table."""

    name: str
    address: str
    what: str
    action: str  # the centre's
    qos: int
    retain: bool
    content: str
    payloads: tuple[str, ...]  # names of models, or CDDL rules and kinds


def _terminal(lane: topics.TerminalLane) -> str:
    return topics.terminal("{fleet}", "{device}", lane)


CHANNELS: Final = (
    Channel("position", _terminal("position"), "The newest position; lost ones are not repeated.",
            "receive", 0, False, COSE, ("position",)),
    Channel("logbook", _terminal("logbook"), "What must not be lost: a sealed head, its entries.",
            "receive", 1, False, COSE, ("batch",)),
    Channel("link", _terminal("link"), "Birth at each connection; the will is a hint only.",
            "receive", 1, False, COSE, ("birth", "will")),
    Channel("order", _terminal("order"), "All that the centre tells one terminal. Receipts QoS 0.",
            "send", 1, False, COSE,
            ("dispatch", "welcome", "receipt", "trust", "configuration", "new-certificate")),
    Channel("request", topics.request("{fleet}", "{manager}", "{verb}"),
            "A manager's request: JSON inside the envelope of kind request.",
            "receive", 1, False, COSE, ("Request",)),
    Channel("reply", topics.reply("{fleet}", "{manager}"),
            "Done, or refused with the reason: JSON inside the envelope of kind reply.",
            "send", 1, False, COSE, ("Reply",)),
    Channel("unit", topics.unit("{fleet}", "{unit}"),
            "A unit's verified state, at most once a second; expires.",
            "send", 0, True, JSON, ("UnitFeature",)),
    Channel("incident", topics.incident("{fleet}", "{incident}"),
            "An incident, retained; once it is closed its last state stays for ten minutes.",
            "send", 1, True, JSON, ("IncidentState",)),
    Channel("alert", topics.alert("{fleet}", "{alert}"), "Repeated until acknowledged.",
            "send", 1, False, JSON, ("Alert",)),
    Channel("group-unit", topics.group_unit("{fleet}", "{group}", "{unit}"),
            "As unit, for one that is not open to all; retained only where it is restricted, a "
            "covert one is said again each 10 s.",
            "send", 0, True, JSON, ("UnitFeature",)),
    Channel("group-incident", topics.group_incident("{fleet}", "{group}", "{incident}"),
            "As incident, with the group's units on it; not retained where one of them is covert.",
            "send", 1, True, JSON, ("IncidentState",)),
    Channel("group-alert", topics.group_alert("{fleet}", "{group}", "{alert}"),
            "Alerts about the group's units, and about incidents that they alone are on.",
            "send", 1, False, JSON, ("Alert",)),
    Channel("statistics", topics.statistics("{fleet}"), "Figures of the fleet.",
            "send", 0, True, JSON, ("Statistics",)),
    Channel("trust", topics.trust("{fleet}"),
            "The newest trust document, retained, for managers' tools; sealed by the root.",
            "send", 1, True, COSE, ("trust",)),
    Channel("canary", topics.canary("{fleet}"),
            "The matcher's message to itself: proof that its subscriptions deliver.",
            "send", 0, False, "application/octet-stream", ()),
    Channel("list-canary", topics.list_canary("{fleet}", "{list}"),
            "The matcher to itself, on the name of the access list that allows it: proof that the "
            "broker uses this list. On `shut`, which none allows, nothing may ever come.",
            "send", 0, False, "application/octet-stream", ()),
)  # fmt: skip


def draft7(schema: Any) -> Any:
    """What pydantic says in a newer draft or in OpenAPI's way, said in AsyncAPI's."""
    if isinstance(schema, list):
        return [draft7(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: draft7(value) for key, value in schema.items()}
    if "prefixItems" in found:
        found["items"] = found.pop("prefixItems")
        found["additionalItems"] = False
    if isinstance(found.get("discriminator"), dict):
        found["discriminator"] = found["discriminator"]["propertyName"]
    return found


def schemas() -> Json:
    _, made = models_json_schema(
        [(model, "validation") for model in (*MODELS, Reply)], ref_template=REF
    )
    union = REQUEST.json_schema(ref_template=REF)
    parts = made["$defs"] | union.pop("$defs")
    found: Json = draft7({**parts, "Request": union})
    return dict(sorted(found.items()))


def message(channel: Channel, payload: str) -> Json:
    if channel.content == JSON:
        return {
            "name": payload,
            "contentType": JSON,
            "payload": {"$ref": REF.format(model=payload)},
        }
    sealed: Json = {"type": "string", "format": "binary"}
    found = {"name": payload, "contentType": channel.content, "payload": sealed}
    if payload[0].isupper():
        sealed["description"] = "COSE_Sign1 whose payload is the JSON of x-json."
        return found | {"x-json": {"$ref": REF.format(model=payload)}}
    sealed["description"] = f"COSE_Sign1 of kind {payload}; rule {payload} of outrider.cddl."
    return found | {"x-cddl": payload}


def messages(channel: Channel) -> Json:
    if not channel.payloads:
        return {channel.name: {"name": channel.name, "contentType": channel.content}}
    return {payload: message(channel, payload) for payload in channel.payloads}


def document() -> Json:
    channels, operations = {}, {}
    for one in CHANNELS:
        names = re.findall(r"\{([a-z]+)\}", one.address)
        channels[one.name] = {
            "address": one.address,
            "description": one.what,
            "parameters": {name: {"description": PARAMETERS[name]} for name in names},
            "messages": messages(one),
        }
        operations[f"{one.action}-{one.name}"] = {
            "action": one.action,
            "channel": {"$ref": f"#/channels/{one.name}"},
            "bindings": {"mqtt": {"qos": one.qos, "retain": one.retain, "bindingVersion": "0.2.0"}},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Outrider",
            "version": "1",
            "description": "Every topic, as the centre sees it. MQTT 5 or 3.1.1 over TLS 1.3 with"
            " client certificates; no session. Sealed payloads: outrider.cddl and README.md beside"
            " this file. State topics are not sealed: whoever acts asks the matcher.",
        },
        "defaultContentType": JSON,
        "channels": channels,
        "operations": operations,
        "components": {"schemas": schemas()},
    }


def text() -> str:
    head = "# Made by tests/protocol/make_asyncapi.py from protocol/topics.py and the models.\n"
    return head + yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=96)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
