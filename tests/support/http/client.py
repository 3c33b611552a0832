"""The raw HTTP/1.x client of the tests. It shows requests and responses byte for byte.

Library clients hide the details that live tests check: the order and spelling of headers, the
limits of chunks, and if a body ended properly or the connection broke. Use :func:`request` for one
response, :class:`Connection` for unusual requests, and
:func:`tests.support.http.stream.open_stream` for an event stream.

The contract kit has a client of its own (``gateway_shim.parity.play.probe``): the kit ships
without the tests, and it accepts everything that a foreign gateway sends. This client is strict.
The attackers and the canary of the fault tests use sockets, so that they share no code with the
tests that judge them.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from tests.support.http.message import Body, BrokenHTTP, Ended, Head, Response
from tests.support.timing import TIME_LIMIT, TimeLimitPassed

__all__ = [
    "BrokenHTTP",
    "Connection",
    "Ended",
    "Head",
    "Headers",
    "Response",
    "request",
    "request_bytes",
]

Headers = Iterable[tuple[str, str]]

_RECEIVE_BYTES = 65536


class Connection:
    """One TCP connection to a server on loopback.

    Args:
        port: the port of the server.
        host: the address of the server.
        receive_buffer: the size of the kernel's receive buffer in bytes, for tests of slow readers.
    """

    def __init__(
        self, port: int, host: str = "127.0.0.1", *, receive_buffer: int | None = None
    ) -> None:
        self.port = port
        self.host = host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self._held = b""
        try:
            if receive_buffer is not None:
                # Set before connecting, because the handshake fixes the scale of the window.
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
                # The kernel gives the server a send buffer for twenty segments, and those of
                # loopback have 64 KiB.
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
            self.socket.settimeout(TIME_LIMIT)
            self.socket.connect((host, port))
        except BaseException:  # also GreenletExit, if this greenlet is killed
            self.socket.close()
            raise

    def __enter__(self) -> Self:
        """Return the connection. The end of the block closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.settimeout(TIME_LIMIT)
        self.socket.sendall(data)

    def receive(self, deadline: float, what: str = "bytes") -> bytes:
        """Return the next bytes, or no bytes at the end of the connection.

        Args:
            deadline: the end of the wait, in ``time.monotonic`` seconds. After a deadline that has
                passed, only bytes that have already arrived are returned.
            what: the thing that the caller waits for, for the error message.

        Raises:
            ConnectionResetError: the peer reset the connection.
            TimeLimitPassed: no bytes came before the deadline.
        """
        if self._held:
            data, self._held = self._held, b""
            return data
        self.socket.settimeout(max(deadline - time.monotonic(), 0.0))
        try:
            return self.socket.recv(_RECEIVE_BYTES)
        except (TimeoutError, BlockingIOError) as exc:
            raise TimeLimitPassed(f"waited for {what}, and nothing came") from exc

    def unread(self, data: bytes) -> None:
        """Put back bytes, which the next read returns first."""
        self._held = data + self._held

    def read_head(self) -> Head:
        """Read the status line and the headers of the next response.

        Raises:
            BrokenHTTP: the head is malformed, or the connection ended inside it.
            ConnectionResetError: the peer reset the connection.
            TimeLimitPassed: the head did not come.
        """
        deadline = time.monotonic() + TIME_LIMIT
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.receive(deadline, f"the end of the headers, after {data[-200:]!r}")
            if not more:
                raise BrokenHTTP(f"the connection ended inside the headers: {data[-200:]!r}")
            data += more
        raw, _, rest = data.partition(b"\r\n\r\n")
        self.unread(rest)
        return Head.parse(raw)

    def read_response(self, method: str = "GET") -> Response:
        """Read the next whole response, and skip interim responses.

        Args:
            method: the method of the request.

        Raises:
            BrokenHTTP: the response is malformed.
            TimeLimitPassed: the response did not end.
        """
        head = self.read_head()
        while 100 <= head.status < 200 and head.status != 101:  # interim (RFC 9110, 15.2)
            head = self.read_head()
        body = Body.of(head, method)
        payload, ended = self.read_body(body)
        return Response(head, payload, ended, body.chunks)

    def read_body(self, body: Body) -> tuple[bytes, Ended]:
        """Read a body to its end.

        Returns:
            The payload, and how the body ended.

        Raises:
            BrokenHTTP: the framing is wrong.
            TimeLimitPassed: the body did not end.
        """
        deadline = time.monotonic() + TIME_LIMIT
        payload = b""
        while not body.complete:
            try:
                data = self.receive(deadline, f"the end of a body, after {payload[-200:]!r}")
            except ConnectionResetError:
                return payload, Ended.RESET
            if not data:
                return payload, body.eof()
            payload += body.feed(data)
        self.unread(body.rest)
        return payload, Ended.CLEAN

    def wait_closed(self) -> Ended:
        """Wait until the server closes the connection, and return ``EOF`` or ``RESET``.

        Raises:
            BrokenHTTP: the server sent more bytes.
            TimeLimitPassed: the connection stayed open.
        """
        try:
            data = self.receive(time.monotonic() + TIME_LIMIT, "the end of the connection")
        except ConnectionResetError:
            return Ended.RESET
        if data:
            raise BrokenHTTP(f"bytes after the end: {data[:200]!r}")
        return Ended.EOF

    def close(self) -> None:
        """Close the connection, as a browser does when its page is closed."""
        self.socket.close()

    def reset(self) -> None:
        """Reset the connection, as the system does for a client that has crashed."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def request_bytes(
    method: str,
    target: str,
    headers: Headers = (),
    body: bytes = b"",
    *,
    version: str = "1.1",
    host: str = "127.0.0.1",
) -> bytes:
    """Return the bytes of a request. Host and Content-Length are added unless they are given."""
    lines = list(headers)
    names = {name.lower() for name, _ in lines}
    if "host" not in names and version != "1.0":
        lines.insert(0, ("Host", host))
    if body and not names & {"content-length", "transfer-encoding"}:
        lines.append(("Content-Length", str(len(body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"{method} {target} HTTP/{version}\r\n{head}\r\n".encode("latin-1") + body


def request(
    port: int,
    method: str,
    target: str,
    *,
    headers: Headers = (),
    body: bytes = b"",
    json_body: Any = None,
    version: str = "1.1",
) -> Response:
    """Send a request on a new connection, and read the whole response.

    Args:
        port: the port of the server, on 127.0.0.1.
        method: the method.
        target: the path and the query.
        headers: additional headers.
        body: the body.
        json_body: a document that is sent as JSON in the place of ``body``, unless None.
        version: the HTTP version.

    Raises:
        BrokenHTTP: the response is malformed.
        TimeLimitPassed: the response did not come, or did not end.
    """
    lines = list(headers)
    if json_body is not None:
        body = json.dumps(json_body).encode()
        lines.append(("Content-Type", "application/json"))
    if version != "1.0":
        lines.append(("Connection", "close"))
    with Connection(port) as connection:
        connection.send(request_bytes(method, target, lines, body, version=version))
        return connection.read_response(method)
