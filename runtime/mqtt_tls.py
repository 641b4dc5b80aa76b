"""From a name to a TLS 1.3 socket whose other end holds a certificate of our one root.

Chain and name are checked by OpenSSL with its time check off: a terminal without a clock battery
could never connect; `check_peer` looks at the dates with what we know of the time. Happy eyeballs
(RFC 8305): a broken IPv6 costs a quarter of a second. Everything runs in the loop, but for the
name look-up. Called by `runtime.mqtt_link`.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Final

from runtime.faults import ConfigFault
from runtime.log import Log
from runtime.mqtt_types import ConnectionEnded, LinkReason, LinkSettings, PeerRefused
from runtime.mqtt_wire import why
from runtime.resolver import Address, Resolver

_NO_CHECK_TIME: Final = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, which Python's ssl does not name
_STAGGER_S: Final = 0.25
_MS_PER_S: Final = 1000


def client_context(settings: LinkSettings) -> ssl.SSLContext:
    """TLS 1.3, our certificate, one trusted root. Raises ConfigFault naming the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    path = settings.ca_file
    try:
        context.load_verify_locations(cafile=path)
        path = settings.cert_file
        context.load_cert_chain(settings.cert_file, settings.key_file)
    except (OSError, ValueError) as cause:  # an SSLError is an OSError
        reason = getattr(cause, "strerror", None) or str(cause)
        remedy = "give a PEM file that this user may read (and the key that belongs to it)"
        raise ConfigFault(path, "cannot be used for TLS", reason, remedy) from cause
    return context


class Credentials:
    """The context from the files as they are now, so that a renewed certificate is used next."""

    def __init__(self, settings: LinkSettings, log: Log) -> None:
        self._settings, self._log = settings, log
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """Raises ConfigFault the first time; a renewal half done must not stop what ran."""
        try:
            self._context = client_context(self._settings)
        except ConfigFault as fault:
            if self._context is None:
                raise
            self._log.limited("mqtt_certificates_kept", reason=str(fault))
        return self._context


async def open_tls(
    settings: LinkSettings,
    context: ssl.SSLContext,
    resolver: Resolver,
    *,
    check_peer: Callable[[bytes], None] | None,
    stage: Callable[[LinkReason, str], None],
    on_handshake: Callable[[], None],
) -> tuple[ssl.SSLSocket, bytes]:
    """A socket after the handshake, and the server's certificate (DER).

    Raises ConnectionEnded. `stage` hears what a time-out would mean from now on. Cancelling it
    leaves no socket, and no thread that matters.
    """
    place = settings.address
    stage(LinkReason.NAME_NOT_FOUND, "no answer from the name server")
    try:
        addresses = await resolver.addresses()
    except OSError as cause:
        raise ConnectionEnded(place, LinkReason.NAME_NOT_FOUND, why(cause)) from cause
    stage(LinkReason.UNREACHABLE, "no answer")
    try:
        plain = await _first_open(addresses, settings.tcp_user_timeout_s)
    except OSError as cause:
        raise ConnectionEnded(place, LinkReason.UNREACHABLE, why(cause)) from cause
    stage(LinkReason.TIMEOUT, "TLS handshake")
    on_handshake()
    tls = context.wrap_socket(
        plain,
        server_hostname=settings.server_name or settings.host,
        do_handshake_on_connect=False,
    )
    try:
        certificate = await _handshake(tls, place)
        if check_peer is not None:
            check_peer(certificate)
    except PeerRefused as refused:
        tls.close()
        raise ConnectionEnded(place, LinkReason.PEER_REFUSED, str(refused)) from refused
    except BaseException:
        tls.close()
        raise
    return tls, certificate


async def _handshake(tls: ssl.SSLSocket, place: str) -> bytes:
    try:
        await _shake_hands(tls)
    except ssl.SSLCertVerificationError as cause:
        detail = cause.verify_message
        raise ConnectionEnded(place, LinkReason.WRONG_CERTIFICATE, detail) from cause
    except OSError as cause:
        raise ConnectionEnded(place, LinkReason.TLS_REFUSED, why(cause)) from cause
    certificate = tls.getpeercert(binary_form=True)
    assert certificate is not None
    return certificate


async def _shake_hands(tls: ssl.SSLSocket) -> None:
    while True:
        try:
            return tls.do_handshake()
        except ssl.SSLWantReadError:
            await _ready(tls, asyncio.get_running_loop().add_reader)
        except ssl.SSLWantWriteError:
            await _ready(tls, asyncio.get_running_loop().add_writer)


async def _ready(
    tls: ssl.SSLSocket, watch: Callable[[ssl.SSLSocket, Callable[[], None]], None]
) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    watch(tls, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(tls)
        loop.remove_writer(tls)


async def _first_open(addresses: Sequence[Address], user_timeout_s: float) -> socket.socket:
    """The first that answers; each next address starts after a quarter second, or a failure."""
    tasks: list[asyncio.Task[socket.socket]] = []
    try:
        for address in addresses:
            tasks.append(asyncio.create_task(_open(address, user_timeout_s)))
            is_last = len(tasks) == len(addresses)
            winner = await _first_success(tasks, None if is_last else _STAGGER_S)
            if winner is not None:
                return winner
    finally:
        await _drop(tasks)
    raise tasks[-1].exception() or OSError("no address")


async def _first_success(
    tasks: Sequence[asyncio.Task[socket.socket]], timeout_s: float | None
) -> socket.socket | None:
    """None when `timeout_s` passed, or all of them failed."""
    loop = asyncio.get_running_loop()
    deadline_s = None if timeout_s is None else loop.time() + timeout_s
    open_tasks = {task for task in tasks if not task.done()}
    while open_tasks:
        left_s = None if deadline_s is None else max(0.0, deadline_s - loop.time())
        done, open_tasks = await asyncio.wait(
            open_tasks, timeout=left_s, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            if task.exception() is None:
                return task.result().dup()  # the original is closed with the losers
        if not done:
            return None
    return None


async def _open(address: Address, user_timeout_s: float) -> socket.socket:
    family, name = address
    plain = socket.socket(family, socket.SOCK_STREAM)
    try:
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        user_timeout_ms = int(user_timeout_s * _MS_PER_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, user_timeout_ms)
        await asyncio.get_running_loop().sock_connect(plain, name)
    except BaseException:
        plain.close()
        raise
    return plain


async def _drop(tasks: Sequence[asyncio.Task[socket.socket]]) -> None:
    """Close what lost the race."""
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, socket.socket):
            outcome.close()
