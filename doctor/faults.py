"""A configuration fault of the product's own, as a finding."""

from doctor.core.finding import Finding, fault
from doctor.who import user_name
from runtime.faults import ConfigFault, one_line

_NOT_OURS = "must not be read by this user"


def of_fault(name: str, cause: ConfigFault, *, as_root: bool = False) -> Finding:
    """`as_root`: root looks, and reads what the daemon's user may not."""
    found = one_line(cause.place, cause.what, cause.value)
    remedy = cause.remedy or "correct it"
    if cause.what == _NOT_OURS:
        found, remedy = f"no permission: {found}", f"{remedy} (this is {user_name()}), or use sudo"
    if as_root and cause.what == "belongs to another user":
        remedy = "name the daemon's user: outrider doctor --user NAME"
    return fault(name, found, remedy)
