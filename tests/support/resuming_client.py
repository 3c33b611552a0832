"""Many clients that reconnect and resume as browsers do, and that judge what they received.

One thread serves all clients, with plain sockets, so hundreds of clients fit into a test process.
Each client keeps every event in the order of its arrival and sends ``Last-Event-ID`` when it
reconnects. The test numbers its events; :attr:`ResumingClient.problems` then lists what a client
got twice, in the wrong order, or not at all without a ``resync``.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from tests.support.http.client import request_bytes
from tests.support.http.message import Body, Ended, Head
from tests.support.http.sse_parser import SSEEvent, SSEParser
from tests.support.resumed_numbers import Received, ResumingClient
from tests.support.timing import TIME_LIMIT, wait_until

__all__ = ["Received", "ResumingClient", "ResumingClients"]

_RECEIVE_BYTES = 65536
_PAUSE_SECONDS = 0.05
"""The pause before a reconnect. Browsers wait for seconds, which no test has."""

_TURN_SECONDS = 0.02
_RST_ON_CLOSE = struct.pack("ii", 1, 0)


class ResumingClients:
    """A context manager that runs clients in a thread of its own, and closes them at the end.

    Args:
        port: the port of the server, on 127.0.0.1.
        count: the number of clients.
        number: returns the number of an event that the test has numbered, or None.
        path: the path of the stream, and a query to which the request id is added.
        receive_buffer: the size of the kernel's receive buffers in bytes, for slow readers.

    Attributes:
        port: the port for the next connects; a test may change it.
        clients: the records of the clients.
    """

    def __init__(
        self,
        port: int,
        count: int,
        number: Callable[[SSEEvent], int | None],
        *,
        path: str = "/api/sse/stream?",
        receive_buffer: int | None = None,
    ) -> None:
        self.port = port
        self.clients = [ResumingClient(str(uuid.uuid4()), number) for _ in range(count)]
        self._links = {client.request_id: _Link(client) for client in self.clients}
        self._path = path
        self._receive_buffer = receive_buffer
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Connect all clients, and return when each has a stream."""
        self._thread.start()
        try:
            self.wait_for(lambda client: client.is_open, "every client's stream")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all clients."""
        self._stop()

    def wait_for(
        self,
        condition: Callable[[ResumingClient], bool],
        what: str,
        *,
        clients: Iterable[ResumingClient] | None = None,
        limit: float = TIME_LIMIT,
    ) -> None:
        """Wait until a condition has been true once for each client.

        Args:
            condition: the condition.
            what: the condition for the error message.
            clients: the clients; all of them by default.
            limit: the time limit, in seconds.

        Raises:
            TimeLimitPassed: the condition did not become true for a client.
            AssertionError: a client has a failure.
        """
        waiting = list(self.clients if clients is None else clients)

        def is_true() -> bool:
            failures = [each.failure for each in self.clients if each.failure is not None]
            assert not failures, failures[0]
            waiting[:] = [each for each in waiting if not condition(each)]
            return not waiting

        wait_until(is_true, lambda: f"{what}; {len(waiting)} clients are left", limit=limit)

    def cut(self, client: ResumingClient, *, reset: bool = True) -> None:
        """Cut a client's connection. The client reconnects after a pause.

        Args:
            client: the client.
            reset: reset the connection instead of closing it.
        """
        with self._lock:
            link = self._links[client.request_id]
            if link.socket is not None:
                if reset:
                    link.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
                self._close(link, "cut")

    def stop_reading(self, client: ResumingClient) -> None:
        """Make a client read no more, without closing its connection."""
        self._set_reading(client, False)

    def go_on_reading(self, client: ResumingClient) -> None:
        """Make a client read again after :meth:`stop_reading`."""
        self._set_reading(client, True)

    def _set_reading(self, client: ResumingClient, reads: bool) -> None:
        with self._lock:
            link = self._links[client.request_id]
            link.reads = reads
            if link.socket is not None and link.is_sent:
                self._watch(link, selectors.EVENT_READ if reads else 0)

    def _stop(self) -> None:
        self._is_stopping = True
        self._thread.join(TIME_LIMIT)
        for link in self._links.values():
            self._close(link, "test")
        self._selector.close()

    # Private: the thread. It holds the lock except while it waits.

    def _run(self) -> None:
        while not self._is_stopping:
            ready = self._selector.select(_TURN_SECONDS)
            with self._lock:
                for key, _ in ready:
                    link: _Link = key.data
                    # A cut after the call of select may have closed the socket.
                    if link.socket is key.fileobj:
                        self._serve(link)
                now = time.monotonic()
                for link in self._links.values():
                    if link.socket is None and not link.client.failure and link.next <= now:
                        self._connect(link)

    def _connect(self, link: _Link) -> None:
        link.begin()
        assert link.socket is not None
        if self._receive_buffer is not None:
            link.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        link.socket.connect_ex(("127.0.0.1", self.port))
        self._watch(link, selectors.EVENT_WRITE)

    def _serve(self, link: _Link) -> None:
        assert link.socket is not None
        try:
            if not link.is_sent:
                link.socket.sendall(link.request(self._path))
                link.is_sent = True
                self._watch(link, selectors.EVENT_READ if link.reads else 0)
                return
            data = link.socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._close(link, Ended.RESET)
            return
        try:
            end = link.take(data)
        except (AssertionError, ValueError, KeyError, TypeError) as exc:
            link.client.failure = f"{link.client.request_id}: {exc!r}"
            end = "failure"
        if end is not None:
            self._close(link, end)

    def _watch(self, link: _Link, events: int) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(link.socket)
        if events:
            self._selector.register(link.socket, events, link)

    def _close(self, link: _Link, end: str) -> None:
        if link.socket is not None:
            self._watch(link, 0)
            link.end(end)


class _Link:
    """The connection of one client, and how far it has come.

    Attributes:
        socket: the socket; None between two connections.
        next: the earliest time of the next connection, in monotonic seconds.
        reads: False while the client must not read.
        is_sent: True when the request has been sent.
    """

    def __init__(self, client: ResumingClient) -> None:
        self.client = client
        self.socket: socket.socket | None = None
        self.next = 0.0
        self.reads = True
        self.is_sent = False
        self._head = b""
        self._body: Body | None = None
        self._parser = SSEParser()

    def begin(self) -> None:
        """Make a socket for the next connection."""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.is_sent = False
        self._head, self._body = b"", None
        self._parser = SSEParser(lone_ids=True, last_event_id=self.client.last_event_id)

    def request(self, path: str) -> bytes:
        """Return the bytes of the request."""
        headers = [("Accept", "text/event-stream")]
        if self.client.last_event_id:
            headers.append(("Last-Event-ID", self.client.last_event_id))
        separator = "" if path.endswith("?") else "&"
        target = f"{path}{separator}request_id={self.client.request_id}"
        return request_bytes("GET", target, headers)

    def take(self, data: bytes) -> str | None:
        """Take the next bytes of the connection; no bytes are its end.

        Returns:
            How the stream ended; None if it goes on.

        Raises:
            MalformedStream, BrokenHTTP: no correct server writes these bytes.
        """
        if self._body is None:
            if not data:
                return Ended.EOF
            self._head += data
            raw, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return None
            head = Head.parse(raw)
            if head.status != 200:
                self.client.refused[head.status] += 1
                return "refused"
            self._body = Body.of(head, "GET")
            self.client.opened += 1
            self.client.is_open = True
            if not data:
                return None
        for event in self._parser.feed(self._body.feed(data) if data else b""):
            self.client.take(event)
        self.client.last_event_id = self._parser.last_event_id
        if data and not self._body.complete:
            return None
        ended = self._body.eof()
        if ended is Ended.CLEAN:
            self._parser.close()
        return ended

    def end(self, end: str) -> None:
        """Close the socket, and note how the connection ended."""
        assert self.socket is not None
        self.socket.close()
        self.socket = None
        self.next = time.monotonic() + _PAUSE_SECONDS
        if self._body is not None:
            self.client.ends[str(end)] += 1
        elif end not in ("refused", "test"):
            self.client.refused[0] += 1
        self.client.is_open = False
