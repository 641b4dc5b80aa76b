"""Lines out of a recorder's byte stream: bounded, and whole again after the next newline.

Used by `recorder_session`. (`runtime.lines` does this for sockets; a core knows no runtime.)
"""

from protocol.device import LINE_BYTES_MAX


class JsonLines:
    """Bytes in, lines out; holds at most one line of the longest kind."""

    def __init__(self) -> None:
        self.too_long = 0
        self._partial, self._is_skipping = b"", False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Lines without their end; empty ones are left out, too long ones counted."""
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        if lines and self._is_skipping:
            lines, self._is_skipping = lines[1:], False
        if len(self._partial) > LINE_BYTES_MAX:
            self.too_long += not self._is_skipping
            self._partial, self._is_skipping = b"", True
        self.too_long += sum(len(line) > LINE_BYTES_MAX for line in lines)
        stripped = (line.strip() for line in lines if len(line) <= LINE_BYTES_MAX)
        return [line for line in stripped if line]

    def reset(self) -> None:
        """The port was opened anew: half a line will not be continued."""
        self._partial, self._is_skipping = b"", False
