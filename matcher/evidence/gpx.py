"""An export as GPX 1.1: ways as tracks, moments with a place as waypoints.

For navigation tools; it proves nothing, the sealed file does.
"""

from __future__ import annotations

from html import escape
from typing import Final

from matcher.evidence.story import Leg, Moment, Story
from protocol.instant import iso

_NAMESPACE: Final = "http://www.topografix.com/GPX/1/1"


def gpx(story: Story) -> bytes:
    """Waypoints first, then tracks: the order that the schema wants."""
    about = story.about
    name = _text(f"{about.fleet} {about.order or 'time range'}")
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<gpx version="1.1" creator="Outrider" xmlns="{_NAMESPACE}">',
        f"<metadata><name>{name}</name><time>{iso(about.made_ms)}</time></metadata>",
        *(_waypoint(one) for one in story.moments if one.at is not None),
        *(_track(leg) for leg in story.legs if leg.points),
        "</gpx>",
    ]
    return ("\n".join(lines) + "\n").encode()


def _text(value: str) -> str:
    """What XML may hold: no control characters."""
    return escape("".join(char if char.isprintable() else " " for char in value))


def _place(at: tuple[float, float]) -> str:
    return f'lat="{at[0]:.7f}" lon="{at[1]:.7f}"'


def _waypoint(one: Moment) -> str:
    assert one.at is not None
    return (
        f"<wpt {_place(one.at)}><time>{iso(one.time_ms)}</time>"
        f"<name>{_text(one.what)}</name><desc>{_text(f'{one.source}: {one.text}')}</desc></wpt>"
    )


def _track(leg: Leg) -> str:
    points = "".join(
        f"<trkpt {_place(point.at)}><time>{iso(point.time_ms)}</time></trkpt>"
        for point in leg.points
    )
    extract = "<cmt>one fix a minute, the centre's extract</cmt>" if leg.is_extract else ""
    return f"<trk><name>{_text(leg.device)}</name>{extract}<trkseg>{points}</trkseg></trk>"
