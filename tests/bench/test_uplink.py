"""What the uplink bench rests on: its count, its plan, its receiver, the peers' file."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

from agent.core.epoch import EpochAssembler
from agent.core.framing import SentenceFramer
from agent.core.nmea import SentenceGate
from bench import uplink
from bench.uplink import CUTS, Tally
from bench.uplink_peers import _Queue
from bench.uplink_receiver import STEP_MS, Mouth, moment_of, moment_text, sentences, speak

EPOCH_MS = 1_795_000_000_100


def test_lost_and_doubled_are_told_apart() -> None:
    said = ["a", "b", "c", "d"]
    received = Counter({"a": 1, "b": 3, "d": 2, "of before": 5})
    assert Tally.of(said, received) == Tally(said=4, lost=1, doubled=3)


def test_a_plan_is_drawn_from_its_seed() -> None:
    for seed in range(50):
        cuts, broker_at_s = uplink.plan(random.Random(seed), 50.0)
        assert (cuts, broker_at_s) == uplink.plan(random.Random(seed), 50.0)
        assert len(cuts) == CUTS
        assert sum(cut.kills for cut in cuts) == 1
        assert all(one.at_s <= other.at_s for one, other in pairwise(cuts))
        assert all(uplink.FIRST_S <= cut.at_s <= 50.0 - uplink.LAST_S for cut in cuts)
        killing = next(cut for cut in cuts if cut.kills)
        assert killing.down_s > uplink.KILL_AFTER_S  # the process dies while the line is down


def test_a_position_is_the_same_for_the_agent_and_for_the_peers() -> None:
    """The agent's parts read the epoch that the peers name."""
    said = sentences(EPOCH_MS)
    gate, assembler = SentenceGate(), EpochAssembler()
    taken = [gate.accept(raw) for raw in SentenceFramer().feed(said)]
    assert not gate.refused
    fixes = [fix for one in taken if one for fix in assembler.feed(one)] + assembler.flush()
    assert [fix.epoch_ms for fix in fixes] == [EPOCH_MS]
    lines = said.decode().splitlines()
    assert [moment_of(line) for line in lines] == [moment_text(EPOCH_MS), None]
    assert moment_of(lines[0].replace("N,117", "S,117")) is None


def test_the_receiver_speaks_to_who_listens_and_knows_it(tmp_path: Path) -> None:
    async def scene() -> None:
        mouth = Mouth(tmp_path / "port")
        assert not mouth.is_open
        reader = os.open(tmp_path / "port", os.O_RDWR | os.O_NOCTTY)
        await mouth.opened()
        await speak([mouth], 3)
        assert all(not epoch_ms % STEP_MS for epoch_ms in mouth.said)
        assert all(earlier < later for earlier, later in pairwise(mouth.said))
        spoken = b"".join(map(sentences, mouth.said))
        heard = b""
        while len(heard) < len(spoken):  # blocks until the rest is there
            heard += os.read(reader, 4096)
        assert heard == spoken
        await mouth.mute()
        await speak([mouth], 1)
        assert len(mouth.said) == 3
        os.close(reader)
        await mouth.closed()
        mouth.close()

    asyncio.run(asyncio.wait_for(scene(), 20))


def test_the_peers_file_outlives_its_process(tmp_path: Path) -> None:
    queue = _Queue(tmp_path / "queue")
    for moment in ("1", "2", "3"):
        queue.append(moment)
    number, moment = queue.oldest()
    assert moment == "1"
    queue.delete(number)
    assert queue.oldest()[1] == "2"  # under way, not acknowledged, as the process dies
    again = _Queue(tmp_path / "queue")
    assert [again.oldest()[1]] == ["2"]
