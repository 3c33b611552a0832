"""An event as the bytes that a browser reads: dialects, comments, chunk framing. Pure.

Sources: WHATWG HTML, "Server-sent events", for the event stream format; RFC 9112, section 7.1,
for the chunked transfer coding; the contract, "Wire dialects", for the two dialects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from gateway_shim.protocol import json_text

__all__ = [
    "HEARTBEAT",
    "LAST_CHUNK",
    "READY",
    "Dialect",
    "Event",
    "Frame",
    "check_event_name",
    "encode",
    "frame",
    "rejected",
    "with_retry",
]

LAST_CHUNK = b"0\r\n\r\n"
"""The end of a chunked body: a stream that ends from our side ends with this."""

# The three line ends of the event stream format, and no other: str.splitlines() would also
# break data at U+2028, U+0085 and \v, which browsers do not.
_LINE_END = re.compile("\r\n|\r|\n")
_UNSAFE_IN_NAME = re.compile("[\r\n\0]")


class Dialect(StrEnum):
    """How a named event is written; the contract's "Wire dialects"."""

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
    """What a sender wants a browser to get.

    Args:
        name: the event's type; None or empty for the default type ``message``.
        data: the text; any line ends in it arrive as ``\\n``.

    Raises:
        ValueError: the name holds CR, LF or NUL, with which it could forge further lines.
    """

    name: str | None
    data: str

    def __post_init__(self) -> None:
        """Check the name."""
        if self.name is not None:
            check_event_name(self.name)


@dataclass(frozen=True, slots=True)
class Frame:
    """The same bytes for both kinds of body, encoded once and sent to any number of streams.

    Args:
        bare: for HTTP/1.0, whose body lasts until the connection is closed.
        chunked: for HTTP/1.1, one chunk.
    """

    bare: bytes
    chunked: bytes


def frame(payload: bytes) -> Frame:
    """Wrap bytes for sending; an empty payload stays empty (a chunk of length 0 ends a body)."""
    if not payload:
        return Frame(b"", b"")
    return Frame(payload, b"%x\r\n%b\r\n" % (len(payload), payload))


def encode(event: Event, dialect: Dialect) -> bytes:
    """Encode one event.

    Args:
        event: what to send.
        dialect: NAMED writes ``event:`` and ``data:`` lines. ENVELOPE writes a named event as
            one JSON document; ``ready`` and ``rejected`` stay ordinary events there.

    Returns:
        The UTF-8 bytes, with the blank line that ends the event. Surrogates that stand alone
        become U+FFFD, as in every UTF-8 encoder of the web.
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
    """Data as a JSON value: as given where it is JSON, a string otherwise (divergence 6)."""
    if not data:
        return "null"
    return data if json_text.is_json(data) else json_text.quote(data)


def _data_lines(text: str) -> str:
    return "".join(f"data: {line}\n" for line in _LINE_END.split(text))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


READY = frame(encode(Event("ready", ""), Dialect.ENVELOPE))
"""What the envelope dialect writes once a stream is open."""

HEARTBEAT = frame(b": heartbeat\n\n")
"""A comment: browsers ignore it, proxies see traffic."""


def rejected(status: int, message: str) -> Frame:
    """The one event of a stream that the backend refused, in the envelope dialect.

    Args:
        status: the HTTP status of the backend's answer.
        message: its reason phrase.
    """
    data = f'{{"status":{status},"message":{json_text.quote(message)}}}'
    return frame(encode(Event("rejected", data), Dialect.ENVELOPE))


def with_retry(event: bytes, milliseconds: int) -> bytes:
    """Add ``retry:`` to an encoded event: how long the browser waits before it reconnects.

    The field is written inside the event's own block. Browsers would accept a block of its own,
    but strict clients dispatch such a block as an event without data and fail at it, and htmx 4
    drops it together with its field.

    Args:
        event: the bytes of one event, as :func:`encode` returns them.
        milliseconds: the pause.

    Raises:
        ValueError: ``event`` is empty or a comment, so the field would stand alone.
    """
    if not event or event.startswith(b":"):
        raise ValueError(f"retry: needs an event to stand in; got {event!r}")
    return b"retry: %d\n%b" % (milliseconds, event)
