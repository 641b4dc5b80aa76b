"""Who may say and hear what: the wire contract's table once more, written by hand for the tests.

Used by test_access_list.py. Nothing here comes from the product but the list of verbs.
"""

from __future__ import annotations

import re

from protocol.request import VERBS
from tests.authority.fleet import FLEET

ROOT, OTHER = "outrider/v1", "otherfleet"
EAR = "ear"  # may say and hear everything; for the test alone
TERMINALS = ("car-1", "car-2", "drone-1")
MANAGERS = {
    "intake": ("intake",), "desk": ("dispatcher",), "chief": ("supervisor",),
    "both": ("intake", "dispatcher"), "squad": ("dispatcher", "group-drugs"),
    "watcher": ("group-covert", "group-drugs"),
}  # fmt: skip
GATEWAY, REVOKED, ANEW, MATCHER = "gate", "lost", "anew", "matcher"
SUPERVISORS = {"mode", "exercise", "sos-test", "visibility"}
GROUPS = ("drugs", "covert", "dru")
GROUP_LEAVES = ("unit/621", "incident/i-1", "alert/sos", "statistics", "unit/621/spare")
LANES = ("position", "logbook", "link", "order")


def topics_tried(list_name: str) -> list[str]:
    """Every topic of the contract for known and unknown names, and some of no contract."""
    devices = [*TERMINALS, ANEW, REVOKED, GATEWAY, "desk", MATCHER, "ghost"]
    people = [*MANAGERS, "car-1", REVOKED, "ghost"]
    found = [f"{ROOT}/terminal/{f}/{d}/{lane}" for f in (FLEET, OTHER) for d in devices
             for lane in (*LANES, "spare")]  # fmt: skip
    for fleet in (FLEET, OTHER):
        base = f"{ROOT}/fleet/{fleet}"
        found += [f"{base}/request/{who}/{verb}" for who in people for verb in (*VERBS, "spare")]
        found += [f"{base}/reply/{who}" for who in people]
        found += [f"{base}/{leaf}" for leaf in (
            "unit/621", "incident/i-1", "alert/sos", "statistics", "trust", "canary",
            f"canary/{list_name}", "canary/0123456789abcdef", "canary/shut", "spare",
            *(f"group/{group}/{leaf}" for group in GROUPS for leaf in GROUP_LEAVES),
            "unit/621/spare", "unit",
        )]  # fmt: skip
    terminals = f"{ROOT}/terminal"
    mine = f"{terminals}/{FLEET}/car-1"
    found += ["outrider", ROOT, terminals, mine, f"/{mine}/order", "elsewhere", f"{mine}/order/"]
    found += [f"{mine}/order/more", f"{mine}0/order", mine.upper(), f"{terminals}/{FLEET}//order"]
    found.append(f"outrider/v2/terminal/{FLEET}/car-1/order")
    return found


def may(name: str, list_name: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What `name` may say, and what it may hear: the contract's table."""
    base, one = f"{ROOT}/fleet/{FLEET}", "[^/]+"
    say, hear = ["(?!)"], ["(?!)"]
    if name in (*TERMINALS, ANEW):
        say += [f"{ROOT}/terminal/{FLEET}/{name}/(position|logbook|link)"]
        hear += [f"{ROOT}/terminal/{FLEET}/{name}/order"]
    elif name in MANAGERS:
        roles = MANAGERS[name]
        verbs = {"report"} if "intake" in roles else set()
        if "dispatcher" in roles or "supervisor" in roles:
            verbs |= set(VERBS) - SUPERVISORS
        if "supervisor" in roles:
            verbs |= SUPERVISORS
        say += [f"{base}/request/{name}/({'|'.join(verbs)})"]
        hear += [f"{base}/reply/{name}", f"{base}/(unit|incident|alert)/{one}"]
        hear += [f"{base}/(statistics|trust)"]
        own = [role.removeprefix("group-") for role in roles if role.startswith("group-")]
        hear += [f"{base}/group/{group}/(unit|incident|alert)/{one}" for group in own]
    elif name == MATCHER:
        active = "|".join((*TERMINALS, ANEW, EAR))
        say += [f"{ROOT}/terminal/{FLEET}/({active})/order", f"{base}/reply/{one}"]
        say += [f"{base}/(unit|incident|alert)/{one}", f"{base}/(statistics|trust|canary)"]
        say += [f"{base}/canary/{list_name}"]
        say += [f"{base}/group/{one}/(unit|incident|alert)/{one}"]
        hear += [f"{base}/group/{one}/(unit|incident)/{one}"]
        hear += [f"{ROOT}/terminal/{FLEET}/[^/]*/(position|logbook|link)"]
        hear += [f"{base}/request/{one}/{one}", f"{base}/(unit|incident)/{one}"]
        hear += [f"{base}/(statistics|canary)", f"{base}/canary/{one}"]
    return re.compile("|".join(say)), re.compile("|".join(hear))


EVERYBODY = (*TERMINALS, ANEW, *MANAGERS, GATEWAY, REVOKED, MATCHER)


def allowed(pattern: re.Pattern[str], topics: list[str]) -> set[str]:
    return {topic for topic in topics if pattern.fullmatch(topic)}
