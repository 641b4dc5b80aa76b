"""The faults that end a task or a daemon; adapters translate foreign errors into these once.

OutriderFault                exit 1   a restart may mend it
├── ConfigFault              exit 78  a person must change a file first (systemd does not restart)
├── StoreFault
│   ├── StoreFull                     no space: the caller's commit is undone, the store lives on
│   ├── StoreBusy                     another process or a long read holds the file
│   └── StoreBroken                   what is on disk is unknown: exit, re-read, verify
│       └── StoreDamaged              what is on disk is not what was written: no restart mends it
├── PortLost                          the serial port is gone; `serial_port` opens it again
└── LinkLost                          the broker or a local socket is gone; its owner reconnects

Each says one line, `place: what (value) – remedy`, fit for stderr, a log value and an answer.
"""

from typing import ClassVar, Final

EXIT_FAULT: Final = 1
EXIT_CONFIG: Final = 78  # EX_CONFIG; RestartPreventExitStatus= in the units
_VALUE_CHARS_MAX: Final = 80


class OutriderFault(Exception):
    """What went wrong, where, with which value, and what a person can do about it.

    `place` names a file, key, port or address; `value` is shown as given, cut at 80 characters.
    """

    exit_code: ClassVar[int] = EXIT_FAULT

    def __init__(self, place: object, what: str, value: object = None, remedy: str = "") -> None:
        self.place, self.what, self.value, self.remedy = str(place), what, value, remedy
        super().__init__(one_line(place, what, value, remedy))


class ConfigFault(OutriderFault):
    """A file, key or permission that only a person can mend."""

    exit_code = EXIT_CONFIG


class StoreFault(OutriderFault):
    """A commit or read that did not happen."""


class StoreFull(StoreFault):
    """No space; nothing of this commit was kept, later ones may succeed."""


class StoreBusy(StoreFault):
    """Someone else holds the file; nothing of this commit was kept."""


class StoreBroken(StoreFault):
    """Disk or file can no longer be trusted; every later call fails the same way."""


class StoreDamaged(StoreBroken):
    """What is on disk is not what was written; reading it again finds the same."""


class PortLost(OutriderFault):
    """The serial port is not there, or was unplugged."""


class LinkLost(OutriderFault):
    """The connection is not there, or was cut."""


def one_line(place: object, what: str, value: object = None, remedy: str = "") -> str:
    """`place: what (value) – remedy`, with control characters made visible."""
    shown = "" if value is None else f" ({_shortened(value)})"
    text = f"{place}: {what}{shown}" + (f" – {remedy}" if remedy else "")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _shortened(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _VALUE_CHARS_MAX else text[:_VALUE_CHARS_MAX] + "…"
