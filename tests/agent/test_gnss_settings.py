"""Settings of receivers: one, two, by gpsd; what cannot be is one line with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.core.gpsd import GpsdAddress
from agent.settings import AgentSettings
from runtime.faults import ConfigFault
from runtime.settings import load


def settings(tmp_path: Path, gnss: str) -> AgentSettings:
    path = tmp_path / "agent.toml"
    path.write_text(f'fleet = "east"\ndevice = "car-7"\n[gnss]\n{gnss}\n')
    return load(path, AgentSettings)


def test_one_receiver_needs_nothing_new(tmp_path: Path) -> None:
    gnss = settings(tmp_path, 'port = "/dev/gnss"\nbaud = 38400').gnss
    assert [(one.port, one.baud, one.gpsd) for one in gnss.receivers] == [
        ("/dev/gnss", 38_400, None)
    ]
    assert len(settings(tmp_path, "").gnss.receivers) == 1


def test_two_receivers_of_any_kind(tmp_path: Path) -> None:
    second = '[gnss.second]\nport = "usb-receiver-if00"\nbaud = 115200'
    gnss = settings(tmp_path, f'port = "gpsd://[::1]:2948/dev/ttyUSB0"\n{second}').gnss
    assert gnss.receivers[0].gpsd == GpsdAddress("::1", 2948, "/dev/ttyUSB0")
    assert (gnss.receivers[1].port, gnss.receivers[1].gpsd) == ("usb-receiver-if00", None)


def test_gpsd_where_it_usually_is(tmp_path: Path) -> None:
    assert settings(tmp_path, 'port = "gpsd://localhost"').gnss.gpsd == GpsdAddress(
        "localhost", 2947, None
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('port = "gpsd://"', "gpsd://HOST[:PORT]"),
        ('port = "gpsd://host:port"', "Port could not be cast"),
        ('port = "gpsd://host:99999"', "Port out of range"),
        ('port = "gpsd://host?x"', "gpsd://HOST[:PORT]"),
        ('port = "/dev/a"\n[gnss.second]\nport = "/dev/a"', "name two ports"),
        ('port = "/dev/a"\n[gnss.second]\nbaud = 9600', "port = "),
        ('port = "/dev/a"\n[gnss.second]\nport = "/dev/b"\nbuad = 9600', "did you mean baud?"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigFault) as fault:
        settings(tmp_path, text)
    assert said in str(fault.value)
    assert "gnss" in str(fault.value)
    assert "\n" not in str(fault.value)
