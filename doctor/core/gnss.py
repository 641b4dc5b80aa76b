"""What a receiver says, heard on its port or told by the running agent. Pure.

`Heard` comes from doctor/gnss_probe.py; the agent's fix is the `fix` of its `State` line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent.core.fix import Fix, FixKind
from agent.core.integrity import SUSPECT
from doctor.core.finding import Finding, fault, ok, span, warn

_SKY: Final = "give the antenna a free sky and check its plug; a cold start takes up to a minute"
_WIRING: Final = "check the receiver's power and the wire from its TX to our RX"
_SPEECH: Final = "check the wiring; switch the receiver's output to NMEA 0183"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came from one receiver; `lost` says why nothing could be heard."""

    source: str
    lost: str = ""
    bytes_in: int = 0
    sentences: int | None = None  # None: gpsd, which gives reports
    baud: int | None = None  # at which they came
    configured_baud: int | None = None
    fix: Fix | None = None  # the newest with a place, else the newest
    in_view: int | None = None


def judge_heard(name: str, heard: Heard) -> Finding:
    """Silence, noise, a wrong line speed, no fix, or a place."""
    if heard.lost:
        return fault(name, f"not heard: {heard.lost}", "mend the port first, then look again")
    if heard.bytes_in == 0 and heard.fix is None:
        return fault(name, f"no sentences: {heard.source} is silent", _WIRING)
    if heard.fix is None and not heard.sentences:
        found = f"no sentences: {heard.bytes_in} bytes and none among them, at any usual baud"
        return fault(name, found, _SPEECH)
    if heard.fix is None or heard.fix.kind is FixKind.NONE:
        return fault(name, f"no fix: {_satellites(heard)}{_at(heard)}", _SKY)
    if heard.baud != heard.configured_baud:
        found = f"wrong baud: speaks at {heard.baud}, settings say {heard.configured_baud}"
        remedy = f"set baud = {heard.baud} in [gnss]; the agent searches it at each start"
        return warn(name, f"{found}; {_place(heard.fix)}", remedy)
    return ok(name, f"{_place(heard.fix)}{_at(heard)}")


def judge_agent_fix(name: str, fix: Mapping[str, Any] | None, silent_ms: int) -> Finding:
    """The newest epoch that a running agent has; `silent_ms`: from when it counts as silent."""
    if fix is None:
        found = "no sentences: the running agent has heard no epoch yet"
        remedy = "see journalctl -u outrider-agent; stop the agent and look again to hear the port"
        return fault(name, found, remedy)
    if "unplugged" in fix["flags"]:
        return fault(name, "the running agent has lost the receiver", "plug the receiver in")
    if fix["age_ms"] > silent_ms:
        return fault(name, f"no sentences: the last epoch is {span(fix['age_ms'])} old", _WIRING)
    if fix["fix"] == FixKind.NONE.value:
        used = fix["satellites"]
        return fault(name, f"no fix: {0 if used is None else used} satellites used", _SKY)
    doubts = sorted(SUSPECT.intersection(fix["flags"]))
    place = f"{fix['fix']} fix, {fix['satellites']} satellites, {span(fix['age_ms'])} old"
    if doubts:
        remedy = "see docs/spoofing.md; look for a jammer, or move the antenna"
        return warn(name, f"{place}; doubted: {', '.join(doubts)}", remedy)
    return ok(name, place)


def _place(fix: Fix) -> str:
    hdop = "" if fix.hdop is None else f", HDOP {fix.hdop:.1f}"
    return f"{fix.kind.value} fix, {fix.satellites} satellites{hdop}"


def _satellites(heard: Heard) -> str:
    if heard.in_view is not None:
        return f"{heard.in_view} satellites in view"
    used = None if heard.fix is None else heard.fix.satellites
    return f"sentences come, {used or 'no'} satellites used"


def _at(heard: Heard) -> str:
    return "" if heard.baud is None else f", {heard.baud} baud"
