"""Serves the screen's page, its feed and its touches over HTTP, in the agent's own loop.

Every request passes the gate before any routing; each answer carries the headers that forbid
framing, foreign scripts and storing. A port that is taken stops no order: it is tried again.
Called by the agent as one task.
"""

import asyncio
import gzip
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from typing import Any, Final

import uvicorn
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.screen import commands, gate
from agent.screen.gate import Denied, Gate, Passed
from agent.screen.screen import Screen
from protocol.refusal import Refused
from runtime.log import get_log

log = get_log("screen")

LOOPBACK: Final = "127.0.0.1"
BEAT_S: Final = 2.0  # the page is told again so often: it shows when the agent has stopped
FEEDS_MAX: Final = 8
CONNECTIONS_MAX: Final = 32
BIND_AGAIN_S: Final = 5.0
END_S: Final = 0.5
_FREEBIND: Final = 15  # IP_FREEBIND: the vehicle's network may come up later
_PASSED: Final = "outrider.passed"
_TYPES: Final = {
    "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
}  # fmt: skip
_JSON: Final[TypeAdapter[Any]] = TypeAdapter(Any)


class Guard:
    """The gate in front of an ASGI application, and the headers behind it."""

    def __init__(self, app: ASGIApp, judge: Gate) -> None:
        self._app, self._gate = app, judge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *gate.RESPONSE_HEADERS]
            await send(message)

        if scope["type"] != "http":
            return
        reached = (scope.get("server") or ("", 0))[0]
        path = scope.get("raw_path", b"").decode("latin-1")
        verdict = self._gate.judge(scope["method"], path, scope["headers"], reached)
        if isinstance(verdict, Denied):
            log.limited("request_refused", verdict.reason)
            await Response(status_code=verdict.status)(scope, receive, send_safe)
            return
        scope[_PASSED] = verdict
        await self._app(scope, receive, send_safe)


class _Server(uvicorn.Server):
    """In the agent's loop: the agent has the signals, and nothing needs a tick."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        await asyncio.Event().wait()


class ScreenServer:
    """`run` serves until cancelled."""

    def __init__(self, screen: Screen) -> None:
        self._screen, self._settings = screen, screen.settings
        self._feeds: set[asyncio.Event] = set()
        self._is_over, self._no_feeds = False, asyncio.Event()
        self._no_feeds.set()
        screen.on_page = self._tell
        self._token = secrets.token_hex(16)
        self._files = {path: _page_file(path.strip("/")) for path in gate.FILES}
        self._index = _page_file("index.html")

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._screen.announcer.speaker.run(), name="speech")
            tasks.create_task(self._screen.hear_inputs(), name="board's buttons")
            tasks.create_task(self._serve(), name="http")

    async def _serve(self) -> None:
        sockets = await self._bound()
        config = uvicorn.Config(
            Guard(self._app(), self._gate()), loop="none", http="h11", ws="none", lifespan="off",
            log_config=None, log_level="warning", access_log=False, server_header=False,
            date_header=False, proxy_headers=False, limit_concurrency=CONNECTIONS_MAX,
            timeout_keep_alive=30, timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=2 * gate.HEADER_BYTES_MAX,
        )  # fmt: skip
        log.info("screen_on", port=self._settings.port, network=self._settings.network or "none")
        try:
            await _Server(config).serve(sockets)
        finally:
            for one in sockets:
                one.close()
            await self._end_feeds()

    async def _end_feeds(self) -> None:
        """A feed that ends by itself is no fault in the log."""
        self._is_over = True
        self._tell()
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await self._no_feeds.wait()

    async def _bound(self) -> list[socket.socket]:
        while True:
            try:
                return _listeners(self._addresses(), self._settings.port)
            except OSError as cause:
                log.limited("screen_port_taken", str(cause), port=self._settings.port)
                await asyncio.sleep(BIND_AGAIN_S)

    def _addresses(self) -> tuple[str, ...]:
        network = self._settings.network
        return (LOOPBACK, network) if network and network != LOOPBACK else (LOOPBACK,)

    def _gate(self) -> Gate:
        port = self._settings.port
        hosts = {f"{one}:{port}".encode(): one for one in self._addresses()}
        hosts[f"localhost:{port}".encode()] = LOOPBACK
        return Gate(hosts, frozenset({LOOPBACK}), self._token.encode(), self._screen.is_paired)

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route(gate.PAGE, self._get_page),
                Route(gate.FEED, self._get_feed),
                Route(gate.CODES, self._get_codes),
                Route(gate.DO, self._post_do, methods=["POST"]),
                Route(gate.PAIR, self._post_pair, methods=["POST"]),
                Route(gate.PAINTED, self._post_painted, methods=["POST"]),
                *(Route(path, self._get_file) for path in gate.FILES),
            ]
        )

    # --- requests --------------------------------------------------------------------------------

    async def _get_page(self, request: Request) -> Response:
        passed, settings = _passed(request), self._settings
        words = {
            "%TOKEN%": self._token, "%LANGUAGE%": settings.language, "%KIND%": settings.kind,
            "%PAIRED%": str(passed.is_paired).lower(),
            "%DISPLAY%": str(passed.is_display).lower(),
            "%OFFSET%": str(settings.utc_offset_min),
        }  # fmt: skip
        text = self._index.decode()
        for word, value in words.items():
            text = text.replace(word, value)
        return _answer(request, text.encode(), "html")

    async def _get_file(self, request: Request) -> Response:
        path = request.url.path
        return _answer(request, self._files[path], path.rsplit(".", 1)[1])

    async def _get_codes(self, request: Request) -> Response:
        return _answer(request, _JSON.dump_json(self._screen.names()), "json")

    async def _get_feed(self, _request: Request) -> Response:
        if len(self._feeds) >= FEEDS_MAX:
            return Response(status_code=503)
        return StreamingResponse(self._feed(), media_type="text/event-stream")

    async def _feed(self) -> AsyncIterator[bytes]:
        wake = asyncio.Event()
        self._feeds.add(wake)
        self._no_feeds.clear()
        try:
            while not self._is_over:
                wake.clear()
                yield b"data: " + self._screen.page() + b"\n\n"
                with suppress(TimeoutError):
                    async with asyncio.timeout(BEAT_S):
                        await wake.wait()
        finally:
            self._feeds.discard(wake)
            if not self._feeds:
                self._no_feeds.set()

    async def _post_do(self, request: Request) -> Response:
        reply = await self._screen.touch(await request.body(), _passed(request))
        return JSONResponse(reply.model_dump())

    async def _post_painted(self, request: Request) -> Response:
        try:
            seq = commands.read(await request.body(), commands.PAINTED).seq
        except Refused:
            return Response(status_code=400)
        return JSONResponse({"took_ms": self._screen.painted(seq)})

    async def _post_pair(self, request: Request) -> Response:
        secret = await self._screen.pair(await request.body())
        if secret is None:
            return Response(status_code=403)
        response = Response(status_code=204)
        response.set_cookie(
            gate.COOKIE.decode(), secret.decode(), max_age=365 * 86_400, httponly=True,
            samesite="strict",
        )  # fmt: skip
        return response

    def _tell(self) -> None:
        for wake in self._feeds:
            wake.set()


def _passed(request: Request) -> Passed:
    passed: Passed = request.scope[_PASSED]
    return passed


def _page_file(name: str) -> bytes:
    return (files("agent.screen") / "page" / name).read_bytes()


def _answer(request: Request, content: bytes, ending: str) -> Response:
    headers = {"vary": "accept-encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["content-encoding"] = gzip.compress(content, 6), "gzip"
    return Response(content, headers=headers, media_type=_TYPES.get(ending, "application/json"))


def _listeners(addresses: tuple[str, ...], port: int) -> list[socket.socket]:
    """Raises OSError; then none stays open."""
    made: list[socket.socket] = []
    try:
        for address in addresses:
            one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            made.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.IPPROTO_IP, _FREEBIND, 1)
            one.bind((address, port))
            one.setblocking(False)
    except OSError:
        for one in made:
            one.close()
        raise
    return made
