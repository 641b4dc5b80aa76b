"""The fleet's districts from the file that the settings name. Called by app.py and the command."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from matcher.core.districts import BadDistricts, Districts, parse
from runtime.faults import ConfigFault
from runtime.files import read_small

FILE_BYTES_MAX: Final = 16 << 20


def load_districts(path: Path | None) -> Districts:
    """Raises ConfigFault; without a file there are no districts."""
    if path is None:
        return Districts()
    try:
        return parse(read_small(path, FILE_BYTES_MAX))
    except BadDistricts as fault:
        raise ConfigFault(
            path, str(fault), None, "correct that place, or take the key out"
        ) from None
