"""The TLS socket as paho sees it: buffers both ways, counts bytes, knows what is unsent.

paho reads packets byte by byte and writes them one by one; here a read fills a buffer and writes
of one turn leave as one TLS record. Invariant: `send` takes all, so what stands in the buffer ends
at a packet's end. Non-blocking throughout. Used by `runtime.mqtt_connection`.
"""

import fcntl
import socket
import ssl
import struct
import termios
from typing import Final

from runtime.mqtt_types import LinkCounters

_READ_BYTES: Final = 16 * 1024  # one TLS record
_COUNT: Final = struct.Struct("@i")


class MqttSocket:
    """What paho calls a socket. Errors of the real one are kept in `error` and seen as EOF."""

    def __init__(self, tls: ssl.SSLSocket, packet_bytes_max: int, counters: LinkCounters) -> None:
        self.tls = tls
        self.error: OSError | None = None
        self.too_large: int | None = None  # bytes of a packet beyond the bound
        self.is_closed_by_paho = False
        self.bytes_out = 0
        self._packet_bytes_max, self._counters = packet_bytes_max, counters
        self._in, self._in_at = b"", 0
        self._out = bytearray()

    # --- as paho uses it -------------------------------------------------------------------------

    def recv(self, size: int) -> bytes:
        """At most `size` bytes from the buffer; BlockingIOError when there are none."""
        if size > self._packet_bytes_max:
            self.too_large = size
            raise ConnectionError(f"a packet of {size} bytes")
        if self._in_at == len(self._in):
            raise BlockingIOError
        chunk = self._in[self._in_at : self._in_at + size]
        self._in_at += len(chunk)
        return chunk

    def send(self, data: bytes | bytearray) -> int:
        """Take all of it; `flush` sends."""
        self._out += data
        return len(data)

    def close(self) -> None:
        """paho is done with it; its owner still flushes, then calls `release`."""
        self.is_closed_by_paho = True

    def fileno(self) -> int:
        return self.tls.fileno()

    def setblocking(self, flag: bool) -> None:
        self.tls.setblocking(flag)

    # --- as its owner uses it --------------------------------------------------------------------

    @property
    def has_input(self) -> bool:
        """Whether paho could read something now, without the kernel."""
        return self._in_at < len(self._in)

    @property
    def has_output(self) -> bool:
        return bool(self._out)

    def fill(self) -> bool:
        """Read one record into the empty buffer; False: nothing there, or the end (`error`)."""
        assert not self.has_input
        try:
            self._in, self._in_at = self.tls.recv(_READ_BYTES), 0
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return False
        except OSError as cause:
            self.error = cause
            return False
        if not self._in:
            self.error = ConnectionError("closed by the other side")
            return False
        self._counters.bytes_in += len(self._in)
        return True

    def flush(self) -> bool:
        """Hand the buffer to the kernel; True when it is empty."""
        while self._out:
            try:
                sent = self.tls.send(self._out)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                return False
            except OSError as cause:
                self.error = self._alert() or cause
                return False
            del self._out[:sent]
            self.bytes_out += sent
            self._counters.bytes_out += sent
        return True

    def _alert(self) -> OSError | None:
        """The TLS alert that came before the reset: it says why, a failed write does not."""
        try:
            self.tls.recv(1)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLEOFError):
            return None
        except ssl.SSLError as alert:
            return alert
        except OSError:
            return None
        return None

    def unsent_bytes(self) -> int:
        """Bytes in our buffer and in the kernel's that the other side has not acknowledged."""
        if self.tls.fileno() < 0:
            return len(self._out)
        answer = fcntl.ioctl(self.tls, termios.TIOCOUTQ, bytes(_COUNT.size))
        return len(self._out) + int(_COUNT.unpack(answer)[0])

    def detach(self) -> socket.socket:
        """The plain socket below, for its last moments; there is no TLS on it any more."""
        plain = socket.socket(fileno=self.tls.detach())
        plain.setblocking(False)
        return plain

    def release(self) -> None:
        """Close the real socket."""
        self.tls.close()
