"""One HTTP/1.x answer as bytes in and values out: its head and its body's framing. No I/O.

Nothing here is lenient: an answer that is no good HTTP/1.x raises :class:`BrokenHTTP`, because
in a live test a fault that a browser would forgive is still the server's fault.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

__all__ = [
    "Body",
    "BrokenHTTP",
    "ChunkedBody",
    "Ended",
    "Head",
    "LengthBody",
    "Response",
    "UntilCloseBody",
]

_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-5]\d\d) ([^\r\n\0]*)")
_HEADER_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")


class BrokenHTTP(AssertionError):
    """The answer is not HTTP/1.x as a correct server writes it; says where."""


class Ended(StrEnum):
    """How a body ended."""

    CLEAN = "clean"
    """As its framing says: the final chunk, the last byte of Content-Length, or, for a body
    that has neither, the end of the connection."""
    EOF = "eof"
    """The connection was closed in the middle of a body."""
    RESET = "reset"
    """The connection was reset."""


@dataclass(frozen=True)
class Head:
    """A status line and its headers, in order and as spelled."""

    version: str
    status: int
    reason: str
    headers: list[tuple[str, str]]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a head, without the empty line that ends it.

        Raises:
            BrokenHTTP: it is malformed.
        """
        first, *lines = raw.split(b"\r\n")
        status = _STATUS_LINE.fullmatch(first)
        if status is None:
            raise BrokenHTTP(f"no status line: {first!r}")
        headers = []
        for line in lines:
            header = _HEADER_LINE.fullmatch(line)
            if header is None:
                raise BrokenHTTP(f"no header line: {line!r}")
            headers.append((header[1].decode("ascii"), header[2].decode("latin-1")))
        return cls(status[1].decode(), int(status[2]), status[3].decode("latin-1"), headers)

    def all(self, name: str) -> list[str]:
        """Every value of a header; the name in any case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        """The value of a header that may occur once.

        Raises:
            BrokenHTTP: it occurs twice.
        """
        values = self.all(name)
        if len(values) > 1:
            raise BrokenHTTP(f"{name} occurs {len(values)} times: {values!r}")
        return values[0] if values else None


@dataclass(frozen=True)
class Response:
    """One whole answer."""

    head: Head
    body: bytes
    ended: Ended
    chunks: list[bytes]
    """The body as it was cut into chunks; empty if it was not chunked."""

    @property
    def status(self) -> int:
        """The status code."""
        return self.head.status

    def json(self) -> Any:
        """The body as a JSON document."""
        return json.loads(self.body)


class Body:
    """The framing of one body: bytes in, payload out. No I/O.

    Attributes:
        complete: the framing says that nothing more comes.
        rest: bytes after the end of a complete body; they belong to the next answer.
        chunks: the payload of every complete chunk, if the body is chunked.
    """

    def __init__(self) -> None:
        self.complete = False
        self.rest = b""
        self.chunks: list[bytes] = []

    @classmethod
    def of(cls, head: Head, method: str) -> Body:
        """The framing of the answer to a request (RFC 9112, section 6.3).

        Raises:
            BrokenHTTP: the head contradicts itself.
        """
        coding, length = head.get("Transfer-Encoding"), head.get("Content-Length")
        if method == "HEAD" or head.status in (204, 304) or head.status < 200:
            return LengthBody(0)
        if coding is not None and length is not None:
            raise BrokenHTTP("both Transfer-Encoding and Content-Length")
        if coding is not None:
            if coding.lower() != "chunked" or head.version == "1.0":
                raise BrokenHTTP(f"Transfer-Encoding {coding!r} in HTTP/{head.version}")
            return ChunkedBody()
        if length is not None:
            if not (length.isascii() and length.isdigit()):
                raise BrokenHTTP(f"Content-Length {length!r}")
            return LengthBody(int(length))
        return UntilCloseBody()

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the connection and return the payload they complete."""
        raise NotImplementedError

    def eof(self) -> Ended:
        """The connection has ended: what that means for this body."""
        return Ended.CLEAN if self.complete else Ended.EOF


class LengthBody(Body):
    """A body of a known length."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._left = length
        self.complete = length == 0

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the connection and return the payload among them."""
        payload, self.rest = data[: self._left], self.rest + data[self._left :]
        self._left -= len(payload)
        self.complete = self._left == 0
        return payload


class UntilCloseBody(Body):
    """A body that ends with the connection, as every stream of HTTP/1.0 does."""

    def feed(self, data: bytes) -> bytes:
        """Every byte is payload."""
        return data

    def eof(self) -> Ended:
        """The end of the connection is this body's own end."""
        self.complete = True
        return Ended.CLEAN


class ChunkedBody(Body):
    """A chunked body (RFC 9112, section 7.1), without extensions or trailers."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the connection and return the payload of the chunks they complete.

        Raises:
            BrokenHTTP: the framing is wrong.
        """
        self._held += data
        before = len(self.chunks)
        while not self.complete and self._take_chunk():
            pass
        if self.complete:
            self.rest += bytes(self._held)
            self._held.clear()
        return b"".join(self.chunks[before:])

    def _take_chunk(self) -> bool:
        line_end = self._held.find(b"\r\n", 0, 16)
        if line_end < 0:
            # A size line that is this long, or holds anything else, will never become good.
            if len(self._held) >= 16 or not re.fullmatch(rb"[0-9A-Fa-f]*\r?", self._held):
                raise BrokenHTTP(f"no chunk size: {bytes(self._held[:80])!r}")
            return False
        size_line = bytes(self._held[:line_end])
        if not _CHUNK_SIZE.fullmatch(size_line):
            raise BrokenHTTP(f"no chunk size: {size_line!r}")
        size = int(size_line, 16)
        start, end = line_end + 2, line_end + 2 + size
        if len(self._held) < end + 2:
            return False
        if self._held[end : end + 2] != b"\r\n":
            raise BrokenHTTP(f"no line end after a chunk: {bytes(self._held[end : end + 80])!r}")
        if size:
            self.chunks.append(bytes(self._held[start:end]))
        self.complete = size == 0
        del self._held[: end + 2]
        return True
