"""The event stream parser of the tests, written from the HTML standard alone.

Section 9.2.5 of the standard has the grammar, and section 9.2.6, "Interpreting an event stream",
the effect of each line (https://html.spec.whatwg.org/multipage/server-sent-events.html). The parser
shares no code with ``gateway_shim.protocol.event_stream``, which writes streams, nor with
``app.watch.decoder``, which reads them for people. So it can judge both.

A *lenient* parser accepts everything that a browser accepts, and notes the mistakes in
``warnings``. A *strict* parser raises :class:`MalformedStream` for everything that a correct
server never writes.
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
"""The limit of digits in a retry. Python refuses to convert thousands of digits."""


class MalformedStream(AssertionError):
    """The stream has something that no correct server writes. The message describes it."""


@dataclass(frozen=True)
class SSEEvent:
    """One dispatched event, with the fields of a browser's ``MessageEvent``."""

    type: str
    data: str
    last_event_id: str = ""


class SSEParser:
    """A parser that turns bytes into events. No I/O.

    Args:
        strict: raise an error for malformed input, instead of adding it to ``warnings``.
        lone_ids: accept a block that has an ``id`` and no data. Only a server that replays events
            writes such blocks.
        last_event_id: the ``last_event_id`` of the stream before this one. Browsers keep it when
            they reconnect.

    Attributes:
        events: every event so far.
        comments: every comment so far, without its colon but with the space after it.
        retry: the reconnection time that the server sent last, in milliseconds, or None.
        last_event_id: the ``Last-Event-ID`` that a browser would send if it reconnected now.
        warnings: the mistakes that a lenient parser has accepted.
    """

    def __init__(
        self, strict: bool = True, *, lone_ids: bool = False, last_event_id: str = ""
    ) -> None:
        self.strict = strict
        self.lone_ids = lone_ids
        self.events: list[SSEEvent] = []
        self.comments: list[str] = []
        self.retry: int | None = None
        self.last_event_id = last_event_id
        self.warnings: list[str] = []

        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        # A second decoder looks for invalid bytes, because U+FFFD in the text of the first decoder
        # may also be a character that the server has written.
        self._check = codecs.getincrementaldecoder("utf-8")("strict")
        self._at_start = True
        self._after_cr = False
        self._line: list[str] = []
        self._block_lines = 0
        self._data = ""
        self._type = ""
        self._id = last_event_id
        self._block_has_id = False

    def feed(self, data: bytes) -> list[SSEEvent]:
        """Take the next bytes of the stream, which may be cut at any place.

        Returns:
            The events that these bytes completed.

        Raises:
            MalformedStream: the parser is strict, and no correct server writes these bytes.
        """
        before = len(self.events)
        self._watch_utf8(data)
        self._take(self._decode(data))
        return self.events[before:]

    def close(self) -> None:
        """Note the end of the stream, and discard an incomplete event, as the standard says.

        Raises:
            MalformedStream: the parser is strict, and an event was incomplete.
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
        self._block_has_id = False
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
        if self._after_cr or "\r" in text:
            self._take_any(text)
            return
        # Text without a carriage return is split at once, which takes 0.6 of the processor time.
        *lines, rest = text.split("\n")
        for line in lines:
            if self._line:
                line = "".join([*self._line, line])
                self._line.clear()
            self._interpret(line)
        if rest:
            self._line.append(rest)

    def _take_any(self, text: str) -> None:
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
            # A single CR ends a line too. The parser does not wait for a LF that may follow,
            # because that would delay an event that is already complete.
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
                self._complain("an id with a NUL")
            else:
                self._id = value
                self._block_has_id = True
        elif field == "retry":
            if value and all(char in "0123456789" for char in value):
                digits = value.lstrip("0") or "0"
                self.retry = int(digits) if len(digits) <= _MAX_RETRY_DIGITS else 10**15
            else:
                self._complain(f"a retry that is not a number: {value[:80]!r}")

    def _dispatch(self) -> None:
        event_type, data, has_id = self._type, self._data, self._block_has_id
        self._type = self._data = ""
        self._block_has_id = False
        self._block_lines = 0
        self.last_event_id = self._id
        if data == "":
            if event_type:
                self._complain(f"event {event_type!r} has no data, so browsers drop it")
            elif has_id and not self.lone_ids:
                self._complain(f"a block with id {self._id[:80]!r} and no data")
            return
        self.events.append(SSEEvent(event_type or "message", data[:-1], self.last_event_id))

    def _complain(self, what: str) -> None:
        if self.strict:
            raise MalformedStream(what)
        self.warnings.append(what)


def parse(data: bytes, *, strict: bool = True) -> list[SSEEvent]:
    """Return the events of one whole stream.

    Raises:
        MalformedStream: ``strict`` is set, and no correct server writes these bytes.
    """
    parser = SSEParser(strict)
    parser.feed(data)
    parser.close()
    return parser.events
