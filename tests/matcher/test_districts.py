"""Which district a place lies in: holes, borders, several parts; and what is refused."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.core.districts import BadDistricts, District, Districts, parse
from matcher.districts_file import load_districts
from runtime.faults import ConfigFault

E7 = 10_000_000


def square(west: float, south: float, side: float = 1.0) -> list[list[float]]:
    east, north = west + side, south + side
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def feature(name: Any, *rings: Any, kind: str = "Polygon") -> dict[str, Any]:
    coordinates: Any = list(rings)
    return {
        "type": "Feature",
        "properties": {"district": name},
        "geometry": {"type": kind, "coordinates": coordinates},
    }


def collection(*features: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def at(districts: Districts, lat: float, lon: float) -> str:
    return districts.at(round(lat * E7), round(lon * E7))


def test_a_hole_is_not_inside_and_a_second_part_is() -> None:
    ring, hole = square(10, 50, 4), square(11, 51, 1)
    islands = feature("isles", [ring, hole], [square(20, 50)], kind="MultiPolygon")
    districts = parse(collection(islands, feature("east", square(30, 50))))
    assert districts.names == ("isles", "east")
    assert at(districts, 50.5, 10.5) == "isles"
    assert at(districts, 51.5, 11.5) == "-"
    assert at(districts, 50.5, 20.5) == "isles"
    assert at(districts, 50.5, 30.5) == "east"
    assert at(districts, 0, 0) == "-"


def test_a_slanting_border_is_exact_to_1e_7_degrees() -> None:
    triangle = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
    districts = parse(collection(feature("low", triangle)))
    assert districts.at(5_000_000, 5_000_001) == "low"
    assert districts.at(5_000_001, 5_000_000) == "-"


def test_where_two_overlap_the_first_has_it() -> None:
    districts = parse(collection(feature("a", square(0, 0, 2)), feature("b", square(1, 1, 2))))
    assert at(districts, 1.5, 1.5) == "a"
    assert at(districts, 2.5, 2.5) == "b"


GRID = parse(collection(*(feature(f"{x}{y}", square(x, y)) for x in range(3) for y in range(3))))


@given(st.integers(0, 3 * E7), st.integers(0, 3 * E7))
def test_a_raster_leaves_no_place_out_and_none_twice(lat_e7: int, lon_e7: int) -> None:
    """Also on borders and corners; on the outer ones nobody may be meant."""
    holding = [one for one in GRID._found if one.holds(lat_e7, lon_e7)]
    on_edge = lat_e7 == 3 * E7 or lon_e7 == 3 * E7
    assert len(holding) == (0 if on_edge else 1)
    if not on_edge:
        assert GRID.at(lat_e7, lon_e7) == f"{lon_e7 // E7}{lat_e7 // E7}"


@pytest.mark.parametrize("lat_e7", [0, E7, E7 + 1, 2 * E7 - 1])
@pytest.mark.parametrize("lon_e7", [0, E7, 2 * E7])
def test_corners_and_borders_have_one_district(lat_e7: int, lon_e7: int) -> None:
    assert sum(one.holds(lat_e7, lon_e7) for one in GRID._found) == 1


POLYGON = st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=3, max_size=8)


@given(POLYGON, st.integers(-60, 60), st.integers(-60, 60))
def test_even_odd_equals_walking_the_ray_in_fractions(
    corners: list[tuple[int, int]], lat: int, lon: int
) -> None:
    """Any closed line, self-crossing too, against the division that the code avoids."""
    ring = (*corners, corners[0])
    lons, lats = [x for x, _ in ring], [y for _, y in ring]
    district = District("d", (ring,), (min(lons), min(lats), max(lons), max(lats)))
    meets = 0
    for (x1, y1), (x2, y2) in pairwise(ring):
        if (y1 > lat) != (y2 > lat):
            meets += (lon - x1) * abs(y2 - y1) < (x2 - x1) * (lat - y1) * (1 if y2 > y1 else -1)
    assert district.holds(lat, lon) == (meets % 2 == 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "is no GeoJSON FeatureCollection"),
        ('{"type": "FeatureCollection"}', "features: must be a list"),
        (collection(*[feature(f"d{i}", square(0, 0)) for i in range(65)]), "at most 64"),
        (collection(feature(None, square(0, 0))), "features[0].properties.district"),
        (collection(feature("-", square(0, 0))), "features[0].properties.district"),
        (collection(feature("a\n", square(0, 0))), "cannot be shown"),
        (collection("x"), "features[0].properties.district"),
        (collection(feature("a", square(0, 0), kind="Point")), "features[0].geometry: must be"),
        (collection(feature("a")), "a polygon without a ring"),
        (collection(feature("a", square(0, 0)[:4])), "the last like the first"),
        (collection(feature("a", [[0, 0], "x", [1, 1], [0, 0]])), "a point must be"),
        (collection(feature("a", [[0, 0], [1, True], [1, 1], [0, 0]])), "a point must be"),
        (collection(feature("a", [[0, 0], [1, 91], [1, 1], [0, 0]])), "no longitude and latitude"),
        (collection(feature("a", [[0, 0], [1, float("nan")], [1, 1], [0, 0]])), "no longitude"),
        (collection(feature("a", [[0, 0], [10**999, 1], [1, 1], [0, 0]])), "no longitude"),
    ],
    ids=range(17),
)
def test_what_is_refused_names_its_place(text: str, said: str) -> None:
    with pytest.raises(BadDistricts) as caught:
        parse(text)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_bad_file_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "districts.geojson"
    path.write_text("{}")
    with pytest.raises(ConfigFault, match=r"districts\.geojson.*FeatureCollection"):
        load_districts(path)
    assert load_districts(None).at(0, 0) == "-"
