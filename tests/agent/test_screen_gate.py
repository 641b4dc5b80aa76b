"""Who may ask the screen's server: hosts and origins by raw sockets, only the listed ones pass.

The Host is judged before any routing, so a wrong one gets 421 or the parser's 400 whatever it asks.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.entry import DeviceEvent
from tests.browser.car import Car, car_in

pytestmark = pytest.mark.xdist_group("screen-gate")

NETWORK = "127.0.0.2"  # stands for the vehicle's own network
P = "{port}"

# Each with {port} filled in. Only LISTED pass.
LISTED = (f"127.0.0.1:{P}", f"localhost:{P}")
HOSTS = (
    "", " ", "127.0.0.1", "localhost", f"localhost.:{P}", f"127.0.0.1.:{P}", f"LOCALHOST:{P}",
    f"Localhost:{P}", f"localhost.evil:{P}", f"localhost.evil.com:{P}", f"evil.localhost:{P}",
    f"evil.com:{P}", "evil.com", f"127.0.0.1.evil.com:{P}", f"127.0.0.1.nip.io:{P}",
    f"2130706433:{P}", f"0x7f000001:{P}", f"0x7f.0.0.1:{P}", f"0177.0.0.1:{P}",
    f"017700000001:{P}", f"127.1:{P}", f"127.0.1:{P}", f"127.0.0.2:{P}", f"127.0.0.3:{P}",
    f"127.000.000.001:{P}", f"0.0.0.0:{P}", f"0:{P}", f"[::1]:{P}", "[::1]", f"::1:{P}",
    f"[::ffff:127.0.0.1]:{P}", f"[0:0:0:0:0:0:0:1]:{P}", f"[::]:{P}", f"[::1%25lo]:{P}",
    "127.0.0.1:1", "127.0.0.1:80", "127.0.0.1:443", f"127.0.0.1:0{P}", f"127.0.0.1:+{P}",
    f"127.0.0.1:{P}0", "127.0.0.1:", "localhost:", f"127.0.0.1::{P}", f"127.0.0.1:{P}:{P}",
    f"user@127.0.0.1:{P}", f"127.0.0.1:{P}@evil.com", f"evil.com@127.0.0.1:{P}",
    f"http://127.0.0.1:{P}", f"127.0.0.1:{P}/", f"127.0.0.1:{P}/evil.com", f"127.0.0.1:{P}#x",
    f"127.0.0.1:{P}?x", f"127.0.0.1:{P},evil.com", f"evil.com,127.0.0.1:{P}",
    f"127.0.0.1:{P} evil.com", f"127.0.0.1 :{P}", f"127.0.0.1: {P}", f"127。0。0。1:{P}",
    f"１２７.0.0.1:{P}", f"localhoſt:{P}", f"loc%61lhost:{P}", f"127.0.0.1%00:{P}",
    f"localhost;:{P}", f"*:{P}", "*", "null", f"localhost.localdomain:{P}", f"ip6-localhost:{P}",
    f"car-1.local:{P}",
)  # fmt: skip
ORIGINS = (
    "", "null", "http://evil.com", f"http://evil.com:{P}", f"https://127.0.0.1:{P}",
    "http://127.0.0.1", f"http://localhost:{P}", f"http://127.0.0.1:{P}/", f"127.0.0.1:{P}",
    f"http://127.0.0.1:{P}.evil.com", f"HTTP://127.0.0.1:{P}", f"http://127.0.0.1:0{P}",
    f"http://user@127.0.0.1:{P}", f"http://[::1]:{P}", "http://127.0.0.1:1", "file://", "*",
    f"http://127.0.0.1:{P}, http://evil.com", f"http://127.0.0.1:{P} http://evil.com",
    f"chrome-extension://127.0.0.1:{P}",
)  # fmt: skip


@pytest.fixture(scope="module")
def car(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Car]:
    with car_in(tmp_path_factory.mktemp("gate")) as one:
        one.screen["network"] = f'"{NETWORK}"'
        one.start()
        one.log_on()
        yield one


class Answer:
    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1]) if lines[0] else 0
        self.headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}


def ask(car: Car, head: str, body: bytes = b"", address: str = "127.0.0.1") -> Answer:
    """One request as raw bytes; the answer once the server has closed, or the head of a feed."""
    with socket.create_connection((address, car.port), timeout=10) as one:
        one.sendall(head.replace(P, str(car.port)).encode() + b"\r\n\r\n" + body)
        raw = b""
        while chunk := one.recv(65536):
            raw += chunk
            if b"text/event-stream" in raw and b"data: " in raw:
                break
    return Answer(raw)


def get(
    car: Car, path: str, *more: str, host: str = LISTED[0], address: str = "127.0.0.1"
) -> Answer:
    lines = (f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *more)
    return ask(car, "\r\n".join(lines), address=address)


def token(car: Car) -> str:
    found = re.search(rb'data-token="([0-9a-f]{32})"', get(car, "/").body)
    assert found is not None
    return found[1].decode()


def post(car: Car, path: str, message: object, *more: str, **changes: str) -> Answer:
    """A POST as the page makes it; a header is changed by its name, left out where empty."""
    body = json.dumps(message).encode()
    host = changes.pop("host", LISTED[0])
    headers = {
        "Host": host, "Origin": f"http://{host}", "X-Outrider-Token": token(car),
        "Content-Type": "application/json", "Content-Length": str(len(body)),
    } | {key.replace("_", "-").title(): value for key, value in changes.items()}  # fmt: skip
    lines = [f"{key}: {value}" for key, value in headers.items() if value]
    address = NETWORK if host.startswith(NETWORK) else "127.0.0.1"
    head = "\r\n".join([f"POST {path} HTTP/1.1", *lines, "Connection: close", *more])
    return ask(car, head, body, address)


STATUS = {"type": "set_status", "status": "available"}


@pytest.mark.parametrize("host", LISTED)
def test_listed_hosts_pass(car: Car, host: str) -> None:
    answer = get(car, "/", host=host)
    assert answer.status == 200
    assert b"Outrider" in answer.body


@pytest.mark.parametrize("at", range(len(HOSTS)))
def test_no_other_host_passes(car: Car, at: int) -> None:
    for path in ("/", "/feed", "/app.js", "/none"):
        answer = get(car, path, host=HOSTS[at])
        assert answer.status in {400, 421}, (HOSTS[at], path)
        assert b"Outrider" not in answer.body


def test_sixty_hosts_are_tried() -> None:
    assert len(set(HOSTS)) >= 60
    assert not set(HOSTS) & set(LISTED)


@pytest.mark.parametrize(
    "head",
    ["GET / HTTP/1.1", "GET / HTTP/1.0",
     f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{P}\r\nHost: 127.0.0.1:{P}",
     f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{P}\r\nhost: evil.com",
     f"GET / HTTP/1.1\r\nHost : 127.0.0.1:{P}",
     f"GET http://evil.com/ HTTP/1.1\r\nHost: 127.0.0.1:{P}",
     f"GET //evil.com/ HTTP/1.1\r\nHost: 127.0.0.1:{P}",
     f"GET /../ HTTP/1.1\r\nHost: 127.0.0.1:{P}", f"GET /app%2ejs HTTP/1.1\r\nHost: 127.0.0.1:{P}",
     f"GET /..%2fapp.js HTTP/1.1\r\nHost: 127.0.0.1:{P}",
     f"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:{P}",
     f"CONNECT evil.com:80 HTTP/1.1\r\nHost: 127.0.0.1:{P}",
     f"HEAD / HTTP/1.1\r\nHost: 127.0.0.1:{P}", f"TRACE / HTTP/1.1\r\nHost: 127.0.0.1:{P}",
     f"PUT / HTTP/1.1\r\nHost: 127.0.0.1:{P}", f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{P}",
     f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{P}\r\nContent-Length: 5",
     f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{P}\r\nX: {'a' * 20_000}"],
    ids=["none", "none-1.0", "twice", "two", "blank", "absolute", "two-slashes", "up", "escaped",
         "escaped-up", "options", "connect", "head", "trace", "put", "post", "body", "long"],
)  # fmt: skip
def test_odd_requests_get_nothing(car: Car, head: str) -> None:
    answer = ask(car, head + "\r\nConnection: close", b"12345" if "Length: 5" in head else b"")
    assert 400 <= answer.status < 500
    assert b"Outrider" not in answer.body
    assert "access-control-allow-origin" not in answer.headers


def test_the_pages_own_touch_is_taken(car: Car) -> None:
    answer = post(car, "/do", STATUS)
    assert (answer.status, json.loads(answer.body)["type"]) == (200, "done")


@pytest.mark.parametrize("at", range(len(ORIGINS)))
def test_no_other_origin_passes(car: Car, at: int) -> None:
    assert post(car, "/do", STATUS, origin=ORIGINS[at]).status in {400, 403}, ORIGINS[at]


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"x_outrider_token": ""}, 403), ({"x_outrider_token": "0" * 32}, 403),
     ({"content_type": "text/plain"}, 415), ({"content_type": ""}, 415),
     ({"content_type": "application/json; charset=utf-8"}, 415), ({"content_length": ""}, 411),
     ({"content_length": "5000"}, 413), ({"sec_fetch_site": "cross-site"}, 403),
     ({"sec_fetch_site": "same-site"}, 403), ({"sec_fetch_site": "none"}, 403)],
    ids=str,
)  # fmt: skip
def test_a_touch_needs_token_type_length_and_site(
    car: Car, changes: dict[str, str], status: int
) -> None:
    assert post(car, "/do", STATUS, **changes).status == status


@pytest.mark.parametrize(
    ("path", "more", "status"),
    [("/", "Sec-Fetch-Site: cross-site", 403), ("/", "Sec-Fetch-Site: none", 200),
     ("/app.js", "Sec-Fetch-Site: none", 403), ("/app.js", "Sec-Fetch-Site: same-origin", 200),
     ("/", "Origin: http://evil.com", 403), ("/feed", "X-A: b", 403), ("/codes", "X-A: b", 403)],
    ids=str,
)  # fmt: skip
def test_reading_is_guarded_too(car: Car, path: str, more: str, status: int) -> None:
    assert get(car, path, more).status == status


def test_every_answer_forbids_framing_scripts_from_elsewhere_and_sharing(car: Car) -> None:
    for answer in (get(car, "/"), get(car, "/style.css"), get(car, "/", host="evil.com")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert not [one for one in answer.headers if one.startswith("access-control")]


@pytest.mark.parametrize(
    "message",
    [{}, [], 1, {"type": "fly"}, {"type": "answer", "order": "o-1"}, {"type": "event"},
     {"type": "watch"}, STATUS | {"more": 1}, {"type": "set_status", "status": "x" * 33}],
    ids=lambda one: json.dumps(one)[:40],
)  # fmt: skip
def test_a_body_that_is_no_touch_is_refused_with_its_field(car: Car, message: object) -> None:
    reply = json.loads(post(car, "/do", message).body)
    assert reply["type"] == "refused"
    assert reply["reason"]


def test_a_new_start_has_a_new_token(car: Car) -> None:
    before = token(car)
    car.agent.kill()
    car.start()
    assert token(car) != before
    assert get(car, "/feed", f"X-Outrider-Token: {before}").status == 403


# --- on the vehicle's own network -----------------------------------------------------------------


def test_a_tablet_is_paired_by_the_displays_code_and_stays_so(car: Car) -> None:
    host = f"{NETWORK}:{car.port}"
    assert get(car, "/", host=host).status == 421  # a listed host, reached at another address
    assert get(car, "/", host=LISTED[0], address=NETWORK).status == 421
    stranger = get(car, "/", host=host, address=NETWORK)
    assert (stranger.status, b'data-paired="false"' in stranger.body) == (200, True)
    head = f"X-Outrider-Token: {token(car)}"
    assert get(car, "/feed", head, host=host, address=NETWORK).status == 401
    assert post(car, "/do", STATUS, host=host).status == 401
    assert post(car, "/pair", {"code": "000000"}, host=host).status == 403  # none is shown

    assert json.loads(post(car, "/do", {"type": "show_code"}).body)["type"] == "done"
    shown = json.loads(get(car, "/feed", head).body.partition(b"data: ")[2].split(b"\n\n")[0])
    wrong = f"{(int(shown['pairing_code']) + 1) % 10**6:06d}"
    assert post(car, "/pair", {"code": wrong}, host=host).status == 403
    paired = post(car, "/pair", {"code": shown["pairing_code"]}, host=host)
    assert paired.status == 204
    assert "HttpOnly" in paired.headers["set-cookie"]
    assert "SameSite=strict" in paired.headers["set-cookie"]
    cookie = "Cookie: " + paired.headers["set-cookie"].split(";")[0]
    assert get(car, "/feed", head, cookie, host=host, address=NETWORK).status == 200
    assert post(car, "/do", STATUS, cookie, host=host).status == 200
    refused = json.loads(post(car, "/do", {"type": "show_code"}, cookie, host=host).body)
    assert refused["type"] == "refused"  # only at the display

    car.agent.kill()
    car.start()
    head = f"X-Outrider-Token: {token(car)}"
    assert get(car, "/feed", head, cookie, host=host, address=NETWORK).status == 200
    assert json.loads(post(car, "/do", {"type": "unpair"}).body)["type"] == "done"
    assert get(car, "/feed", head, cookie, host=host, address=NETWORK).status == 401
    names = [one.name for one in car.centre.bodies(DeviceEvent)]
    car.centre.wait(lambda: "screens_unpaired" in
                    [one.name for one in car.centre.bodies(DeviceEvent)], "unpairing")  # fmt: skip
    assert names[:1] in ([], ["screen_paired"])


def test_an_orderly_stop_with_open_feeds_is_clean(car: Car) -> None:
    lines = (f"GET /feed HTTP/1.1\r\nHost: {LISTED[0]}", f"X-Outrider-Token: {token(car)}")
    head = "\r\n".join(lines).replace(P, str(car.port)).encode() + b"\r\n\r\n"
    with contextlib.ExitStack() as feeds:
        for _ in range(3):
            one = feeds.enter_context(socket.create_connection(("127.0.0.1", car.port), 10))
            one.sendall(head)
            assert one.recv(100)
        assert car.agent.stop() == 0
    stopping = car.agent.log.read_text().rpartition("event=stopping")[2]
    assert "level=error" not in stopping
    car.start()


def test_a_port_that_is_taken_stops_no_terminal(tmp_path: Path) -> None:
    with car_in(tmp_path) as one, socket.create_server(("127.0.0.1", one.port)):
        one.start(waits=False)
        assert one.log_on()
        assert "screen_port_taken" in one.agent.log.read_text()
