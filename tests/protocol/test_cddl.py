"""docs/protocol/outrider.cddl says what the code does: names, words, and every sample."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from enum import Enum
from pathlib import Path
from typing import Any

import cbor2
import pytest

from protocol import (
    codebook,
    configuration,
    dispatch,
    entry,
    envelope,
    evidence,
    evidence_records,
    identities,
    logbook,
    order,
    position,
    renewal,
    session,
)
from protocol.envelope import Kind
from protocol.refusal import Refused
from tests.protocol import export, samples
from tests.protocol.cddl import Schema

CDDL = (Path(__file__).parents[2] / "docs" / "protocol" / "outrider.cddl").read_text("utf-8")
BARE = re.sub(r";.*", "", CDDL)

CLASSES: dict[str, type[Any]] = {
    "position": position.Position, "head": logbook.Head, "receipt": logbook.Receipt,
    "birth": session.Birth, "versions": session.Versions, "welcome": session.Welcome,
    "will": session.Will, "order": dispatch.Order, "place": dispatch.Place,
    "plan": dispatch.Plan, "confirm": dispatch.Confirm, "cancel": dispatch.Cancel,
    "message": dispatch.Message, "answered": dispatch.Answered, "bind": dispatch.Bind,
    "here": entry.Here, "trust": identities.Trust,
    "role-key": identities.RoleKey, "identities": identities.Identities,
    "identity": identities.Identity, "configuration": configuration.Configuration,
    "codebook": codebook.CodebookDocument,
    "renewal-request": renewal.RenewalRequest, "new-certificate": renewal.NewCertificate,
}  # fmt: skip
BODIES = {
    re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower(): (number, cls)
    for cls, number in entry.KIND_OF.items()
}
EVIDENCE = {
    re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower(): (int(number), cls)
    for cls, number in evidence_records.KIND_OF.items()
}
NOT_RECORDS = {
    "sealed", "sig-structure", "external-aad", "chain-start", "batch", "entry-of", "numbered",
    "evidence",
}  # fmt: skip
JSON_KINDS = {Kind.REQUEST, Kind.REPLY}
WORDS: dict[str, type[Enum]] = {
    "kind": Kind, "order-kind": order.OrderKind, "role": identities.Role,
    "identity-kind": identities.IdentityKind, "identity-state": identities.State,
}  # fmt: skip


def records() -> dict[str, list[str]]:
    """Rules that are arrays of one named field a line: name -> fields."""
    found = {}
    for name, body in re.findall(r"^([a-z0-9-]+)(?:<[^>]*>)? = \[\s*\n(.*?)^\]", BARE, re.M | re.S):
        found[name] = re.findall(r"^    ([a-z0-9_]+):", body, re.M)
    return found


def test_names_are_the_dataclasses() -> None:
    wanted = {
        name: [field.name for field in fields(cls)]
        for name, cls in (CLASSES | {name: cls for name, (_, cls) in BODIES.items()}).items()
    }
    for name, (_, cls) in EVIDENCE.items():
        wanted[name] = ["kind", *(field.name for field in fields(cls))]
    wanted["evidence-row"] = [field.name for field in fields(evidence.Row)]
    found = {name: names for name, names in records().items() if name not in NOT_RECORDS}
    assert found == wanted


def test_what_is_common_to_entries_and_to_dispatch_messages() -> None:
    names = records()
    common = [field.name for field in fields(entry.Entry)]
    assert names["entry-of"] == ["kind", *common]
    assert names["numbered"] == ["term", "counter", "type", "body"]


def test_numbers_of_bodies() -> None:
    assert re.findall(r"entry-of<(\d+), ([a-z-]+)>", BARE) == [
        (str(int(number)), name) for name, (number, _) in BODIES.items()
    ]
    types = re.findall(r"numbered<(\d+), ([a-z-]+)>", BARE)
    names = ("order", "confirm", "cancel", "message", "answered", "bind")
    assert types == [(str(number), name) for number, name in enumerate(names, 1)]
    for one in (
        samples.ORDER, samples.CONFIRM, samples.CANCEL, samples.MESSAGE, samples.ANSWERED,
        samples.BIND,
    ):  # fmt: skip
        number = str(cbor2.loads(dispatch.encode(one))[2])
        assert (number, type(one.body).__name__.lower()) in types


@pytest.mark.parametrize("name", WORDS)
def test_words(name: str) -> None:
    rule = re.search(rf"^{name} = ((?:.|\n(?=    ))*)", BARE, re.M)
    assert rule
    assert re.findall(r'"([a-z_]+)"', rule[1]) == [member.value for member in WORDS[name]]


def test_every_rule_is_used_or_stands_on_its_own() -> None:
    roots = {
        "sealed", "sig-structure", "position", "batch", "head", "entry", "birth", "will", "welcome",
        "receipt", "dispatch", "trust", "identities", "chain-start", "u8", "evidence",
        "configuration", "codebook", "renewal-request", "new-certificate",
    }  # fmt: skip
    rules = re.findall(r"^([a-z0-9-]+)(?:<[^>]*>)? =", BARE, re.M)
    assert len(rules) == len(set(rules))
    for rule in set(rules) - roots:
        uses = re.findall(rf"(?<![a-z0-9_-]){rule}(?![a-z0-9_:-])", BARE)
        assert len(uses) > 1, f"{rule} is defined and never used"


def test_numbers_of_evidence_records() -> None:
    for name, (number, _) in EVIDENCE.items():
        assert re.search(rf"^{name} = \[\s*\n    kind: {number},", BARE, re.M), name


# --- a validator of its own reads the same file -------------------------------------------------

SCHEMA = Schema(CDDL)
RULE_OF_KIND = {kind: kind.value for kind in samples.KINDS if kind not in JSON_KINDS}
RULE_OF_KIND[Kind.BATCH] = "head"
RULE_OF_KIND[Kind.RENEWAL] = "renewal-request"
RULE_OF_KIND[Kind.CERTIFICATE] = "new-certificate"


@pytest.mark.parametrize("kind", RULE_OF_KIND)
def test_payloads_fit_and_changed_ones_do_not(kind: Kind) -> None:
    payload, rule = samples.PAYLOADS[kind][3], RULE_OF_KIND[kind]
    assert SCHEMA.holds(rule, payload)
    value = cbor2.loads(payload)
    assert not SCHEMA.holds(rule, cbor2.dumps([*value, 0]))
    assert not SCHEMA.holds(rule, cbor2.dumps(value[:-1]))
    for place in range(len(value)):
        assert not SCHEMA.holds(rule, cbor2.dumps([*value[:place], {}, *value[place + 1 :]]))


@pytest.mark.parametrize("one", [samples.ORDER, samples.CONFIRM, samples.CANCEL, samples.MESSAGE])
def test_dispatch_messages_fit(one: dispatch.Numbered) -> None:
    assert SCHEMA.holds("dispatch", dispatch.encode(one))


@pytest.mark.parametrize("one", samples.ENTRIES, ids=lambda one: one.kind.name)
def test_entries_fit(one: entry.Entry) -> None:
    data = entry.encode(one)
    assert SCHEMA.holds("entry", data)
    value = cbor2.loads(data)
    assert not SCHEMA.holds("entry", cbor2.dumps([*value[:-1], [*value[-1], 0]]))
    assert not SCHEMA.holds("entry", cbor2.dumps([0, *value[1:]]))


@pytest.mark.parametrize("kind", samples.KINDS)
def test_envelopes_fit(kind: Kind) -> None:
    message = samples.seal(kind)
    assert SCHEMA.holds("sealed", message)
    protected, _, payload, signature = cbor2.loads(message)
    assert not SCHEMA.holds("sealed", cbor2.dumps([protected, {1: -19}, payload, signature]))
    assert not SCHEMA.holds("sealed", cbor2.dumps([protected, {}, payload, signature[:-1]]))
    wrong = cbor2.dumps({1: -8})
    assert not SCHEMA.holds("sealed", cbor2.dumps([wrong, {}, payload, signature]))
    bound_to, enrolment, _, _ = samples.PAYLOADS[kind]
    external = envelope.aad(kind, bound_to, enrolment)
    assert SCHEMA.holds("external-aad", external)
    structure = cbor2.dumps(["Signature1", protected, external, payload])
    assert SCHEMA.holds("sig-structure", structure)


def test_a_batch_fits() -> None:
    assert SCHEMA.holds("batch", samples.sealed_batch())
    sealed, items = cbor2.loads(samples.sealed_batch())
    assert not SCHEMA.holds("batch", cbor2.dumps([sealed, []]))
    assert not SCHEMA.holds("batch", cbor2.dumps([sealed, [*items, [bytes(31)]]]))


BOUNDS = [
    ("position", samples.POSITION, position.encode, position.decode),
    ("birth", samples.BIRTH, session.encode, session.decode_birth),
    ("welcome", samples.WELCOME, session.encode, session.decode_welcome),
]
NUMBERS = (-1, 0, 1, 255, 65_535, 65_536, 2**32 - 1, 2**32, 2**43, 2**43 + 1, None, b"", "x", True)


@pytest.mark.parametrize(("rule", "value", "encode", "decode"), BOUNDS, ids=[b[0] for b in BOUNDS])
def test_the_file_and_the_code_refuse_the_same(
    rule: str, value: Any, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any]
) -> None:
    for field in fields(value):
        for number in NUMBERS:
            data = encode(replace(value, **{field.name: number}))
            try:
                decode(data)
            except Refused as refused:
                if "disagree" not in refused.detail:  # between fields: prose in the file
                    assert not SCHEMA.holds(rule, data), (field.name, number)
            else:
                assert SCHEMA.holds(rule, data), (field.name, number)


def test_a_whole_export_fits() -> None:
    fleet = export.Fleet()
    data = cbor2.loads(fleet.seal(fleet.records()))
    assert SCHEMA.holds("evidence", data[2])
    version, index, found = cbor2.loads(data[2])
    assert not SCHEMA.holds("evidence", cbor2.dumps([version, index, found, 0]))
    for i, one in enumerate(found):
        assert SCHEMA.holds("evidence-record", one)
        short = cbor2.dumps(cbor2.loads(one)[:-1])
        assert not SCHEMA.holds("evidence", cbor2.dumps([version, index, [*found[:i], short]]))
