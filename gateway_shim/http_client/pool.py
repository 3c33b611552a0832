"""Keeps connections to HTTP servers for further requests: :class:`HttpPool`."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import ipaddress
import re
import socket
import ssl
import struct
import termios
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import cast

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from gateway_shim.event_loop.tcp import peer_has_left
from gateway_shim.http_client.answer import HttpAnswer
from gateway_shim.http_client.final_response import FinalResponse
from gateway_shim.http_client.request import HttpRequest
from gateway_shim.http_client.web_url import WebURL

__all__ = ["HttpPool"]

_ORIGINS = 4
"""The number of servers whose connections are kept: the configured one, and redirect targets."""

_IDLE_SECONDS = 4.0
"""The time for which an idle connection is kept, the same as in Node's fetch. Many servers close an
idle connection after 5 s. If a request is sent at the moment of the close, the client cannot know
if the server has read it."""

_MARGIN_SECONDS = 1.0
"""The time by which a connection is given up before its server would close it."""

_TIMEOUT = re.compile(r"\btimeout=([0-9]{1,9})\b", re.IGNORECASE)

_HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "sse-monolith"}

# The errors of sending a request whose answer has arrived before the server has read all of it.
_ANSWERED_EARLY = (BrokenPipeError, ConnectionResetError)


class _Connecting:
    """Connects to an IP address without a name lookup.

    gevent does a name lookup in a thread, even for an IP address, and may have to wait for a free
    thread. It would be the only part of a callback that waits for something besides the backend.
    """

    host: str
    port: int
    timeout: float | None
    until = 0.0
    """The time up to which the pool keeps the connection, monotonic seconds."""

    def _new_conn(self) -> socket.socket:
        if not _is_address(self.host):
            return super()._new_conn()  # type: ignore[misc,no-any-return]  # urllib3 has it
        sock = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(self.timeout)
            sock.connect((self.host, self.port))
        except BaseException:  # also the caller's gevent.Timeout
            sock.close()
            raise
        return sock


class _PooledConnection(_Connecting, HTTPConnection):
    response_class = FinalResponse


class _PooledTLSConnection(_Connecting, HTTPSConnection):
    response_class = FinalResponse


_AnyConnection = _PooledConnection | _PooledTLSConnection

_KeptConnections = OrderedDict[tuple[str, str, int], list[_AnyConnection]]
"""The kept connections by scheme, host and port. The connection that was used last is the last."""


class HttpPool:
    """Sends requests on kept connections. Many greenlets may use one pool at a time.

    While a request is under way, it has its connection for itself. A request is sent at most once:
    a kept connection that its server has closed meanwhile is not used.

    Args:
        connections: the number of connections to one server that are kept.
        context: returns the TLS settings; called when they are needed.
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        connections: int,
        context: Callable[[], ssl.SSLContext],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connections = connections
        self._context = context
        self._clock = clock
        self._kept: _KeptConnections = OrderedDict()  # the server that was used last is the last
        self._closings = 0  # the number of calls of close()
        # Many owners live as long as their process and never call close().
        weakref.finalize(self, _close_kept, self._kept)

    def close(self) -> None:
        """Close the kept connections. Connections in use are closed after their answer."""
        self._closings += 1
        _close_kept(self._kept)

    def close_idle(self) -> int:
        """Close the connections that are kept for too long; return the number of the others.

        A request checks only the connections that it could use. Without this method, the
        connections of a burst of requests would stay open until the next burst, although most of
        their servers have closed them long before.
        """
        now = self._clock()
        for kept in self._kept.values():
            idle = [connection for connection in kept if connection.until <= now]
            kept[:] = [connection for connection in kept if connection.until > now]
            _close_all(idle)
        return sum(map(len, self._kept.values()))

    def request(self, request: HttpRequest) -> HttpAnswer:
        """Send a request, and read the head of its answer.

        Raises:
            OSError: an error of the socket. http.client.HTTPException and urllib3's HTTPError are
                raised as well.
        """
        url = request.url
        connection, closings = self._connection(url), self._closings
        fields: dict[str, str | bytes] = {"Host": url.location, **_HEADERS}
        if url.authorization is not None:
            fields["Authorization"] = url.authorization
        given = {name.lower() for name in request.headers}
        fields = {name: value for name, value in fields.items() if name.lower() not in given}
        try:
            connection.timeout = request.connect_seconds
            if connection.is_closed:
                connection.connect()
            connection.sock.settimeout(request.seconds)
            with contextlib.suppress(*_ANSWERED_EARLY):
                connection.request(
                    request.method,
                    url.target,
                    body=request.body,
                    headers={**fields, **request.headers},  # type: ignore[dict-item]  # or bytes
                    preload_content=False,
                    decode_content=False,
                )
            connection.timeout = request.seconds
            raw = connection.getresponse()
        except BaseException:  # also the caller's gevent.Timeout
            connection.close()
            raise
        done = functools.partial(self._done, connection, url.origin, raw, closings)
        return HttpAnswer(raw, done)

    # ------------------------------------------------------------------ private

    def _connection(self, url: WebURL) -> _AnyConnection:
        """Return a kept connection that can be used, or a new connection, which is not open yet."""
        kept = self._kept.get(url.origin, [])
        while kept:
            connection = kept.pop()
            if self._clock() < connection.until and _is_usable(connection):
                return connection
            connection.close()
        if url.scheme == "https":
            return _PooledTLSConnection(url.socket_host, url.port, ssl_context=self._context())
        return _PooledConnection(url.socket_host, url.port)

    def _done(
        self,
        connection: _AnyConnection,
        origin: tuple[str, str, int],
        raw: urllib3.HTTPResponse,
        closings: int,
    ) -> None:
        """Keep a connection for the next request, or close it.

        Args:
            connection: a connection whose answer is not read any more.
            origin: the scheme, host and port of its server.
            raw: the answer.
            closings: the value of ``_closings`` when the request was sent.
        """
        answer = cast(FinalResponse, raw._original_response)
        usable = answer.finished and connection.sock is not None
        if not usable or closings != self._closings:
            raw.close()
            connection.close()
            return
        kept = self._kept.setdefault(origin, [])
        self._kept.move_to_end(origin)
        if len(self._kept) > _ORIGINS:
            _close_all(self._kept.popitem(last=False)[1])
        now = self._clock()
        connection.until = now + _idle_seconds(answer.getheader("Keep-Alive"))
        while kept and kept[0].until <= now:
            kept.pop(0).close()
        if len(kept) < self._connections and now < connection.until:
            kept.append(connection)
        else:
            connection.close()


def _idle_seconds(keep_alive: str | None) -> float:
    """Return how long a connection may be idle, seconds: less than its server's ``Keep-Alive``."""
    match = _TIMEOUT.search(keep_alive or "")
    return min(_IDLE_SECONDS, int(match[1]) - _MARGIN_SECONDS) if match else _IDLE_SECONDS


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_usable(connection: _AnyConnection) -> bool:
    """Return True if a kept connection is open and no unexpected bytes have arrived on it."""
    try:
        unread = fcntl.ioctl(connection.sock, termios.FIONREAD, bytes(4))
        return not peer_has_left(connection.sock) and struct.unpack("i", unread)[0] == 0
    except OSError:
        return False


def _close_kept(kept: _KeptConnections) -> None:
    while kept:
        _close_all(kept.popitem()[1])


def _close_all(connections: list[_AnyConnection]) -> None:
    while connections:
        connections.pop().close()
