"""The bridge's file: defaults, and one clear line for each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_bridge.settings import BridgeSettings
from runtime import settings
from runtime.faults import ConfigFault

GOOD = '[[board]]\nname = "board-1"\nport = "/dev/outrider-board"\n'


def load(folder: Path, text: str) -> BridgeSettings:
    path = folder / "bridge.toml"
    path.write_text(text)
    return settings.load(path, BridgeSettings)


def test_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path, GOOD + '[[recorder]]\nname = "body-1"\nport = "usb-Cam-if00"\n')
    (board,), (recorder,) = loaded.board, loaded.recorder
    assert (board.baud, board.poll_ms, recorder.baud) == (115_200, 40, 115_200)
    assert loaded.agent.socket == Path("/run/outrider/devices.sock")
    assert loaded.log_level == "info"


def test_socket_beside_the_file(tmp_path: Path) -> None:
    loaded = load(tmp_path, '[agent]\nsocket = "devices.sock"\n' + GOOD)
    assert loaded.agent.socket == tmp_path / "devices.sock"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no device: add a table [[board]] or [[recorder]]"),
        (GOOD + GOOD, "name 'board-1' stands twice"),
        (GOOD + GOOD.replace("board-1", "board-2"), "port '/dev/outrider-board' stands twice"),
        (GOOD.replace("board-1", "bridge"), "name 'bridge' stands twice"),
        (GOOD.replace("board-1", "Board 1"), "board.0.name"),
        (GOOD + "baud = 300\n", "board.0.baud"),
        (GOOD + "poll_ms = 1\n", "board.0.poll_ms"),
        (GOOD + "bauds = 9600\n", "did you mean baud?"),
        ("[[board]]\nname = 'a'\n", "board.0.port: is missing"),
        (
            "".join(GOOD.replace("board-1", f"b{n}").replace('board"', f'b{n}"') for n in range(5)),
            "at most 4 items",
        ),
        ("[[board\n", "is not TOML"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigFault) as fault:
        load(tmp_path, text)
    assert said in str(fault.value)
    assert "\n" not in str(fault.value)
