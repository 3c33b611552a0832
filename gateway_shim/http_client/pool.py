"""Connections to HTTP servers, kept for the next requests: :class:`HttpPool`."""

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
from gateway_shim.http_client.final_response import FinalResponse
from gateway_shim.http_client.reply import HttpAnswer
from gateway_shim.http_client.request import HttpRequest
from gateway_shim.http_client.web_url import WebURL

__all__ = ["HttpPool"]

_ORIGINS = 4
"""Servers whose connections are kept: the one in the settings, and where it redirects to."""

_IDLE_SECONDS = 4.0
"""The time that a connection is kept without a request, as long as by Node's fetch. Many servers
close theirs after 5 s, and a request that crosses the close may or may not have been read."""

_MARGIN_SECONDS = 1.0
"""A connection is given up so much earlier than its server says that it will close it."""

_TIMEOUT = re.compile(r"\btimeout=([0-9]{1,9})\b", re.IGNORECASE)

_HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "sse-monolith"}

# What sending can fail with although the answer is there: the server has not read all of it.
_ANSWERED_EARLY = (BrokenPipeError, ConnectionResetError)


class _Connecting:
    """Connects to an address without asking a name server.

    In gevent that would be done by a thread, and wait for one: the only part of a callback to an
    address that may wait for something besides the backend.
    """

    host: str
    port: int
    timeout: float | None
    until = 0.0

    def _new_conn(self) -> socket.socket:
        if not _is_address(self.host):
            return super()._new_conn()  # type: ignore[misc,no-any-return]
        sock = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(self.timeout)
            sock.connect((self.host, self.port))
        except BaseException:  # also a timeout of the caller's
            sock.close()
            raise
        return sock


class _Connection(_Connecting, HTTPConnection):
    response_class = FinalResponse


class _TLSConnection(_Connecting, HTTPSConnection):
    response_class = FinalResponse


_Kept = OrderedDict[tuple[str, str, int], list[_Connection | _TLSConnection]]
"""By scheme, host and port; the connection that was used last is the last one."""


class HttpPool:
    """Sends requests, each on a connection of its own meanwhile; safe to use from many greenlets.

    A request is sent once: on a kept connection that has ended since, nothing is sent.

    Args:
        connections: how many to one server are kept.
        context: returns the TLS settings, when they are needed first.
        clock: monotonic seconds.
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
        self._kept: _Kept = OrderedDict()
        self._closings = 0
        # Many owners live as long as their process and never close: no socket is left to chance.
        weakref.finalize(self, _close_kept, self._kept)

    def close(self) -> None:
        """Close the kept connections, and do not keep those that are in use."""
        self._closings += 1
        _close_kept(self._kept)

    def close_idle(self) -> int:
        """Close the connections that have been kept for too long; return how many are left.

        A request looks at those that it could use only: after a crowd they would stay open until
        the next crowd, most of them closed by their server long ago.
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
            OSError: as sockets do; http.client.HTTPException, urllib3's HTTPError: likewise.
        """
        url = request.url
        connection = self._connection(url)
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
                    headers={**fields, **request.headers},  # type: ignore[dict-item]
                    preload_content=False,
                    decode_content=False,
                )
            connection.timeout = request.seconds
            raw = connection.getresponse()
        except BaseException:  # the caller's gevent.Timeout, too
            connection.close()
            raise
        done = functools.partial(self._done, connection, url.origin, raw, self._closings)
        return HttpAnswer(raw, done)

    def _connection(self, url: WebURL) -> _Connection | _TLSConnection:
        """Return a kept connection that is fit for use, or a new one, which is not open yet."""
        kept = self._kept.get(url.origin, [])
        while kept:
            connection = kept.pop()
            if self._clock() < connection.until and _is_fit(connection):
                return connection
            connection.close()
        if url.scheme == "https":
            return _TLSConnection(url.socket_host, url.port, ssl_context=self._context())
        return _Connection(url.socket_host, url.port)

    def _done(
        self,
        connection: _Connection | _TLSConnection,
        origin: tuple[str, str, int],
        raw: urllib3.HTTPResponse,
        closings: int,
    ) -> None:
        """Keep a connection for the next request, or close it.

        Args:
            connection: one whose answer nobody reads any more.
            origin: which server's.
            raw: the answer.
            closings: how often the pool had been closed when the request was sent.
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
    """Return how long a connection may be idle; less than its server's ``Keep-Alive`` says."""
    match = _TIMEOUT.search(keep_alive or "")
    return min(_IDLE_SECONDS, int(match[1]) - _MARGIN_SECONDS) if match else _IDLE_SECONDS


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_fit(connection: _Connection | _TLSConnection) -> bool:
    """Return whether a kept connection is open, and nothing came that nobody asked for."""
    try:
        unread = fcntl.ioctl(connection.sock, termios.FIONREAD, bytes(4))
        return not peer_has_left(connection.sock) and struct.unpack("i", unread)[0] == 0
    except OSError:
        return False


def _close_kept(kept: _Kept) -> None:
    while kept:
        _close_all(kept.popitem()[1])


def _close_all(connections: list[_Connection | _TLSConnection]) -> None:
    while connections:
        connections.pop().close()
