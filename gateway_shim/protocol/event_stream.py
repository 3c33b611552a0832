"""An event as the bytes that a browser reads: dialects, comments, body framing. Pure.

Sources: WHATWG HTML, "Server-sent events", for the event stream format; RFC 9112, section 7.1,
for the chunked transfer coding; the contract, "Wire dialects", for the two dialects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, StrEnum

from gateway_shim.protocol import json_text

__all__ = [
    "HEARTBEAT",
    "LAST_CHUNK",
    "READY",
    "BodyFraming",
    "Dialect",
    "Event",
    "Frame",
    "check_event_name",
    "encode",
    "frame",
    "frame_of_chunk",
    "rejected",
    "with_retry",
]

LAST_CHUNK = b"0\r\n\r\n"
"""The end of a chunked body. A stream that the server ends, ends with these bytes."""

# The three line ends of the event stream format. str.splitlines() would also break data at
# U+2028, U+0085 and \v, which browsers do not.
_LINE_END = re.compile("\r\n|\r|\n")
_UNSAFE_IN_NAME = re.compile("[\r\n\0]")


class BodyFraming(Enum):
    """The framing of a stream's body: how the client sees where the body ends."""

    CHUNKED = "chunked"
    """The chunked transfer coding. The last chunk ends the body."""
    BARE = "bare"
    """No framing, for HTTP/1.0 clients. The end of the connection ends the body."""


class Dialect(StrEnum):
    """The way in which a named event is written; the contract's "Wire dialects"."""

    NAMED = "named"
    ENVELOPE = "envelope"


def check_event_name(name: str) -> str:
    """Return a name that an event may have (divergence 2).

    Raises:
        ValueError: the name holds CR, LF or NUL, with which it could forge further lines.
    """
    if _UNSAFE_IN_NAME.search(name):
        raise ValueError(f"an event's name must not hold CR, LF or NUL: {name!r}")
    return name


@dataclass(frozen=True, slots=True)
class Event:
    """An event, as a sender gives it.

    Args:
        name: the event's type; None or empty for the default type ``message``.
        data: the text. All line ends in the text arrive as ``\\n``.

    Raises:
        ValueError: the name holds CR, LF or NUL. Such a name could forge further lines.
    """

    name: str | None
    data: str

    def __post_init__(self) -> None:
        """Check the name."""
        if self.name is not None:
            check_event_name(self.name)


@dataclass(frozen=True, slots=True)
class Frame:
    """The bytes of an event or a comment, encoded once and sent to any number of streams.

    Args:
        bare: the bytes for a bare body.
        chunked: the same bytes as one chunk.
    """

    bare: bytes
    chunked: bytes

    def in_form(self, framing: BodyFraming) -> bytes:
        """Return the bytes in the form that a body needs."""
        return self.chunked if framing is BodyFraming.CHUNKED else self.bare


def frame(payload: bytes) -> Frame:
    """Make a frame of bytes. An empty payload stays empty: a chunk of length 0 ends a body."""
    if not payload:
        return Frame(b"", b"")
    return Frame(payload, b"%x\r\n%b\r\n" % (len(payload), payload))


def frame_of_chunk(chunk: bytes) -> Frame:
    """Return the frame of a chunk, as :func:`frame` has made it."""
    return Frame(chunk[chunk.index(b"\n") + 1 : -2], chunk)


def encode(event: Event, dialect: Dialect) -> bytes:
    """Encode one event.

    Args:
        event: the event.
        dialect: NAMED writes ``event:`` and ``data:`` lines. ENVELOPE writes a named event as
            one JSON document, except ``ready`` and ``rejected``, which stay ordinary events.

    Returns:
        The UTF-8 bytes, with the blank line that ends the event. A surrogate without its pair
        becomes U+FFFD, as in every UTF-8 encoder of the web.
    """
    if dialect is Dialect.ENVELOPE and event.name:
        if event.name == "ready":
            return b"event: ready\ndata:\n\n"
        if event.name != "rejected":
            document = f'{{"type":{json_text.quote(event.name)},"payload":{_payload(event.data)}}}'
            return _utf8(_data_lines(document) + "\n")
    head = f"event: {event.name}\n" if event.name else ""
    return _utf8(head + _data_lines(event.data) + "\n")


def _payload(data: str) -> str:
    """Return data as a JSON value: unchanged if it is JSON, else as a string (divergence 6)."""
    if not data:
        return "null"
    return data if json_text.is_json(data) else json_text.quote(data)


def _data_lines(text: str) -> str:
    if "\n" not in text and "\r" not in text:  # as in all JSON
        return f"data: {text}\n"
    return "".join(f"data: {line}\n" for line in _LINE_END.split(text))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


READY = frame(encode(Event("ready", ""), Dialect.ENVELOPE))
"""The event that the envelope dialect writes once a stream is open."""

HEARTBEAT = frame(b": heartbeat\n\n")
"""The heartbeat: a comment. Browsers ignore comments, and proxies see traffic."""


def rejected(status: int, message: str) -> Frame:
    """Make the only event of a stream that the backend has refused, in the envelope dialect.

    Args:
        status: the HTTP status of the backend's answer.
        message: its reason phrase.
    """
    data = f'{{"status":{status},"message":{json_text.quote(message)}}}'
    return frame(encode(Event("rejected", data), Dialect.ENVELOPE))


def with_retry(event: bytes, milliseconds: int) -> bytes:
    """Add ``retry:`` to an encoded event: the pause before the browser reconnects.

    The field is written inside the event's block. Browsers would accept a separate block, but
    strict clients dispatch such a block as an event without data and fail at it, and htmx 4 drops
    the block together with its field.

    Args:
        event: the bytes of one event, as :func:`encode` returns them.
        milliseconds: the pause.

    Raises:
        ValueError: ``event`` is empty or a comment, so the field would be in a separate block.
    """
    if not event or event.startswith(b":"):
        raise ValueError(f"retry: needs an event to be part of; got {event!r}")
    return b"retry: %d\n%b" % (milliseconds, event)
