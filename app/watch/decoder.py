"""An event stream's bytes to events, as a browser reads them. Sans-I/O.

After "Interpreting an event stream" (HTML standard, section 9.2.6,
https://html.spec.whatwg.org/multipage/server-sent-events.html).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_LIMIT", "MAX_RETRY_MS", "EventTooLarge", "SSEDecoder", "ServerEvent"]

DEFAULT_LIMIT = 16 * 1024 * 1024
"""Bytes of one event: far above what a server sends, far below what hurts."""

MAX_RETRY_MS = 2**31 - 1
"""The longest ``retry:``, 24.8 days; a longer one counts as this one, as in browsers' timers."""

_BOM = b"\xef\xbb\xbf"


class EventTooLarge(Exception):
    """One event is larger than the decoder may hold; the stream must be given up."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event.

    Args:
        name: its type; ``message`` if the server gave none.
        data: its lines, joined with newlines.
        last_id: the id that the server gave last, with this event or before; may be empty.
    """

    name: str
    data: str
    last_id: str


class SSEDecoder:
    """Takes bytes, cut anywhere, and returns events.

    Args:
        last_id: what the stream before this one ended with.
        limit: bytes that one event may have.

    Attributes:
        last_id: what to send as ``Last-Event-ID`` when connecting again; may be empty.
        retry_ms: how long to wait before that, milliseconds, at most ``MAX_RETRY_MS``; None if
            nothing was said.
    """

    def __init__(self, *, last_id: str = "", limit: int = DEFAULT_LIMIT) -> None:
        self.last_id = last_id
        self.retry_ms: int | None = None
        self._limit = limit
        self._at_start = True
        self._after_cr = False
        self._line: list[bytes] = []
        self._name = ""
        self._data: list[str] = []
        self._id = last_id
        self._held = 0

    def feed(self, data: bytes) -> list[ServerEvent]:
        """Take the next bytes of the stream.

        Returns:
            The events that they complete; often none.

        Raises:
            EventTooLarge: an event passed the limit; the decoder is of no more use.
        """
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
        if not data:
            return []
        # A lone CR ends a line at once; should LF follow with the next bytes, it is skipped.
        self._after_cr = data.endswith(b"\r")
        # LF and CR are never part of a longer UTF-8 sequence, so lines can be cut before they
        # are decoded, and a sequence that is cut between two calls is whole again by then.
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
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self.retry_ms = _milliseconds(value)
        # Only data adds up: of everything else the last value is kept, and comments not at all.
        self._held -= len(line)
        return None

    def _dispatch(self) -> ServerEvent | None:
        name, data = self._name, self._data
        self._name, self._data, self._held = "", [], 0
        self.last_id = self._id
        return ServerEvent(name or "message", "\n".join(data), self.last_id) if data else None


def _milliseconds(digits: str) -> int:
    """The number, or the largest one; ``int`` refuses thousands of digits."""
    significant = digits.lstrip("0") or "0"
    if len(significant) > len(str(MAX_RETRY_MS)):
        return MAX_RETRY_MS
    return min(int(significant), MAX_RETRY_MS)
