"""An export as GeoJSON (RFC 7946): ways as LineStrings with their times, moments as Points.

WGS 84, longitude first. For maps; it proves nothing, the sealed file does.
"""

from __future__ import annotations

import json
from typing import Any

from matcher.evidence.story import LatLon, Leg, Moment, Story
from protocol.instant import iso


def geojson(story: Story) -> bytes:
    """One FeatureCollection; what was asked stands in its foreign member `outrider`."""
    about = story.about
    features = [_leg(leg) for leg in story.legs if leg.points]
    features += [_moment(one) for one in story.moments]
    document = {
        "type": "FeatureCollection",
        "outrider": {
            "fleet": about.fleet, "order": about.order, "incident": about.incident,
            "units": list(about.units), "from": iso(about.from_ms), "to": iso(about.to_ms),
            "made": iso(about.made_ms), "sealed": False,
        },
        "features": features,
    }  # fmt: skip
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def _coordinates(at: LatLon) -> list[float]:
    return [round(at[1], 7), round(at[0], 7)]


def _leg(leg: Leg) -> dict[str, Any]:
    points = [_coordinates(point.at) for point in leg.points]
    is_line = len(points) > 1  # a LineString has two positions or more
    return {
        "type": "Feature",
        "geometry": {
            "type": "LineString" if is_line else "Point",
            "coordinates": points if is_line else points[0],
        },
        "properties": {
            "terminal": leg.device,
            "kind": "extract" if leg.is_extract else "track",
            "times": [iso(point.time_ms) for point in leg.points],
            "sog_mps": [point.sog_mps for point in leg.points],
        },
    }


def _moment(one: Moment) -> dict[str, Any]:
    geometry = None if one.at is None else {"type": "Point", "coordinates": _coordinates(one.at)}
    return {
        "type": "Feature",
        "geometry": geometry,
        "properties": {
            "kind": one.what, "time": iso(one.time_ms), "source": one.source,
            "number": one.number, "text": one.text,
        },
    }  # fmt: skip
