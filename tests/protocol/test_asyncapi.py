"""docs/protocol/asyncapi.yaml is what topics and models say, and its references lead somewhere."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")

from protocol import request, topics  # noqa: E402
from protocol.managers import MODELS  # noqa: E402
from tests.protocol import make_asyncapi  # noqa: E402
from tests.protocol.test_cddl import records  # noqa: E402

TEXT = make_asyncapi.FILE.read_text(encoding="utf-8")
DOCUMENT: dict[str, Any] = yaml.safe_load(TEXT)


NO_TOPIC = {"parse", "parse_owned", "owned_by_matcher"}


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    children = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for child in children:
            yield from nodes(child)


def test_the_file_is_what_the_code_makes() -> None:
    assert make_asyncapi.text() == TEXT, "run: python -m tests.protocol.make_asyncapi"


def test_every_topic_is_described() -> None:
    """Each function that makes a topic for one place, called with its parameters in braces."""
    made = set()
    for name, function in inspect.getmembers(topics, inspect.isfunction):
        public = function.__module__ == topics.__name__ and not name.startswith("_")
        if not public or name.startswith("all_") or name in NO_TOPIC:
            continue
        places = list(inspect.signature(function).parameters)
        if name == "terminal":
            made |= {function("x", "x", lane) for lane in ("position", "logbook", "link", "order")}
        else:
            made.add(function(*("x" for _ in places)))
    addresses = {channel["address"] for channel in DOCUMENT["channels"].values()}
    assert {re.sub(r"\{[a-z]+\}", "x", address) for address in addresses} == made


def test_parameters_are_those_of_the_address() -> None:
    for channel in DOCUMENT["channels"].values():
        assert list(channel["parameters"]) == re.findall(r"\{([a-z]+)\}", channel["address"])


def test_references_lead_somewhere() -> None:
    references = [node["$ref"] for node in nodes(DOCUMENT) if "$ref" in node]
    assert len(references) > 20
    for reference in references:
        found: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert found


def test_schemas_are_draft_7() -> None:
    keys = {key for node in nodes(DOCUMENT["components"]) for key in node}
    assert not keys & {"prefixItems", "$defs", "unevaluatedProperties", "dependentSchemas"}
    point = DOCUMENT["components"]["schemas"]["PointGeometry"]["properties"]["coordinates"]
    assert [item["maximum"] for item in point["items"]] == [180, 90]


def test_every_model_has_its_schema() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for model in (*MODELS, request.Reply):
        assert list(schemas[model.__name__]["properties"]) == list(model.model_fields)
    verbs = [
        schemas[option["$ref"].rpartition("/")[2]]["properties"]["verb"]["const"]
        for option in schemas["Request"]["oneOf"]
    ]
    assert verbs == list(request.VERBS)


def test_sealed_kinds_are_rules_of_the_cddl() -> None:
    rules = {node["x-cddl"] for node in nodes(DOCUMENT) if "x-cddl" in node}
    assert rules - {"dispatch"} <= set(records())  # dispatch is a choice of records


def test_retained_and_qos_are_the_contracts() -> None:
    bindings = {
        name.partition("-")[2]: (one["bindings"]["mqtt"]["qos"], one["bindings"]["mqtt"]["retain"])
        for name, one in DOCUMENT["operations"].items()
    }
    assert bindings == {
        "position": (0, False), "logbook": (1, False), "link": (1, False), "order": (1, False),
        "request": (1, False), "reply": (1, False), "unit": (0, True), "incident": (1, True),
        "alert": (1, False), "statistics": (0, True), "canary": (0, False),
        "trust": (1, True), "list-canary": (0, False), "group-unit": (0, True),
        "group-incident": (1, True), "group-alert": (1, False),
    }  # fmt: skip
