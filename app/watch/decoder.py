"""Decode the bytes of an event stream to events, as a browser does. Sans-I/O.

This follows "Interpreting an event stream" (HTML standard, section 9.2.6,
https://html.spec.whatwg.org/multipage/server-sent-events.html).
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["DEFAULT_LIMIT", "MAX_RETRY_MS", "EventTooLarge", "SSEDecoder", "ServerEvent"]

DEFAULT_LIMIT = 16 * 1024 * 1024
"""The largest size of one event, bytes: far more than servers send, and far less than memory."""

MAX_RETRY_MS = 2**31 - 1
"""The longest ``retry:``, 24.8 days. A longer time is shortened to this, as in browsers' timers."""

_BOM = b"\xef\xbb\xbf"


class EventTooLarge(Exception):
    """An event is larger than the decoder's limit; the stream cannot be decoded any further."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event.

    Args:
        name: the event's type; ``message`` if the server gave none.
        data: the event's data lines, joined with newlines.
        last_id: the last ID that the server sent, with this event or before it; may be empty.
        has_id: True if the server sent an ID with this event. Comparisons ignore it.
    """

    name: str
    data: str
    last_id: str
    has_id: bool = field(default=False, compare=False)


class SSEDecoder:
    """A decoder that takes pieces of a stream, of any size, and returns events.

    Args:
        last_id: the last event ID of the stream before this one.
        limit: the largest size of one event, bytes.

    Attributes:
        last_id: the value of ``Last-Event-ID`` for the next request; may be empty.
        retry_ms: the wait before the next request, milliseconds, at most ``MAX_RETRY_MS``; None if
            the server has not sent one.
    """

    def __init__(self, *, last_id: str = "", limit: int = DEFAULT_LIMIT) -> None:
        self.last_id = last_id
        self.retry_ms: int | None = None
        self._limit = limit
        self._at_start = True  # no line has been read yet: a byte order mark may follow
        self._after_cr = False  # the last piece ended with CR: LF belongs to the same line end
        self._line: list[bytes] = []  # the pieces of the line that is not complete yet
        self._name = ""  # the fields of the event that is not complete yet
        self._data: list[str] = []
        self._id = last_id
        self._has_id = False
        self._held = 0  # bytes of that event that are in memory

    def feed(self, data: bytes) -> list[ServerEvent]:
        """Decode the next bytes of the stream.

        Returns:
            The events that these bytes complete; often none.

        Raises:
            EventTooLarge: an event exceeds the limit. Do not use the decoder any further.
        """
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
        if not data:
            return []
        # A lone CR ends a line at once. If the next bytes begin with LF, that LF is skipped.
        self._after_cr = data.endswith(b"\r")
        # LF and CR are never part of a longer UTF-8 sequence, so lines can be split before they
        # are decoded. A sequence that is split between two calls is complete when its line is.
        *ended, rest = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        events = []
        for piece in ended:
            self._hold(piece)
            line = b"".join(self._line)
            self._line.clear()
            if (event := self._read_line(line)) is not None:
                events.append(event)
        if rest:
            self._hold(rest)
        return events

    def _hold(self, piece: bytes) -> None:
        self._held += len(piece)
        if self._held > self._limit:
            raise EventTooLarge(f"an event of more than {self._limit} bytes")
        self._line.append(piece)

    def _read_line(self, line: bytes) -> ServerEvent | None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
                return None
            case "event":
                self._name = value
            case "id" if "\0" not in value:
                self._id, self._has_id = value, True
            case "retry" if value.isascii() and value.isdigit():
                self.retry_ms = _milliseconds(value)
        # Only data accumulates. Of every other field only the last value is kept, and comments
        # are not kept at all.
        self._held -= len(line)
        return None

    def _dispatch(self) -> ServerEvent | None:
        name, data, has_id = self._name, self._data, self._has_id
        self._name, self._data, self._has_id, self._held = "", [], False, 0
        # A block without data moves the ID, too, but is no event.
        self.last_id = self._id
        if not data:
            return None
        return ServerEvent(name or "message", "\n".join(data), self.last_id, has_id)


def _milliseconds(digits: str) -> int:
    """Convert digits to milliseconds, at most ``MAX_RETRY_MS``.

    ``int`` refuses strings of thousands of digits, so the length is checked first.
    """
    significant = digits.lstrip("0") or "0"
    if len(significant) > len(str(MAX_RETRY_MS)):
        return MAX_RETRY_MS
    return min(int(significant), MAX_RETRY_MS)
