"""Receiver bytes to sentences: bounded, resynchronising, indifferent to what is mixed in.

A sentence starts at `$` or `!` and runs over printable ASCII to the first other byte. CR and LF
end it; so does a lost line end (the next `$`, a NUL, a binary frame) when a checksum `*HH` is
already complete. Everything else (UBX, SiRF, RTCM, CASIC, noise at a wrong baud rate) is skipped
and counted; no binary length field is believed, so a damaged one costs nothing behind it.
Called by the agent's GNSS task and by `gnss_decode`; `nmea` judges what comes out.
"""

import re
from collections import Counter
from typing import Final

SENTENCE_BYTES_MAX: Final = 255  # NMEA allows 82; real receivers send up to about 160

_START: Final = re.compile(rb"[$!]")
_BODY: Final = re.compile(rb"[ \"#%-~]*")  # printable ASCII without `$` and `!`
_COMPLETE: Final = re.compile(rb"\*[0-9A-Fa-f]{2}\Z")
_LINE_ENDS: Final = b"\r\n"


class SentenceFramer:
    """Cuts a byte stream into sentences; holds at most one unfinished one.

    `dropped` counts by reason: `noise_bytes` (bytes outside sentences), `cut` (a sentence broken
    off by another or by a non-text byte), `too_long`. The result, counts included, does not
    depend on how the stream is cut into chunks.
    """

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self._partial = b""

    @property
    def held_bytes(self) -> int:
        """Bytes of the unfinished sentence; at most SENTENCE_BYTES_MAX."""
        return len(self._partial)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the sentences completed by `chunk`, from `$` or `!` to before the line end."""
        data = self._partial + chunk
        self._partial = b""
        sentences: list[bytes] = []
        position = 0
        while (start := self._seek(data, position)) is not None:
            body = _BODY.match(data, start + 1, start + 1 + SENTENCE_BYTES_MAX)
            end = start + 1 if body is None else body.end()
            if end - start > SENTENCE_BYTES_MAX:
                self.dropped["too_long"] += 1
            elif end == len(data):
                self._partial = data[start:]
                break
            elif data[end] in _LINE_ENDS or _COMPLETE.search(data, start, end):
                sentences.append(data[start:end])
            else:
                self.dropped["cut"] += 1
            position = end
        return sentences

    def flush(self) -> list[bytes]:
        """End of stream: return the last sentence if its checksum had arrived, drop it if not."""
        partial, self._partial = self._partial, b""
        if _COMPLETE.search(partial):
            return [partial]
        if partial:
            self.dropped["cut"] += 1
        return []

    def pause(self) -> list[bytes]:
        """The line is silent: the held sentence if its checksum had arrived; else keep it."""
        return self.flush() if _COMPLETE.search(self._partial) else []

    def _seek(self, data: bytes, position: int) -> int | None:
        match = _START.search(data, position)
        end = len(data) if match is None else match.start()
        if end - position > len(_LINE_ENDS) or data[position:end] not in (b"\r\n", b"\n", b""):
            noise = len(data[position:end].translate(None, _LINE_ENDS))
            if noise:
                self.dropped["noise_bytes"] += noise
        return None if match is None else end
