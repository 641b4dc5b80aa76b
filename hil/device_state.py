"""What an emulated device keeps over a restart: its boot counter, and events not yet kept.

One JSON file, replaced whole. Without a file the counter lives as long as the process. Used by
the board and the recorder.
"""

import json
from pathlib import Path

from hil.life import InputError


class DeviceState:
    """The counter and the events (JSON objects) of one device."""

    def __init__(self, path: Path | None) -> None:
        """Reads the file if there is one; raises `InputError` where it is damaged."""
        self._path = path
        self._boot = 0
        self.unkept: list[dict[str, object]] = []
        if path and path.exists():
            self._read(path)

    def _read(self, path: Path) -> None:
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            self._boot, self.unkept = int(state["boot"]), list(state.get("unkept", []))
        except (OSError, ValueError, KeyError, TypeError) as cause:
            raise InputError(f"{path}: {cause!r}; delete the file to begin anew") from cause

    def next_boot(self) -> int:
        """Counts one boot, saves it and returns it; the first is 1."""
        self._boot += 1
        self.save()
        return self._boot

    def save(self) -> None:
        """Replaces the file; raises `InputError` where that fails."""
        if self._path is None:
            return
        new = self._path.with_name(self._path.name + ".new")
        try:
            new.write_text(json.dumps({"boot": self._boot, "unkept": self.unkept}))
            new.replace(self._path)
        except OSError as cause:
            raise InputError(f"{self._path}: {cause.strerror}; give a writable --state") from cause
