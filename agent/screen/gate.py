"""Who may ask the screen's server for what; pure, judged before any routing.

A page of another origin, a rebound name, another tab of the vehicle's computer or a stranger on
its network gets nothing: the Host must be one of an exact list and belong to the address that was
reached, the Origin must be that host's own, what reads or changes state carries the token of this
start, and off the vehicle's own computer a paired device's cookie too. Called by `server.Guard`.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Headers = Sequence[tuple[bytes, bytes]]
BODY_BYTES_MAX: Final = 4096
HEADER_BYTES_MAX: Final = 8192
TOKEN_HEADER: Final = b"x-outrider-token"
COOKIE: Final = b"outrider-paired"
PAGE: Final = "/"
FEED, DO, PAIR, PAINTED, CODES = "/feed", "/do", "/pair", "/painted", "/codes"
FILES: Final = ("/app.js", "/draw.js", "/texts.js", "/style.css")
_METHOD_OF: Final[Mapping[str, str]] = {
    PAGE: "GET", FEED: "GET", CODES: "GET", DO: "POST", PAIR: "POST", PAINTED: "POST",
    **dict.fromkeys(FILES, "GET"),
}  # fmt: skip
_OPEN: Final = frozenset({PAGE, *FILES})  # show nothing of the crew's
_UNPAIRED: Final = _OPEN | {PAIR}

RESPONSE_HEADERS: Final[Headers] = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        b"img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cache-control", b"no-store"),
)


@dataclass(frozen=True, slots=True)
class Denied:
    """An HTTP status and a word for the log; the asker learns no more."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Passed:
    """`is_display`: asked on the vehicle's own computer. `is_paired`: by a device it trusts."""

    is_display: bool
    is_paired: bool


@dataclass(frozen=True, slots=True)
class Gate:
    """`hosts`: each Host that passes, with the address that it belongs to.

    `displays` are the addresses of this computer; `is_paired` judges a cookie's value.
    """

    hosts: Mapping[bytes, str]
    displays: frozenset[str]
    token: bytes
    is_paired: Callable[[bytes], bool]

    def judge(self, method: str, path: str, headers: Headers, reached: str) -> Passed | Denied:
        """`reached`: the address of ours that the connection came to."""
        if sum(len(name) + len(value) for name, value in headers) > HEADER_BYTES_MAX:
            return Denied(431, "headers")
        host = _single(headers, b"host")
        if host is None or self.hosts.get(host) != reached:
            return Denied(421, "host")
        wanted = _METHOD_OF.get(path)
        if wanted is None:
            return Denied(404, "path")
        if method != wanted:
            return Denied(405, "method")
        denied = _body(method, headers) or _origin(method, path, headers, host)
        if denied is not None:
            return denied
        if path not in _OPEN and not self._has_token(headers):
            return Denied(403, "token")
        is_display = reached in self.displays
        is_paired = is_display or self._has_cookie(headers)
        if not is_paired and path not in _UNPAIRED:
            return Denied(401, "pairing")
        return Passed(is_display, is_paired)

    def _has_token(self, headers: Headers) -> bool:
        given = _single(headers, TOKEN_HEADER)
        return given is not None and hmac.compare_digest(given, self.token)

    def _has_cookie(self, headers: Headers) -> bool:
        line = _single(headers, b"cookie")
        if line is None:
            return False
        pairs = [part.strip().partition(b"=") for part in line.split(b";")]
        values = [value for name, _, value in pairs if name == COOKIE]
        return len(values) == 1 and self.is_paired(values[0])


def _single(headers: Headers, name: bytes) -> bytes | None:
    """The value of a header that is there exactly once."""
    found = [value for key, value in headers if key == name]
    return found[0] if len(found) == 1 else None


def _has(headers: Headers, name: bytes) -> bool:
    return any(key == name for key, _ in headers)


def _body(method: str, headers: Headers) -> Denied | None:
    """A POST has a short JSON body of a known length, a GET has none."""
    length = _single(headers, b"content-length")
    if _has(headers, b"transfer-encoding"):
        return Denied(411, "length")
    if method == "GET":
        is_empty = length == b"0" or not _has(headers, b"content-length")
        return None if is_empty else Denied(400, "body")
    if length is None or not length.isdigit() or len(length) > 9:
        return Denied(411, "length")
    if int(length) > BODY_BYTES_MAX:
        return Denied(413, "size")
    is_json = _single(headers, b"content-type") == b"application/json"
    return None if is_json else Denied(415, "type")


def _origin(method: str, path: str, headers: Headers, host: bytes) -> Denied | None:
    """What a browser says of the page that asks: it must be ours."""
    own = b"http://" + host
    is_owed = method != "GET" or _has(headers, b"origin")
    if is_owed and _single(headers, b"origin") != own:
        return Denied(403, "origin")
    if _has(headers, b"sec-fetch-site"):
        site = _single(headers, b"sec-fetch-site")
        if site != b"same-origin" and not (site == b"none" and path == PAGE):
            return Denied(403, "site")
    return None
