"""A strict parser of HTTP/1.x responses: the head and the framing of the body. No I/O.

A response that is not correct HTTP/1.x raises :class:`BrokenHTTP`. In a live test, an error that
a browser would forgive is still an error of the server.
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
    "ChunkedResponseBody",
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
    """The response is not correct HTTP/1.x. The error message has the wrong bytes."""


class Ended(StrEnum):
    """The ways in which a body ends."""

    CLEAN = "clean"
    """The end that the framing announces: the final chunk, the last byte of Content-Length, or the
    end of the connection if the body has neither."""
    EOF = "eof"
    """The connection was closed in the middle of a body."""
    RESET = "reset"
    """The connection was reset."""


@dataclass(frozen=True)
class Head:
    """A status line and its headers, with their order and spelling."""

    version: str
    status: int
    reason: str
    headers: list[tuple[str, str]]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Parse a head without the empty line at its end.

        Raises:
            BrokenHTTP: the head is malformed.
        """
        first, *lines = raw.split(b"\r\n")
        status = _STATUS_LINE.fullmatch(first)
        if status is None:
            raise BrokenHTTP(f"not a status line: {first!r}")
        headers = []
        for line in lines:
            header = _HEADER_LINE.fullmatch(line)
            if header is None:
                raise BrokenHTTP(f"not a header line: {line!r}")
            headers.append((header[1].decode("ascii"), header[2].decode("latin-1")))
        return cls(status[1].decode(), int(status[2]), status[3].decode("latin-1"), headers)

    def all(self, name: str) -> list[str]:
        """Return every value of a header. The case of the name does not matter."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        """Return the value of a header that may occur at most once; None if it is missing.

        Raises:
            BrokenHTTP: the header occurs more than once.
        """
        values = self.all(name)
        if len(values) > 1:
            raise BrokenHTTP(f"{name} occurs {len(values)} times: {values!r}")
        return values[0] if values else None


@dataclass(frozen=True)
class Response:
    """One whole response."""

    head: Head
    body: bytes
    ended: Ended
    chunks: list[bytes]
    """The chunks of the body; empty if the body was not chunked."""

    @property
    def status(self) -> int:
        """The status code."""
        return self.head.status

    def json(self) -> Any:
        """Parse the body as JSON."""
        return json.loads(self.body)


class Body:
    """The framing of one body. It turns bytes of the connection into payload.

    Attributes:
        complete: True if the framing says that the body has ended.
        rest: the bytes after the end of a complete body, which belong to the next response.
        chunks: the payload of every complete chunk, if the body is chunked.
    """

    def __init__(self) -> None:
        self.complete = False
        self.rest = b""
        self.chunks: list[bytes] = []

    @classmethod
    def of(cls, head: Head, method: str) -> Body:
        """Return the framing of a response's body (RFC 9112, section 6.3).

        Args:
            head: the head of the response.
            method: the method of the request.

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
            return ChunkedResponseBody()
        if length is not None:
            if not (length.isascii() and length.isdigit()):
                raise BrokenHTTP(f"Content-Length {length!r}")
            return LengthBody(int(length))
        return UntilCloseBody()

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the connection, and return the payload that they complete."""
        raise NotImplementedError

    def eof(self) -> Ended:
        """Note the end of the connection, and return how the body ended."""
        return Ended.CLEAN if self.complete else Ended.EOF


class LengthBody(Body):
    """A body of a known length."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._left = length
        self.complete = length == 0

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the connection, and return the payload among them."""
        payload, self.rest = data[: self._left], self.rest + data[self._left :]
        self._left -= len(payload)
        self.complete = self._left == 0
        return payload


class UntilCloseBody(Body):
    """A body that ends with the connection, such as a stream of HTTP/1.0."""

    def feed(self, data: bytes) -> bytes:
        """Return all bytes, because every byte is payload."""
        return data

    def eof(self) -> Ended:
        """Return ``CLEAN``, because the end of the connection is the end of this body."""
        self.complete = True
        return Ended.CLEAN


class ChunkedResponseBody(Body):
    """A chunked body (RFC 9112, section 7.1), without extensions or trailers."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the connection, and return the payload of the chunks that they complete.

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
            # A size line that is this long, or has another character, cannot become valid.
            if len(self._held) >= 16 or not re.fullmatch(rb"[0-9A-Fa-f]*\r?", self._held):
                raise BrokenHTTP(f"not a chunk size: {bytes(self._held[:80])!r}")
            return False
        size_line = bytes(self._held[:line_end])
        if not _CHUNK_SIZE.fullmatch(size_line):
            raise BrokenHTTP(f"not a chunk size: {size_line!r}")
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
