"""One line per event, whatever is in it; a reader that stops never stops us."""

import io
import json
import logging
import os
import re
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import log as log_module
from runtime.clock import ManualClock
from runtime.log import BoundedHandler, get_log, pairs, quoted


class Pipe:
    """A log stream that a test reads."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def lines(self, handler: BoundedHandler) -> list[str]:
        handler.drain(5)
        os.set_blocking(self.reader, False)
        try:
            return os.read(self.reader, 1 << 20).decode().splitlines()
        except BlockingIOError:
            return []


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    root, product = logging.getLogger(), logging.getLogger("outrider")
    levels, made = (root.level, product.level), Pipe()
    yield made
    for handler in [h for h in root.handlers if isinstance(h, BoundedHandler)]:
        handler.drain(5)
        root.removeHandler(handler)
    root.setLevel(levels[0])
    product.setLevel(levels[1])
    os.close(made.reader)
    os.close(made.writer)


def test_event_is_one_line_of_pairs(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    handler = log_module.start("info", pipe.writer)
    log = get_log("agent")
    log.debug("hidden")
    log.info("port_opened", path="/dev/ttyACM0", baud=9600, note="two words", none=None, ok=True)
    (line,) = pipe.lines(handler)
    time, rest = line.split(" ", 1)
    assert time.startswith("time=20")
    assert time.endswith("Z")
    assert rest == (
        "level=info log=agent event=port_opened path=/dev/ttyACM0 baud=9600 "
        'note="two words" none=null ok=true'
    )


def test_journald_gets_the_level_and_no_time(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    handler = log_module.start("info", pipe.writer)
    get_log("agent").error("bad")
    assert pipe.lines(handler) == ["<3>level=error log=agent event=bad"]


def test_traceback_stays_in_the_line(pipe: Pipe) -> None:
    handler = log_module.start("info", pipe.writer)
    try:
        raise ValueError("first\nsecond")
    except ValueError as cause:
        get_log("agent").error("failed", cause=cause, n=1)
    (line,) = pipe.lines(handler)
    assert "event=failed n=1 traceback=" in line
    assert "ValueError: first\\nsecond" in json.loads(line.split("traceback=")[1]).replace(
        "\n", "\\n"
    )


def test_libraries_come_out_the_same_way(pipe: Pipe) -> None:
    handler = log_module.start("info", pipe.writer)
    logging.getLogger("paho").warning("lost\n%s", "it")
    logging.getLogger("paho").info("chatter")
    (line,) = pipe.lines(handler)
    assert line.endswith(r'level=warning log=paho event=library message="lost\nit"')


def test_limited_says_the_first_at_once_then_how_many(pipe: Pipe) -> None:
    handler, clock = log_module.start("info", pipe.writer), ManualClock()
    log = get_log("agent", clock)
    for _ in range(5):
        log.limited("refused", "checksum", size=3)
    log.limited("refused", "length")
    clock.advance(10_000)
    log.limited("refused", "checksum")
    clock.advance(10_000)
    log.limited("refused", "checksum")
    events = [line.split("event=")[1] for line in pipe.lines(handler)]
    assert events == [
        "refused reason=checksum size=3",
        "refused reason=length",
        "refused reason=checksum suppressed=4",
        "refused reason=checksum",
    ]


def test_limits_are_bounded() -> None:
    log = get_log("agent", ManualClock())
    for number in range(1000):
        log.limited("refused", f"reason {number}")
    assert len(log._limits) == 256


def test_blocked_stderr_drops_and_counts_and_never_blocks(pipe: Pipe) -> None:
    handler = log_module.start("info", pipe.writer)
    log = get_log("agent")

    def flood() -> None:
        for _ in range(6000):
            log.info("flood", text="x" * 100)

    flooding = threading.Thread(target=flood, daemon=True)
    flooding.start()
    flooding.join(20)
    assert not flooding.is_alive()
    assert 0 < handler.dropped < 6000
    received, told = b"", 0
    while received.count(b"event=flood") < 6000 - handler.dropped or told < handler.dropped:
        received += os.read(pipe.reader, 1 << 20)
        told = sum(map(int, re.findall(rb"event=log_lines_dropped count=(\d+)\n", received)))
    assert told == handler.dropped
    assert received.count(b"event=flood") == 6000 - handler.dropped


def test_closed_stderr_is_survived() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    handler = BoundedHandler(writer)
    handler.put_line("lost")
    handler.drain(5)
    assert handler.dropped == 1
    os.close(writer)


@given(st.dictionaries(st.sampled_from("abc"), st.text() | st.integers() | st.binary()))
def test_never_more_than_one_line(fields: dict[str, object]) -> None:
    text = pairs(fields)
    assert text.isprintable()
    assert len(io.StringIO(text).readlines()) <= 1


@given(st.text(max_size=500))
def test_quoted_text_reads_back(text: str) -> None:
    shown = quoted(text)
    if shown.startswith('"'):
        assert json.loads(shown).encode("utf-16", "surrogatepass") == text.encode(
            "utf-16", "surrogatepass"
        )
    else:
        assert shown == text
        assert " " not in shown


def test_long_value_is_cut() -> None:
    assert len(quoted("y" * 100_000)) < 1010
