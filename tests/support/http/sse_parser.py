"""An event stream parser for tests, written from the HTML standard and from nothing else.

Section 9.2.5 gives the grammar and 9.2.6, "Interpreting an event stream", what each line does
(https://html.spec.whatwg.org/multipage/server-sent-events.html). It shares no code with
``gateway_shim.protocol.event_stream``, which writes streams, nor with ``app.watch.decoder``, which
reads them for people, so that it can judge both.

A *lenient* parser does what a browser does and notes what it had to forgive in ``warnings``; a
*strict* one raises :class:`MalformedStream` on everything that a correct server never writes.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

__all__ = ["MalformedStream", "SSEEvent", "SSEParser", "parse"]

_BOM = "\ufeff"
_LINE_END = re.compile("[\r\n]")
_FIELDS = frozenset({"event", "data", "id", "retry"})
_MAX_RETRY_DIGITS = 15
"""Longer numbers are beyond any clock; Python would refuse to read thousands of digits."""


class MalformedStream(AssertionError):
    """The stream holds what no correct server writes; says what."""


@dataclass(frozen=True)
class SSEEvent:
    """One dispatched event, as a browser's ``MessageEvent`` shows it."""

    type: str
    data: str
    last_event_id: str = ""


class SSEParser:
    """Bytes in, events out. No I/O.

    Args:
        strict: raise on malformed input instead of noting it in ``warnings``.

    Attributes:
        events: every event so far.
        comments: every comment so far, without its colon; the space after it is kept.
        retry: the reconnection time the server asked for last, milliseconds, or None.
        last_event_id: what a browser would send as ``Last-Event-ID`` if it reconnected now.
        warnings: what a lenient parser forgave.
    """

    def __init__(self, strict: bool = True) -> None:
        self.strict = strict
        self.events: list[SSEEvent] = []
        self.comments: list[str] = []
        self.retry: int | None = None
        self.last_event_id = ""
        self.warnings: list[str] = []

        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        # A second decoder only watches for invalid bytes: in the text that the first one makes,
        # U+FFFD may just as well be what the server wrote.
        self._check = codecs.getincrementaldecoder("utf-8")("strict")
        self._at_start = True
        self._after_cr = False
        self._line: list[str] = []
        self._block_lines = 0
        self._data = ""
        self._type = ""
        self._id = ""

    def feed(self, data: bytes) -> list[SSEEvent]:
        """Take the next bytes of the stream, cut anywhere.

        Returns:
            The events that these bytes completed.

        Raises:
            MalformedStream: strict, and a correct server would not have written this.
        """
        before = len(self.events)
        self._watch_utf8(data)
        self._take(self._decode(data))
        return self.events[before:]

    def close(self) -> None:
        """The stream has ended: what is incomplete is discarded, as the standard says.

        Raises:
            MalformedStream: strict, and something was incomplete.
        """
        self._watch_utf8(b"", final=True)
        self._take(self._decode(b"", True))
        if self._after_cr:
            self._after_cr = False
            self._complain("a carriage return without a newline")
        if self._line or self._block_lines:
            self._complain(f"the stream ends inside a block, at {''.join(self._line)[-80:]!r}")
        self._line.clear()
        self._data = self._type = ""
        self._block_lines = 0

    def _watch_utf8(self, data: bytes, *, final: bool = False) -> None:
        try:
            self._check.decode(data, final)
        except UnicodeDecodeError as exc:
            self._check.reset()
            self._complain(f"invalid UTF-8 ({exc.reason}) in {bytes(exc.object)[-80:]!r}")

    def _take(self, text: str) -> None:
        if self._at_start and text:
            self._at_start = False
            if text[0] == _BOM:
                self._complain("a byte order mark")
                text = text[1:]
        position = 0
        while position < len(text):
            if self._after_cr:
                self._after_cr = False
                if text[position] == "\n":
                    position += 1
                    continue
                self._complain("a carriage return without a newline")
            found = _LINE_END.search(text, position)
            if found is None:
                self._line.append(text[position:])
                return
            self._line.append(text[position : found.start()])
            position = found.end()
            # A lone CR ends a line too, so it is acted on at once: waiting for the LF that
            # may follow would hold back an event that is complete.
            self._after_cr = found[0] == "\r"
            line = "".join(self._line)
            self._line.clear()
            self._interpret(line)

    def _interpret(self, line: str) -> None:
        if line == "":
            self._dispatch()
            return
        self._block_lines += 1
        if line[0] == ":":
            self.comments.append(line[1:])
            return
        field, _, value = line.partition(":")
        if field not in _FIELDS:
            self._complain(f"an unknown field in {line[:80]!r}")
        self._process(field, value.removeprefix(" "))

    def _process(self, field: str, value: str) -> None:
        if field == "event":
            self._type = value
        elif field == "data":
            self._data += value + "\n"
        elif field == "id":
            if "\0" in value:
                self._complain("an id that holds NUL")
            else:
                self._id = value
        elif field == "retry":
            if value and all(char in "0123456789" for char in value):
                digits = value.lstrip("0") or "0"
                self.retry = int(digits) if len(digits) <= _MAX_RETRY_DIGITS else 10**15
            else:
                self._complain(f"a retry that is no number: {value[:80]!r}")

    def _dispatch(self) -> None:
        event_type, data = self._type, self._data
        self._type = self._data = ""
        self._block_lines = 0
        self.last_event_id = self._id
        if data == "":
            if event_type:
                self._complain(f"event {event_type!r} has no data, so browsers drop it")
            return
        self.events.append(SSEEvent(event_type or "message", data[:-1], self.last_event_id))

    def _complain(self, what: str) -> None:
        if self.strict:
            raise MalformedStream(what)
        self.warnings.append(what)


def parse(data: bytes, *, strict: bool = True) -> list[SSEEvent]:
    """The events of one whole stream.

    Raises:
        MalformedStream: strict, and a correct server would not have written this.
    """
    parser = SSEParser(strict)
    parser.feed(data)
    parser.close()
    return parser.events
