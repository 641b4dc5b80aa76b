"""Lines for hil/port.py: a pseudo-terminal behind a stable symbolic link, or a real port.

A pseudo-terminal's number changes with each opening; the link is what programs are given. After
a hang-up the link leads to a new pseudo-terminal, as a replugged adapter keeps its udev name.
"""

import argparse
import fcntl
import os
import re
import select
import sys
import termios
import tty
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hil.port import DevicePort, PortError
from hil.wrong_speed import heard_at

if TYPE_CHECKING:
    import serial


_BAUD_OF: Final = {
    getattr(termios, name): int(name[1:]) for name in dir(termios) if re.fullmatch(r"B\d+", name)
}


class PtyLine:
    """The master side of a raw pseudo-terminal; the other program opens `path`."""

    def __init__(self, link: Path | None = None) -> None:
        self._link = link
        self._fd: int | None = None
        self._name = ""

    @property
    def path(self) -> str:
        """The link where there is one, else the pseudo-terminal's own name."""
        return str(self._link) if self._link else self._name

    def open(self) -> int:
        """Opens a new pseudo-terminal and turns the link to it; raises `PortError`."""
        try:
            self._fd, device_end = os.openpty()
        except OSError as cause:
            raise PortError(f"no pseudo-terminal: {cause}; is /dev/pts mounted?") from cause
        tty.setraw(device_end)
        self._name = os.ttyname(device_end)
        os.close(device_end)  # from here on the kernel tells us whether a reader is there
        os.set_blocking(self._fd, False)
        if self._link:
            self._turn_link(self._link)
        return self._fd

    def _turn_link(self, link: Path) -> None:
        if link.exists() and not link.is_symlink():
            raise PortError(f"{link}: exists and is no link; give another --link")
        new = link.with_name(f".{link.name}.{os.getpid()}")
        try:
            new.unlink(missing_ok=True)
            new.symlink_to(self._name)
            new.replace(link)
        except OSError as cause:
            raise PortError(f"{link}: {cause.strerror}; give a --link in your folder") from cause

    def close(self) -> None:
        """Hangs up and removes the link, if it is still ours."""
        if self._fd is None:
            return
        if self._link and self._link.is_symlink() and str(self._link.readlink()) == self._name:
            self._link.unlink(missing_ok=True)
        os.close(self._fd)
        self._fd = None

    def has_reader(self) -> bool:
        """The kernel reports a hang-up on the master while the other end is closed."""
        if self._fd is None:
            return False
        look = select.poll()
        look.register(self._fd, 0)
        return not any(events & select.POLLHUP for _, events in look.poll(0))

    def reader_baud(self) -> int | None:
        """The line speed that the reader has set; a pseudo-terminal keeps it and ignores it."""
        if self._fd is None:
            return None
        return _BAUD_OF.get(termios.tcgetattr(self._fd)[5])

    def untaken_bytes(self) -> int:
        """What waits in the kernel for the reader."""
        reader_end = os.open(self._name, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            count = fcntl.ioctl(reader_end, termios.FIONREAD, bytes(4))
        finally:
            os.close(reader_end)
        return int.from_bytes(count, sys.byteorder)


class RealLine:
    """A real port, for a device emulated across a cable; the UART itself keeps the line rate."""

    def __init__(self, port: str, baud: int) -> None:
        self._port, self._baud = port, baud
        self._serial: serial.Serial | None = None

    @property
    def path(self) -> str:
        """The port's own name; the program under test opens the cable's other end."""
        return self._port

    def open(self) -> int:
        """Opens it for us alone; raises `PortError`."""
        import serial  # noqa: PLC0415 - only here: a pseudo-terminal starts without it

        try:
            self._serial = serial.Serial(
                self._port, self._baud, timeout=0, write_timeout=0, exclusive=True
            )
        except (OSError, ValueError) as cause:
            raise PortError(f"{self._port}: {cause}; check the name and your group") from cause
        return self._serial.fileno()

    def close(self) -> None:
        """Closes it; across a cable this looks like silence."""
        if self._serial:
            self._serial.close()
            self._serial = None

    def has_reader(self) -> bool:
        """A UART cannot know."""
        return self._serial is not None

    def untaken_bytes(self) -> int:
        """What waits in our own kernel; the cable tells no more."""
        return int(self._serial.out_waiting) if self._serial else 0


def add_port_options(parser: argparse.ArgumentParser) -> None:
    """The options that every serial emulator shares."""
    group = parser.add_argument_group("port")
    group.add_argument("--link", type=Path, metavar="PATH", help="stable link to the port")
    group.add_argument("--port", metavar="DEV", help="a real port instead, e.g. /dev/ttyUSB0")
    group.add_argument(
        "--baud", type=int, default=None, metavar="N", help="line rate: paces what is sent"
    )


def port_from(options: argparse.Namespace, *, baud_real: int | None = None) -> DevicePort:
    """The port that `add_port_options` described.

    `baud_real`: the device's own line speed; a reader that has set another one on the
    pseudo-terminal gets what a UART would make of it. Raises `PortError` with a real port.
    """
    if options.port:
        if baud_real:
            raise PortError("--baud-real: a real port keeps its own speed; give --baud with --port")
        return DevicePort(RealLine(options.port, options.baud or 115200))
    line = PtyLine(options.link)
    if baud_real is None:
        return DevicePort(line, baud=options.baud)

    def as_heard(data: bytes) -> bytes:
        return heard_at(data, baud_real, line.reader_baud() or baud_real)

    return DevicePort(line, baud=options.baud or baud_real, as_heard=as_heard)
