"""The hand-made packets: what a broker may answer, cut anywhere, with anything in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.core import mqtt_packets as packets
from doctor.core.mqtt_packets import PacketFault

CONNACK = bytes.fromhex("200900000622000a210014")  # as mosquitto sends it


def test_mosquitto_connack_allows_qos_2() -> None:
    kind, body, rest = packets.split(CONNACK + b"\x50") or (0, b"", b"")
    assert (kind, rest) == (packets.CONNACK, b"\x50")
    assert packets.connack(body) == (0, 2)


@pytest.mark.parametrize(
    ("body", "answer"),
    [("008700", (0x87, 2)), ("0000022401", (0, 1)), ("000005210014" + "2400", (0, 0)),
     ("0087", (0x87, 2))],
    ids=["refused", "qos1", "qos0", "short"],
)  # fmt: skip
def test_connack(body: str, answer: tuple[int, int]) -> None:
    assert packets.connack(bytes.fromhex(body)) == answer


@pytest.mark.parametrize(
    ("body", "answer"), [("0001", (1, 0)), ("000287", (2, 0x87))], ids=["taken", "refused"]
)
def test_pubrec(body: str, answer: tuple[int, int]) -> None:
    assert packets.pubrec(bytes.fromhex(body)) == answer


def test_a_question_is_an_empty_publication_at_qos_2() -> None:
    assert packets.ask_to_publish("a/b", 7) == bytes.fromhex("3408" + "0003612f62" + "0007" + "00")


def test_connect_names_version_clean_start_and_client() -> None:
    made = packets.connect("east.car-7", 30)
    assert made == b"\x10\x17\x00\x04MQTT\x05\x02\x00\x1e\x00\x00\x0aeast.car-7"


@given(st.integers(0, len(CONNACK) - 1))
def test_a_cut_packet_is_waited_for(cut: int) -> None:
    assert packets.split(CONNACK[:cut]) is None


@given(st.binary(max_size=64))
def test_anything_is_taken_refused_or_waited_for(data: bytes) -> None:
    """Never another exception, and a packet taken is a piece of what came."""
    try:
        found = packets.split(data)
    except PacketFault:
        return
    if found is not None:
        _, body, rest = found
        assert data.endswith(body + rest)
        for read in (packets.connack, packets.pubrec):
            if len(body) < 2:
                with pytest.raises(PacketFault):
                    read(body)
            else:
                assert all(0 <= value <= 0xFFFF for value in read(body))
