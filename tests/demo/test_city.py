"""The made-up city: its districts cover it, each place once."""

from __future__ import annotations

import json
import random

from demo.city import districts, place, scene
from matcher.core.districts import parse


def test_every_scene_lies_in_one_of_twelve_districts() -> None:
    found, rng = parse(json.dumps(districts())), random.Random(1)
    assert found.names == tuple(str(number) for number in range(1, 13))
    scenes = [scene(rng) for _ in range(500)]
    named = {found.at(round(lat * 1e7), round(lon * 1e7)) for lat, lon in scenes}
    assert named == set(found.names)


def test_they_are_counted_from_the_south_west() -> None:
    found = parse(json.dumps(districts()))

    def at(east_m: float, north_m: float) -> str:
        lat, lon = place(east_m, north_m)
        return found.at(round(lat * 1e7), round(lon * 1e7))

    assert [at(10, 10), at(2390, 10), at(10, 1_610), at(2390, 2390)] == ["1", "4", "9", "12"]
    assert at(-10, 10) == "-"
