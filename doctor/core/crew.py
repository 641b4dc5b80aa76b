"""Is a unit logged on at this terminal. Pure."""

from doctor.core.finding import Finding, fault, ok


def judge_crew(unit: str | None, logon: int | None, status: str) -> Finding:
    """Without a log-on the centre knows a device, and has nobody to send."""
    if logon is None or unit is None:
        found = "no unit is logged on: the centre has nobody to send here"
        return fault("unit", found, "outrider agent logon --unit UNIT --crew NUMBER,NUMBER")
    return ok("unit", f"{unit} is logged on, status {status}")
