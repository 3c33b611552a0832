"""An event stream that a test reads: its events, comments, bytes and end."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.support.http.client import Connection, Headers, request_bytes
from tests.support.http.message import Body, Ended, Head, Response
from tests.support.http.sse_parser import SSEEvent, SSEParser
from tests.support.timing import TIME_LIMIT, TimeLimitPassed

__all__ = ["Stream", "StreamEnded", "StreamNotOpened", "Wanted", "open_stream"]

Wanted = str | Callable[[SSEEvent], bool]
"""The type of an event, or a function that returns True for the event."""


class StreamEnded(AssertionError):
    """The stream ended before the event that the test waited for."""


class StreamNotOpened(AssertionError):
    """A request for a stream got another response, which is ``response``."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"no stream but {response.head.status}: {response.body[:500]!r}")
        self.response = response


class Stream:
    """An event stream. The methods that wait also read the bytes that arrive.

    Args:
        connection: the connection, whose next bytes are the body of the stream.
        head: the head of the response.
        strict: True if bytes that a correct server never writes are an error.
        lone_ids: True if a block with an ``id`` and no data is not an error.

    Attributes:
        connection: the connection of the stream.
        head: the head of the response.
        event_times: the times at which the events were read, in monotonic seconds.
        comment_times: the times at which the comments were read, in monotonic seconds.
        ended: how the stream ended; None as long as no method has read its end.
    """

    def __init__(
        self,
        connection: Connection,
        head: Head,
        *,
        strict: bool = True,
        lone_ids: bool = False,
    ) -> None:
        self.connection = connection
        self.head = head
        self.event_times: list[float] = []
        self.comment_times: list[float] = []
        self.ended: Ended | None = None
        self._body = Body.of(head, "GET")
        self._parser = SSEParser(strict, lone_ids=lone_ids)
        self._raw = bytearray()
        self._next = 0

    def __enter__(self) -> Self:
        """Return the stream. The end of the block closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the stream."""
        self.close()

    @property
    def events(self) -> list[SSEEvent]:
        """Every event so far."""
        return self._parser.events

    @property
    def comments(self) -> list[str]:
        """Every comment so far, without its colon."""
        return self._parser.comments

    @property
    def retry(self) -> int | None:
        """The reconnection time that the server sent last, in milliseconds."""
        return self._parser.retry

    @property
    def last_event_id(self) -> str:
        """The ``Last-Event-ID`` that a browser would send if it reconnected now."""
        return self._parser.last_event_id

    @property
    def raw(self) -> bytes:
        """The whole body so far, without chunk framing."""
        return bytes(self._raw)

    @property
    def chunks(self) -> list[bytes]:
        """The payload of every chunk so far."""
        return self._body.chunks

    def wait_for(self, wanted: Wanted, *, limit: float = TIME_LIMIT) -> SSEEvent:
        """Wait for the next event that matches, and return it. See :meth:`collect_until`."""
        return self.collect_until(wanted, limit=limit)[-1]

    def next_event(self, *, limit: float = TIME_LIMIT) -> SSEEvent:
        """Wait for the next event, and return it. See :meth:`collect_until`."""
        return self.wait_for(lambda _: True, limit=limit)

    def collect_until(self, wanted: Wanted, *, limit: float = TIME_LIMIT) -> list[SSEEvent]:
        """Wait for an event, and return all events from the end of the last wait to that event.

        Args:
            wanted: the type of the event, or a function that returns True for the event.
            limit: the time limit, in seconds.

        Raises:
            StreamEnded: the stream ended first.
            TimeLimitPassed: the event did not come.
            MalformedStream: the stream is strict, and has bytes that no correct server writes.
        """
        matches = wanted if callable(wanted) else lambda event: event.type == wanted
        start = self._next
        deadline = time.monotonic() + limit
        while True:
            while self._next < len(self.events):
                self._next += 1
                if matches(self.events[self._next - 1]):
                    return self.events[start : self._next]
            if self.ended is not None:
                raise StreamEnded(f"ended ({self.ended}) before {wanted!r}; {self._summary()}")
            self._pump(deadline, repr(wanted))

    def wait_for_comments(self, count: int, *, limit: float = TIME_LIMIT) -> list[str]:
        """Wait until the stream has ``count`` comments, and return the first ``count``.

        Raises:
            StreamEnded: the stream ended first.
            TimeLimitPassed: the comments did not come.
        """
        deadline = time.monotonic() + limit
        while len(self.comments) < count:
            if self.ended is not None:
                raise StreamEnded(f"ended ({self.ended}) before comment {count}; {self._summary()}")
            self._pump(deadline, f"comment {count}")
        return self.comments[:count]

    def wait_for_end(self, *, limit: float = TIME_LIMIT) -> Ended:
        """Read until the stream ends, and return how it ended.

        Raises:
            TimeLimitPassed: the stream did not end.
            MalformedStream: the stream is strict, and its body ended inside a block.
        """
        deadline = time.monotonic() + limit
        while self.ended is None:
            self._pump(deadline, "the stream's end")
        return self.ended

    def poll(self) -> Self:
        """Read the bytes that have already arrived, without waiting, and return the stream."""
        try:
            while self.ended is None:
                self._pump(time.monotonic(), "nothing")
        except TimeLimitPassed:
            pass
        return self

    def close(self) -> None:
        """Close the connection, as a browser does when its page is closed."""
        self.connection.close()

    def reset(self) -> None:
        """Reset the connection, as the system does for a client that has crashed."""
        self.connection.reset()

    def _pump(self, deadline: float, what: str) -> None:
        try:
            data = self.connection.receive(deadline, what)
        except ConnectionResetError:
            self.ended = Ended.RESET
            return
        except TimeLimitPassed as exc:
            raise TimeLimitPassed(f"{exc}; {self._summary()}") from None
        if data:
            self._feed(self._body.feed(data))
            if not self._body.complete:
                return
            self.connection.unread(self._body.rest)
        self.ended = self._body.eof()
        if self.ended is Ended.CLEAN:
            self._parser.close()

    def _feed(self, payload: bytes) -> None:
        self._raw += payload
        self._parser.feed(payload)
        now = time.monotonic()
        self.event_times += [now] * (len(self.events) - len(self.event_times))
        self.comment_times += [now] * (len(self.comments) - len(self.comment_times))

    def _summary(self) -> str:
        return (
            f"the stream had {len(self.events)} events and {len(self.comments)} comments,"
            f" and its last bytes are {self.raw[-300:]!r}"
        )


def open_stream(
    port: int,
    target: str,
    *,
    headers: Headers = (),
    version: str = "1.1",
    strict: bool = True,
    lone_ids: bool = False,
    receive_buffer: int | None = None,
) -> Stream:
    """Open an event stream and read its head. The methods of the stream read its events.

    Args:
        port: the port of the server, on 127.0.0.1.
        target: the path and the query.
        headers: additional headers.
        version: the HTTP version.
        strict: as for :class:`Stream`.
        lone_ids: as for :class:`Stream`.
        receive_buffer: the size of the kernel's receive buffer in bytes, for slow readers.

    Raises:
        StreamNotOpened: the response is not a 200 with ``text/event-stream``.
        BrokenHTTP: the response is malformed.
        TimeLimitPassed: there was no response.
    """
    connection = Connection(port, receive_buffer=receive_buffer)
    try:
        lines = [("Accept", "text/event-stream"), *headers]
        connection.send(request_bytes("GET", target, lines, version=version))
        head = connection.read_head()
        media_type = (head.get("Content-Type") or "").partition(";")[0].strip().lower()
        if head.status != 200 or media_type != "text/event-stream":
            body = Body.of(head, "GET")
            payload, ended = connection.read_body(body)
            raise StreamNotOpened(Response(head, payload, ended, body.chunks))
        return Stream(connection, head, strict=strict, lone_ids=lone_ids)
    except BaseException:
        connection.close()
        raise
