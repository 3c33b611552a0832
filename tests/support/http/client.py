"""A raw HTTP/1.x client: what was asked and what came back, byte for byte.

Library clients hide what live tests are about: the order and spelling of headers, where one
chunk ends and the next begins, and whether a body ended as it should or the connection just
broke. ``request`` is for one answer, ``Connection`` for everything odd, and
``tests.support.http.stream.open_stream`` for an event stream.
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
        port: where the server listens.
        host: its address.
        receive_buffer: bytes the kernel may hold for this client, for tests of slow readers.
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
                # Before connecting: the window's scale is fixed in the handshake.
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.socket.settimeout(TIME_LIMIT)
            self.socket.connect((host, port))
        except BaseException:  # also of a greenlet that is killed here
            self.socket.close()
            raise

    def __enter__(self) -> Self:
        """Use as a context manager: closed at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.settimeout(TIME_LIMIT)
        self.socket.sendall(data)

    def receive(self, deadline: float, what: str = "bytes") -> bytes:
        """The next bytes; empty at the end of the connection.

        Args:
            deadline: until when to wait, in ``time.monotonic`` seconds; one that has passed
                takes only what is already there.
            what: what is waited for, for the error.

        Raises:
            ConnectionResetError: the peer reset the connection.
            TimeLimitPassed: nothing came.
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
        """Give back bytes that belong to what is read next."""
        self._held = data + self._held

    def read_head(self) -> Head:
        """The next answer's status line and headers.

        Raises:
            BrokenHTTP: malformed, or the connection ended before they were complete.
            ConnectionResetError: the peer reset the connection.
            TimeLimitPassed: nothing came.
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
        """The next whole answer; ``method`` is that of its request.

        Raises:
            BrokenHTTP: malformed.
            TimeLimitPassed: it did not end.
        """
        head = self.read_head()
        while 100 <= head.status < 200 and head.status != 101:  # interim (RFC 9110, 15.2)
            head = self.read_head()
        body = Body.of(head, method)
        payload, ended = self.read_body(body)
        return Response(head, payload, ended, body.chunks)

    def read_body(self, body: Body) -> tuple[bytes, Ended]:
        """A body to its end, however it ends.

        Raises:
            BrokenHTTP: its framing is wrong.
            TimeLimitPassed: it did not end.
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
        """Wait until the server closes the connection: ``EOF`` or ``RESET``.

        Raises:
            BrokenHTTP: the server sent something else first.
            TimeLimitPassed: it stayed open.
        """
        try:
            data = self.receive(time.monotonic() + TIME_LIMIT, "the end of the connection")
        except ConnectionResetError:
            return Ended.RESET
        if data:
            raise BrokenHTTP(f"bytes after the end: {data[:200]!r}")
        return Ended.EOF

    def close(self) -> None:
        """Close as a browser does that goes away."""
        self.socket.close()

    def reset(self) -> None:
        """Close with a reset, as a client does that crashed."""
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
    """A request as it goes over the wire; Host and Content-Length are added unless given."""
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
    """Ask on a connection of its own and read the whole answer.

    Args:
        json_body: sent as JSON, with its content type, unless None.

    Raises:
        BrokenHTTP: the answer is malformed.
        TimeLimitPassed: it did not come, or did not end.
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
