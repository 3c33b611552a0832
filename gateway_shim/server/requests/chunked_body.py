"""A decoder for chunked request bodies (RFC 9112, section 7.1) that works in bounded steps. Pure.

It is as strict as gunicorn's reader and raises the same errors, so that a proxy in front cannot
read a body differently. gunicorn's reader does not yield while bytes are available: a megabyte in
chunks of one byte blocked the event loop for 12 s and used 500 MB. Here the cost of each call of
:meth:`ChunkedBody.feed` is proportional to its input, and the size of the framing is limited.
"""

from __future__ import annotations

from gunicorn.http.body import CHUNK_EXT_RE  # type: ignore[attr-defined]  # the stub is older
from gunicorn.http.errors import (
    ChunkMissingTerminator,
    InvalidChunkExtension,
    InvalidChunkSize,
    InvalidHeader,
    LimitRequestHeaders,
    NoMoreData,
)

__all__ = ["ChunkedBody"]

MAX_LINE_BYTES = 1024
"""The maximum length of the line with a chunk's size, bytes."""

MAX_EXTENSION_BYTES = 1024
"""The maximum size of all chunk extensions of a body together, bytes. They are ignored."""

FREE_FRAMING_BYTES = 16 * 1024
"""The size that the lines between chunks may have, bytes, besides one byte for each of the body."""

MAX_TRAILER_BYTES = 4 * 1024
"""The maximum size of the trailer section, bytes."""

_HEX_DIGITS = frozenset(b"0123456789abcdefABCDEF")


class ChunkedBody:
    """Decodes one body. Call :meth:`feed` until ``finished`` is true.

    Attributes:
        finished: whether the whole body has been decoded.
        announced: bytes of the body so far, including all bytes that the current chunk announces.
        trailers: the trailer section without its last line end; empty if there is none.
        rest: the bytes after the body, once the body is finished.
    """

    def __init__(self) -> None:
        self.finished = False
        self.announced = 0
        self.trailers = b""
        self.rest = b""
        self._chunk_bytes_left = 0  # bytes of the current chunk that have not arrived
        self._expects_chunk_end = False  # the line end after a chunk's data comes next
        self._in_trailers = False
        self._incomplete = b""  # the beginning of a line, or of the trailers
        self._framing = 0  # bytes of the lines between chunks
        self._extensions = 0  # bytes of chunk extensions

    def feed(self, data: bytes) -> bytes:
        """Decode the next bytes.

        Args:
            data: the received bytes; empty at the end of the connection.

        Returns:
            The decoded bytes of the body.

        Raises:
            NoMoreData: the connection has ended before the body.
            ParseException: the coding is malformed, or the framing is larger than allowed.
        """
        if not data:
            raise ChunkMissingTerminator(b"") if self._in_trailers else NoMoreData()
        data = self._incomplete + data
        self._incomplete = b""
        body: list[bytes] = []
        at = 0
        while at < len(data) and not self.finished:
            if self._in_trailers:
                at = self._read_trailers(data, at)
            elif self._chunk_bytes_left:
                piece = data[at : at + self._chunk_bytes_left]
                body.append(piece)
                at += len(piece)
                self._chunk_bytes_left -= len(piece)
                self._expects_chunk_end = not self._chunk_bytes_left
            elif self._expects_chunk_end:
                at = self._read_chunk_end(data, at)
            else:
                at = self._read_size(data, at)
        if self.finished:
            self.rest = data[at:]
        return b"".join(body)

    def _read_chunk_end(self, data: bytes, at: int) -> int:
        end = data[at : at + 2]
        if not b"\r\n".startswith(end):
            raise ChunkMissingTerminator(end)
        if len(end) < 2:
            return self._wait_for_more(data, at)
        self._expects_chunk_end = False
        self._count(2)
        return at + 2

    def _read_size(self, data: bytes, at: int) -> int:
        end = data.find(b"\r\n", at, at + MAX_LINE_BYTES + 2)
        if end < 0:
            if len(data) - at > MAX_LINE_BYTES + 1:
                raise InvalidChunkSize(b"line over %d bytes" % MAX_LINE_BYTES)
            if b"\n" in data[at:]:  # a bare LF does not end a line: no size will follow
                raise InvalidChunkSize(b"bare LF")
            return self._wait_for_more(data, at)
        size = self._size_of(data[at:end])
        self._count(end + 2 - at)
        self._chunk_bytes_left = size
        self.announced += size
        self._in_trailers = size == 0
        return end + 2

    def _size_of(self, line: bytes) -> int:
        digits, semicolon, extension = line.partition(b";")
        if semicolon:
            if b"\r" in extension:
                raise InvalidChunkExtension("bare CR not allowed")
            digits = digits.rstrip(b" \t")
        if not digits or not _HEX_DIGITS.issuperset(digits):
            raise InvalidChunkSize(digits)
        if semicolon:
            if not CHUNK_EXT_RE.fullmatch(semicolon + extension):
                raise InvalidChunkExtension("invalid chunk extension")
            self._extensions += len(semicolon + extension)
            if self._extensions > MAX_EXTENSION_BYTES:
                raise InvalidChunkExtension(f"more than {MAX_EXTENSION_BYTES} bytes of extensions")
        return int(digits, 16)

    def _read_trailers(self, data: bytes, at: int) -> int:
        if data.startswith(b"\r\n", at):
            self.finished = True
            return at + 2
        end = data.find(b"\r\n\r\n", at, at + MAX_TRAILER_BYTES + 4)
        if end < 0:
            if len(data) - at > MAX_TRAILER_BYTES + 3:
                raise LimitRequestHeaders("limit request trailer section size")
            if data.count(b"\n", at) != data.count(b"\r\n", at):
                raise InvalidHeader("bare LF as line terminator")
            return self._wait_for_more(data, at)
        self.trailers = data[at:end]
        self.finished = True
        return end + 4

    def _wait_for_more(self, data: bytes, at: int) -> int:
        self._incomplete = data[at:]
        return len(data)

    def _count(self, size: int) -> None:
        self._framing += size
        if self._framing > FREE_FRAMING_BYTES + self.announced:
            raise InvalidChunkSize(b"the chunks are too small")
