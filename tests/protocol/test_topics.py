"""Topics and names: made, taken apart, and nothing else taken for one."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol import names, topics
from protocol.refusal import Reason, Refused
from protocol.topics import OwnedTopic, RequestTopic, TerminalLane, TerminalTopic

LANES: tuple[TerminalLane, ...] = ("position", "logbook", "link", "order")
name = st.from_regex(r"[a-z0-9-]{1,31}", fullmatch=True)


def refused(topic: str) -> str:
    with pytest.raises(Refused) as caught:
        topics.parse(topic)
    assert caught.value.reason is Reason.UNKNOWN_TOPIC
    return caught.value.detail


@given(name, name, st.sampled_from(LANES))
def test_a_terminals_topic_there_and_back(fleet: str, device: str, lane: TerminalLane) -> None:
    topic = topics.terminal(fleet, device, lane)
    assert topic == f"outrider/v1/terminal/{fleet}/{device}/{lane}"
    assert topics.parse(topic) == TerminalTopic(fleet, device, lane)  # type: ignore[arg-type]


@given(name, name, name)
def test_a_request_there_and_back(fleet: str, manager: str, verb: str) -> None:
    topic = topics.request(fleet, manager, verb)
    assert topics.parse(topic) == RequestTopic(fleet, manager, verb)  # type: ignore[arg-type]


def test_the_table_of_topics() -> None:
    assert topics.request("zz", "m", "report") == "outrider/v1/fleet/zz/request/m/report"
    assert topics.reply("zz", "m") == "outrider/v1/fleet/zz/reply/m"
    assert topics.unit("zz", "621") == "outrider/v1/fleet/zz/unit/621"
    assert topics.incident("zz", "i-1") == "outrider/v1/fleet/zz/incident/i-1"
    assert topics.alert("zz", "sos") == "outrider/v1/fleet/zz/alert/sos"
    assert topics.statistics("zz") == "outrider/v1/fleet/zz/statistics"
    assert topics.canary("zz") == "outrider/v1/fleet/zz/canary"
    assert topics.list_canary("zz", "shut") == "outrider/v1/fleet/zz/canary/shut"
    assert topics.all_terminals("zz", "link") == "outrider/v1/terminal/zz/+/link"
    assert topics.all_requests("zz") == "outrider/v1/fleet/zz/request/+/+"
    assert topics.owned_by_matcher("zz") == (
        "outrider/v1/fleet/zz/unit/+", "outrider/v1/fleet/zz/incident/+",
        "outrider/v1/fleet/zz/statistics", "outrider/v1/fleet/zz/group/+/unit/+",
        "outrider/v1/fleet/zz/group/+/incident/+",
    )  # fmt: skip
    group = "outrider/v1/fleet/zz/group/g"
    assert topics.group_unit("zz", "g", "621") == f"{group}/unit/621"
    assert topics.group_incident("zz", "g", "i-1") == f"{group}/incident/i-1"
    assert topics.group_alert("zz", "g", "sos") == f"{group}/alert/sos"


def test_retained_topics_of_the_matcher_and_no_others() -> None:
    owned = {
        topics.unit("zz", "621"): OwnedTopic("unit", "621"),
        topics.incident("zz", "i-1"): OwnedTopic("incident", "i-1"),
        topics.statistics("zz"): OwnedTopic("statistics"),
        topics.group_unit("zz", "g", "621"): OwnedTopic("unit", "621", "g"),
        topics.group_incident("zz", "g", "i-1"): OwnedTopic("incident", "i-1", "g"),
    }
    assert {topic: topics.parse_owned("zz", topic) for topic in owned} == owned
    for other in (
        topics.alert("zz", "sos"), topics.group_alert("zz", "g", "sos"), topics.canary("zz"),
        topics.unit("yy", "621"), topics.reply("zz", "m"), "", "unit/621", "statistics",
        topics.unit("zz", "621") + "/spare", topics.group_unit("zz", "g", "621") + "/spare",
    ):  # fmt: skip
        assert topics.parse_owned("zz", other) is None


BAD_PARTS = ("", "+", "#", "A", "a.b", "a b", "a\0", "é", "a" * 32, "a\n", "١")


@pytest.mark.parametrize(("bad", "place"), list(product(BAD_PARTS, range(2))))
def test_parts_that_are_no_names(bad: str, place: int) -> None:
    parts = ["zz", "car-7"]
    parts[place] = bad
    assert refused(topics.terminal(parts[0], parts[1], "position"))
    assert refused(topics.request(parts[0], parts[1], "report"))
    assert refused(topics.request("zz", "m", bad))


@pytest.mark.parametrize(
    "topic",
    [
        "", "/", "outrider", "outrider/v1", "outrider/v2/terminal/zz/car-7/position",
        "outrider/v1/terminal/zz/car-7", "outrider/v1/terminal/zz/car-7/position/",
        "/outrider/v1/terminal/zz/car-7/position", "outrider/v1/terminal/zz/car-7/Position",
        "outrider/v1/terminal/zz/car-7/will", "outrider/v1/fleet/zz/request/m",
        "outrider/v1/fleet/zz/unit/621", "$SYS/broker/uptime", "/" * 1000, "x" * 65_535,
    ],
)  # fmt: skip
def test_topics_that_are_none_of_ours(topic: str) -> None:
    assert len(refused(topic)) <= 80


@given(st.text(max_size=80))
@example("outrider/v1/terminal/zz/car-7/position\n")
def test_any_text_is_refused_cleanly(text: str) -> None:
    refused(text)


@given(name, name)
def test_common_names(fleet: str, device: str) -> None:
    common = names.common_name(fleet, device)
    assert len(common) <= 64  # X.509's limit
    assert names.split_common_name(common) == (fleet, device)


@pytest.mark.parametrize("common", ["", "zz", "zz.", ".car", "zz.car.7", "ZZ.car", "zz.car\n"])
def test_common_names_that_are_none(common: str) -> None:
    with pytest.raises(Refused, match="malformed: common name: "):
        names.split_common_name(common)


@pytest.mark.parametrize("value", [None, 7, b"zz", ["zz"], "zz\n", "a" * 32])
def test_names_that_are_none(value: object) -> None:
    with pytest.raises(Refused) as caught:
        names.name(value, "fleet")
    assert str(caught.value).endswith("is no name; use 1 to 31 of a-z, 0-9 and -")
