"""What is spoken of an order, and for how long: estimated, and measured with espeak-ng itself."""

from __future__ import annotations

import asyncio
import os
import subprocess
import wave
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import speech
from agent.screen.announcer import _OPTIONS
from agent.speech import Speaker
from protocol.codebook_model import name_of
from protocol.codebook_shipped import shipped
from tests.agent.bare_terminal import until
from tests.agent.process import REPOSITORY

CARD: dict[str, Any] = {
    "state": "delivered", "kind": "assign", "alarm": None, "priority": 1,
    "incident_kind": "robbery", "hazards": ["knife"], "distance_m": 812, "bearing_deg": 44,
    "place": {"text": "厦门路3号"}, "plan": {"wait_for": None, "wait_s": None},
}  # fmt: skip


def said(language: speech.Language, **changes: Any) -> str:
    def name(table: str, code: str) -> str:
        return name_of(shipped(), table, code, language)

    return speech.text_of(CARD | changes, name, language)


def test_hazards_come_first_in_both_languages() -> None:
    assert said("zh") == "注意危险，刀具。紧急。抢劫。厦门路3号。800米，东北方向。"
    english = said("en", place={"text": "Xiamen Road 3"})
    assert english == "Caution, Knife. Emergency. Robbery. Xiamen Road 3. 800 metres, north east."


def test_whom_to_wait_for_comes_before_the_place() -> None:
    words = said("zh", plan={"wait_for": "618", "wait_s": 60})
    assert words.index("618") < words.index("厦门路")


@pytest.mark.parametrize(("state", "word"), [("cancelled", "取消"), ("superseded", "改派")])
def test_a_cancel_says_so_first(state: str, word: str) -> None:
    assert word in said("zh", alarm="cancelled", state=state).split("。", maxsplit=1)[0]


@given(
    st.sampled_from(("zh", "en")),
    st.lists(st.sampled_from(sorted(shipped().hazards)), max_size=16),
    st.sampled_from(sorted(shipped().kinds)),
    st.text(max_size=200),
    st.none() | st.integers(0, 100_000),
    st.none() | st.just("a" * 31),
)
def test_never_longer_than_12_s(
    language: speech.Language,
    hazards: list[str],
    kind: str,
    place: str,
    distance_m: int | None,
    wait_for: str | None,
) -> None:
    words = said(
        language, hazards=hazards, incident_kind=kind, place={"text": place},
        distance_m=distance_m, plan={"wait_for": wait_for, "wait_s": 1},
    )  # fmt: skip
    assert speech.seconds(words) <= speech.LONGEST_S
    assert words


@pytest.fixture(scope="session")
def espeak() -> dict[str, str]:
    """The engine of Debian's package, unpacked; its environment."""
    done = subprocess.run(
        [str(REPOSITORY / "run"), "unpack", "espeak-ng+espeak-ng-data+libpulse0+libvorbis0a",
         "espeak-ng"],
        capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"no speech engine: {done.stderr.strip().splitlines()[-1:]}")
    program = Path(done.stdout.strip())
    data = next((program.parents[1] / "espeak-ng").glob("usr/lib/*/espeak-ng-data"))
    return {"program": str(program), "ESPEAK_DATA_PATH": str(data.parent)}


@pytest.mark.xdist_group("espeak")
@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_engine_speaks_both_languages_within_the_estimate(
    espeak: dict[str, str], tmp_path: Path, language: speech.Language
) -> None:
    texts = [
        said(language),
        said(language, hazards=["firearm", "knife", "explosive"], distance_m=12_300,
             plan={"wait_for": "618", "wait_s": 60}),
        said(language, place={"text": "Jiulong Avenue 1288, Building 17, Unit 2, Room 1904"}),
        said(language, place={"text": "龙文区九龙大道1288号碧湖万达广场三号楼二单元1904室"}),
    ]  # fmt: skip
    for at, text in enumerate(texts):
        sound = tmp_path / f"{at}.wav"
        subprocess.run(
            [espeak["program"], *_OPTIONS[language], "-w", str(sound)], input=text.encode(),
            env=os.environ | espeak, check=True, timeout=20,
        )  # fmt: skip
        with wave.open(str(sound)) as file:
            took_s = file.getnframes() / file.getframerate()
        print(f"{took_s:.1f} s of {speech.seconds(text):.1f} s estimated: {text}")  # noqa: T201 - a figure
        assert 1 < took_s <= 12, text


def test_newer_words_cut_older_ones_short(tmp_path: Path) -> None:
    voice, heard = tmp_path / "voice", tmp_path / "heard"
    voice.write_text(
        f"#!/bin/sh\nread words\necho $words >> {heard}\n[ $words = new ] || exec sleep 60\n"
    )
    voice.chmod(0o755)

    async def speak() -> None:
        speaker = Speaker(str(voice), {"zh": ()})
        task = asyncio.create_task(speaker.run())
        speaker.say("old\n", "zh")
        await until(heard.exists, "the old words begun")
        speaker.say("new\n", "zh")
        await until(lambda: speaker.spoken == 1, "the new words")
        task.cancel()

    asyncio.run(speak())
    assert heard.read_text().split() == ["old", "new"]


def test_a_missing_engine_stops_nothing(tmp_path: Path) -> None:
    async def speak() -> None:
        speaker = Speaker(str(tmp_path / "none"), {"zh": ()})
        task = asyncio.create_task(speaker.run())
        speaker.say("x", "zh")
        await until(lambda: speaker.is_missing, "the engine missed")
        speaker.say("y", "zh")
        await asyncio.sleep(0)
        assert not task.done()
        task.cancel()

    asyncio.run(speak())
