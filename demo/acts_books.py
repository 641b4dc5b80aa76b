"""Whether anything was lost or done twice, counted from outside: what was asked, what the screens
showed, what the journal's file holds. Used by demo/acts_faults.py.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing

from demo.story_world import StoryWorld


def lost(world: StoryWorld) -> list[str]:
    """Reports without an incident, entries of logbooks that the journal has not got."""
    known = world.desk.picture.incidents
    replies = [r for r in world.desk.replies if r.verb == "report" and r.outcome == "done"]
    found = [f"report {r.request_id}" for r in replies if r.incident not in known]
    uri = f"file:{world.layout.journal}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as db:
        rows = db.execute("SELECT hex(logbook), count(*), max(n) FROM entry GROUP BY logbook")
        found += [f"logbook {name[:8]}: {last - n} entries" for name, n, last in rows if n != last]
    return found


def doubled(world: StoryWorld) -> list[str]:
    """Incidents beyond the reports, orders that a screen showed as new more than once."""
    reports = Counter(r.incident for r in world.desk.replies if r.verb == "report")
    found = [f"incident {one} for {n} reports" for one, n in reports.items() if n > 1]
    told = {r.incident for r in world.desk.replies if r.verb == "report"}
    stray = [i.id for i in world.desk.picture.incidents.values() if i.id not in told and not i.sos]
    found += [f"incident {one} that nobody reported" for one in stray]
    for unit, crew in world.cast.items():
        twice = [f"{order} revision {r}" for (order, r), n in crew.showings.items() if n > 1]
        found += [f"{unit}: {one} shown twice" for one in twice]
    return found
