"""An event stream as a test sees it: its events, its comments, its bytes and its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.support.http.client import Connection, Headers, request_bytes
from tests.support.http.message import Body, Ended, Head, Response
from tests.support.http.sse_parser import SSEEvent, SSEParser
from tests.support.timing import TIME_LIMIT, TimeLimitPassed

__all__ = ["Stream", "StreamEnded", "StreamRefused", "Wanted", "open_stream"]

Wanted = str | Callable[[SSEEvent], bool]
"""An event's type, or a question that is true for the event."""


class StreamEnded(AssertionError):
    """The stream ended before the event that a test waits for."""


class StreamRefused(AssertionError):
    """A request for a stream was answered with something else; ``response`` is that."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"no stream but {response.head.status}: {response.body[:500]!r}")
        self.response = response


class Stream:
    """An event stream that a test reads: bytes are taken whenever it waits for something.

    Args:
        connection: where the stream's body comes next.
        head: the answer's head.
        strict: whether the body must be what a correct server writes.

    Attributes:
        events: every event so far; ``event_times`` says when each came, monotonic seconds.
        comments: every comment so far; ``comment_times`` likewise.
        ended: how it ended, or None while it has not (or no one has waited for it).
    """

    def __init__(self, connection: Connection, head: Head, *, strict: bool = True) -> None:
        self.connection = connection
        self.head = head
        self.event_times: list[float] = []
        self.comment_times: list[float] = []
        self.ended: Ended | None = None
        self._body = Body.of(head, "GET")
        self._parser = SSEParser(strict)
        self._raw = bytearray()
        self._next = 0

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
        """The reconnection time that the server asked for last, milliseconds."""
        return self._parser.retry

    @property
    def raw(self) -> bytes:
        """The whole body so far, without chunk framing."""
        return bytes(self._raw)

    @property
    def chunks(self) -> list[bytes]:
        """The payload of every chunk so far."""
        return self._body.chunks

    def wait_for(self, wanted: Wanted, *, limit: float = TIME_LIMIT) -> SSEEvent:
        """The next event of this kind; those before it are passed over. See ``collect_until``."""
        return self.collect_until(wanted, limit=limit)[-1]

    def next_event(self, *, limit: float = TIME_LIMIT) -> SSEEvent:
        """The next event, whatever it is. See ``collect_until``."""
        return self.wait_for(lambda _: True, limit=limit)

    def collect_until(self, wanted: Wanted, *, limit: float = TIME_LIMIT) -> list[SSEEvent]:
        """The events from where the last wait stopped, up to and with the wanted one.

        Args:
            wanted: an event type, or a question that is true for the event.
            limit: seconds.

        Raises:
            StreamEnded: the stream ended first.
            TimeLimitPassed: it did not come.
            MalformedStream: a strict stream held what no correct server writes.
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
                raise StreamEnded(f"ended ({self.ended}) before {wanted!r}; {self._story()}")
            self._pump(deadline, repr(wanted))

    def wait_for_comments(self, count: int, *, limit: float = TIME_LIMIT) -> list[str]:
        """The first ``count`` comments of the stream.

        Raises:
            StreamEnded: the stream ended first.
            TimeLimitPassed: they did not come.
        """
        deadline = time.monotonic() + limit
        while len(self.comments) < count:
            if self.ended is not None:
                raise StreamEnded(f"ended ({self.ended}) before comment {count}; {self._story()}")
            self._pump(deadline, f"comment {count}")
        return self.comments[:count]

    def wait_for_end(self, *, limit: float = TIME_LIMIT) -> Ended:
        """Read until the stream ends, and say how.

        Raises:
            TimeLimitPassed: it did not end.
            MalformedStream: strict, and it ended cleanly but inside a block.
        """
        deadline = time.monotonic() + limit
        while self.ended is None:
            self._pump(deadline, "the stream's end")
        return self.ended

    def poll(self) -> Self:
        """Take what has already arrived and wait for nothing."""
        try:
            while self.ended is None:
                self._pump(time.monotonic(), "nothing")
        except TimeLimitPassed:
            pass
        return self

    def close(self) -> None:
        """Go away, as a browser does whose page is closed."""
        self.connection.close()

    def reset(self) -> None:
        """Go away with a reset, as a client does that crashed."""
        self.connection.reset()

    def _pump(self, deadline: float, what: str) -> None:
        try:
            data = self.connection.receive(deadline, what)
        except ConnectionResetError:
            self.ended = Ended.RESET
            return
        except TimeLimitPassed as exc:
            raise TimeLimitPassed(f"{exc}; {self._story()}") from None
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

    def _story(self) -> str:
        return (
            f"the stream held {len(self.events)} events and {len(self.comments)} comments,"
            f" the last bytes being {self.raw[-300:]!r}"
        )


def open_stream(
    port: int,
    target: str,
    *,
    headers: Headers = (),
    version: str = "1.1",
    strict: bool = True,
    receive_buffer: int | None = None,
) -> Stream:
    """Open an event stream and read its head; the events come as the stream is waited on.

    Raises:
        StreamRefused: the answer is not a 200 with ``text/event-stream``.
        BrokenHTTP: the answer is malformed.
        TimeLimitPassed: there was no answer.
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
            raise StreamRefused(Response(head, payload, ended, body.chunks))
        return Stream(connection, head, strict=strict)
    except BaseException:
        connection.close()
        raise
