"""Parses the head of an HTTP answer: status line, headers, and the end of the body. Pure.

An answer that a client could understand in two ways is refused (RFC 9112, sections 2.2, 5 and 6),
because the answer to another request may follow it on the connection. The refused answers are
exactly those that Node's fetch refuses. Node allows blanks in the name of a header; so does this
module.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "MAX_FIELD_BYTES",
    "BadAnswer",
    "BodyEnd",
    "StatusLine",
    "body_end",
    "parse_fields",
    "parse_status_line",
]

MAX_FIELD_BYTES = 16384
"""The bytes of all names and values of a head must be fewer than this, as in Node's fetch."""

_MAX_LENGTH = 2**64 - 1
_SHOWN_BYTES = 100
_STATUS_LINE = re.compile(rb"HTTP/(0\.9|1\.[01]|2\.0) ([0-9]{3})(?: ([^\r\n]*))?\r?\n")
# The name is a token (RFC 9110, section 5.6.2) with blanks, or empty. The value has no control
# characters.
_FIELD = re.compile(
    rb"((?! )[!#$%&'*+\-.^_`|~0-9A-Za-z ]*):[ \t]*([\t\x20-\x7e\x80-\xff]*)\r\n", re.DOTALL
)
_FOLDED = re.compile(rb"[ \t]([\t\x20-\x7e\x80-\xff]*)\r\n")
_LENGTH = re.compile(r"[0-9]+ *")

Fields = list[tuple[str, str]]
"""Names and values in their order, decoded as latin-1. A name can occur several times."""


class BadAnswer(http.client.HTTPException):
    """The server's bytes are not a usable HTTP answer. The message says why."""


@dataclass(frozen=True, slots=True)
class StatusLine:
    """The first line of an answer.

    Args:
        http_1_0: True if the version is 1.0 or earlier.
        status: the status, 0 to 999.
        reason: the reason phrase, decoded as UTF-8; other bytes become U+FFFD. May be empty.
    """

    http_1_0: bool
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class BodyEnd:
    """The end of an answer's body, and the end of its connection.

    Args:
        chunked: True if the body is chunked.
        length: the length of the body, bytes. None if the body is chunked, or lasts until the
            connection is closed.
        will_close: True if the connection is closed after the answer.
    """

    chunked: bool
    length: int | None
    will_close: bool


def parse_status_line(line: bytes) -> StatusLine:
    """Parse the status line, its line end included.

    Raises:
        BadAnswer: the line is not a status line of HTTP/1.
    """
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise BadAnswer(f"the server's answer is not HTTP/1: {_shown(line)}")
    version, status, reason = match.groups(default=b"")
    return StatusLine(version in (b"0.9", b"1.0"), int(status), reason.decode(errors="replace"))


def parse_fields(lines: Iterable[bytes]) -> Fields:
    """Parse the lines between the status line and the empty line, their line ends included.

    A line that begins with a blank continues the value before it (RFC 9112, section 5.2).

    Raises:
        BadAnswer: a line is malformed, or the headers have MAX_FIELD_BYTES or more.
    """
    fields: Fields = []
    size = 0
    for line in lines:
        if match := _FIELD.fullmatch(line):
            name, value = match[1].decode("ascii"), match[2].decode("latin-1")
        elif fields and (match := _FOLDED.fullmatch(line)):
            name, value = fields.pop()
            size -= len(name) + len(value)
            value = f"{value} {match[1].decode('latin-1').strip(' ')}".strip(" ")
        else:
            raise BadAnswer("the server's answer has a malformed line among its headers")
        fields.append((name, value))
        size += len(name) + len(value)
        if size >= MAX_FIELD_BYTES:
            raise BadAnswer(f"the server's answer has {MAX_FIELD_BYTES} bytes of headers or more")
    return fields


def body_end(line: StatusLine, fields: Fields, method: str | None) -> BodyEnd:
    """Return the end of the body (RFC 9112, section 6.3).

    Args:
        line: the status line.
        fields: the headers.
        method: the method of the request.

    Raises:
        BadAnswer: the headers contradict each other, or the Content-Length is malformed.
    """
    lengths, codings, connection = [], [], []
    for name, value in fields:
        match name.lower():
            case "content-length":
                lengths.append(value)
            case "transfer-encoding":
                codings += _tokens(value)
            case "connection" | "proxy-connection":
                connection += _tokens(value)
            case "keep-alive" if line.http_1_0:
                connection.append("keep-alive")
    if len(lengths) > 1 or (lengths and codings):
        raise BadAnswer("the server's answer states the length of its body more than once")
    length = _length(lengths[0]) if lengths else None
    if method == "HEAD" or line.status in (204, 304):
        chunked, length = False, 0
    else:
        chunked = codings[-1:] == ["chunked"]
    persistent = "keep-alive" in connection if line.http_1_0 else "close" not in connection
    framed = chunked or length is not None
    return BodyEnd(chunked, length, not (persistent and framed))


def _tokens(value: str) -> list[str]:
    return [token for part in value.lower().split(",") if (token := part.strip(" \t"))]


def _length(value: str) -> int:
    # At most 20 digits: int() raises an error for some thousand digits.
    digits = value.strip(" ").lstrip("0") or "0"
    if _LENGTH.fullmatch(value) and len(digits) <= 20 and int(digits) <= _MAX_LENGTH:
        return int(digits)
    raise BadAnswer("the server's answer has a malformed Content-Length")


def _shown(received: bytes) -> str:
    text = received.partition(b"\n")[0].rstrip(b"\r").decode("latin-1")
    return ascii(text[:_SHOWN_BYTES]) + ("…" if len(text) > _SHOWN_BYTES else "")
