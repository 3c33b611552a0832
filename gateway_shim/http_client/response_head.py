"""The head of an HTTP answer, as bytes: status line, headers, and how long the body is. Pure.

An answer that a client could understand in two ways is refused (RFC 9112, sections 2.2, 5 and 6):
its connection may carry the answer to another request next. What exactly is refused is what
Node's fetch refuses; a header's name may hold blanks there, so it may here.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "MAX_FIELD_BYTES",
    "BadAnswer",
    "BodyFraming",
    "StatusLine",
    "body_framing",
    "parse_fields",
    "parse_status_line",
]

MAX_FIELD_BYTES = 16384
"""Bytes of all names and values of one head; one less is the most, as for Node's fetch."""

_MAX_LENGTH = 2**64 - 1
_SHOWN_BYTES = 100
_STATUS_LINE = re.compile(rb"HTTP/(0\.9|1\.[01]|2\.0) ([0-9]{3})(?: ([^\r\n]*))?\r?\n")
# A token (RFC 9110, section 5.6.2), or nothing, with blanks; a value without control characters.
_FIELD = re.compile(
    rb"((?! )[!#$%&'*+\-.^_`|~0-9A-Za-z ]*):[ \t]*([\t\x20-\x7e\x80-\xff]*)\r\n", re.DOTALL
)
_FOLDED = re.compile(rb"[ \t]([\t\x20-\x7e\x80-\xff]*)\r\n")
_LENGTH = re.compile(r"[0-9]+ *")

Fields = list[tuple[str, str]]
"""Names and values in their order, decoded as latin-1; a name may come several times."""


class BadAnswer(http.client.HTTPException):
    """The server's bytes are no HTTP answer, or one that no client can use; says why."""


@dataclass(frozen=True, slots=True)
class StatusLine:
    """The first line of an answer.

    Args:
        http_1_0: whether the version is 1.0 or earlier.
        status: 0 to 999.
        reason: the reason phrase, decoded as UTF-8, U+FFFD for what is not; may be empty.
    """

    http_1_0: bool
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class BodyFraming:
    """Tells where a body ends, and what becomes of its connection.

    Args:
        chunked: whether the body is chunked.
        length: bytes of the body; None: chunked, or until the connection ends.
        will_close: whether the connection ends behind the answer.
    """

    chunked: bool
    length: int | None
    will_close: bool


def parse_status_line(line: bytes) -> StatusLine:
    """Parse the first line, its end included.

    Raises:
        BadAnswer: it is not a status line of HTTP/1.
    """
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise BadAnswer(f"the server's answer is not HTTP/1: {_shown(line)}")
    version, status, reason = match.groups(default=b"")
    return StatusLine(version in (b"0.9", b"1.0"), int(status), reason.decode(errors="replace"))


def parse_fields(lines: Iterable[bytes]) -> Fields:
    """Parse the lines between the status line and the empty line, their ends included.

    A line that begins with a blank goes on with the value before it (RFC 9112, section 5.2).

    Raises:
        BadAnswer: a line is malformed, or there are more than MAX_FIELD_BYTES.
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


def body_framing(line: StatusLine, fields: Fields, method: str | None) -> BodyFraming:
    """Tell where the body ends (RFC 9112, section 6.3).

    Args:
        line: the status line.
        fields: the headers.
        method: the request's.

    Raises:
        BadAnswer: the headers contradict each other, or the length is not one.
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
        raise BadAnswer("the server's answer says more than once how long its body is")
    length = _length(lengths[0]) if lengths else None
    if method == "HEAD" or line.status in (204, 304):
        chunked, length = False, 0
    else:
        chunked = codings[-1:] == ["chunked"]
    persistent = "keep-alive" in connection if line.http_1_0 else "close" not in connection
    framed = chunked or length is not None
    return BodyFraming(chunked, length, not (persistent and framed))


def _tokens(value: str) -> list[str]:
    return [token for part in value.lower().split(",") if (token := part.strip(" \t"))]


def _length(value: str) -> int:
    # At most 20 digits: int() of some thousand would raise.
    digits = value.strip(" ").lstrip("0") or "0"
    if _LENGTH.fullmatch(value) and len(digits) <= 20 and int(digits) <= _MAX_LENGTH:
        return int(digits)
    raise BadAnswer("the server's answer has a Content-Length that is not one")


def _shown(received: bytes) -> str:
    text = received.partition(b"\n")[0].rstrip(b"\r").decode("latin-1")
    return ascii(text[:_SHOWN_BYTES]) + ("…" if len(text) > _SHOWN_BYTES else "")
