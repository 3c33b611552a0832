"""A strict parser of the bytes of one stream: a byte out of its place is an error.

It accepts what the gateway may write and nothing else. A browser's parser would skip over a torn
frame, and would not notice it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway_shim.protocol.event_stream import BodyFraming

__all__ = ["Block", "StreamParser", "Torn", "text_of"]

_ID = rb"([a-z0-9]{1,16}-(?:0|[1-9][0-9]*))"
_COMMENT = re.compile(rb": heartbeat\n(?:id: %b\n)?\n" % _ID)
_EVENT = re.compile(
    rb"(?:retry: ([0-9]+)\n)?(?:id: %b\n)?(?:event: ([^\n]+)\n)?data: ([^\n]*)\n\n" % _ID
)
_CHUNK_SIZE = re.compile(rb"([1-9a-f][0-9a-f]*)\r\n")
_SIZE_BYTES = 10
"""More bytes than the longest chunk size has."""


class Torn(AssertionError):
    """The bytes are not those of a stream."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a stream, up to its blank line; or the end of the body.

    Args:
        end: the bytes of the connection up to the end of the block.
        kind: ``comment``, ``event`` or ``end``.
        id: the block's id; empty if there is none.
        name: the event's name; empty for the default name.
        data: the event's data.
        retry: the event's pause before a reconnection, milliseconds; None if there is none.
    """

    end: int
    kind: str
    id: str = ""
    name: str = ""
    data: str = ""
    retry: int | None = None


class StreamParser:
    """Reads the answer to a request for a stream.

    Args:
        framing: the framing of the body.
    """

    def __init__(self, framing: BodyFraming) -> None:
        self._framing = framing
        self._waiting = b""
        self._taken = 0
        self._in_head = True
        self._is_over = False

    def feed(self, data: bytes) -> Iterator[Block]:
        """Read the next bytes.

        Yields:
            The blocks that these bytes complete.

        Raises:
            Torn: a byte is out of its place.
        """
        self._waiting += data
        if self._in_head:
            head, separator, _ = self._waiting.partition(b"\r\n\r\n")
            if not separator:
                return
            if not head.startswith(b"HTTP/1.1 200 ") and not head.startswith(b"HTTP/1.0 200 "):
                raise Torn(f"not the head of a stream: {head!r}")
            self._in_head = False
            self._drop(len(head) + 4)
        while self._waiting:
            if self._is_over:
                raise Torn(f"bytes after the end of the body: {self._waiting!r}")
            if self._framing is BodyFraming.BARE:
                stop = self._waiting.find(b"\n\n")
                if stop < 0:
                    return
                yield self._block(self._waiting[: stop + 2], self._taken + stop + 2)
                self._drop(stop + 2)
            else:
                chunk = self._next_chunk()
                if chunk is None:
                    return
                yield from chunk

    @property
    def is_between_blocks(self) -> bool:
        """True if the last byte was the last byte of a block, or of the head."""
        return not self._waiting and not self._in_head

    def _next_chunk(self) -> list[Block] | None:
        if self._waiting.startswith(b"0"):
            if not b"0\r\n\r\n".startswith(self._waiting[:5]):
                raise Torn(f"not the end of a body: {self._waiting[:20]!r}")
            if len(self._waiting) < 5:
                return None
            self._drop(5)
            self._is_over = True
            return [Block(self._taken, "end")]
        size = _CHUNK_SIZE.match(self._waiting)
        if size is None:
            if len(self._waiting) > _SIZE_BYTES or not re.fullmatch(
                rb"[1-9a-f][0-9a-f]*\r?", self._waiting
            ):
                raise Torn(f"not the size of a chunk: {self._waiting[:40]!r}")
            return None
        start, length = size.end(), int(size[1], 16)
        if len(self._waiting) < start + length + 2:
            return None
        payload = self._waiting[start : start + length]
        if self._waiting[start + length : start + length + 2] != b"\r\n":
            raise Torn(f"a chunk that does not end where it should: {self._waiting[:200]!r}")
        self._drop(start + length + 2)
        blocks = payload.split(b"\n\n")
        if blocks.pop() != b"":
            raise Torn(f"a chunk that ends within a block: {payload!r}")
        return [self._block(block + b"\n\n", self._taken) for block in blocks]

    def _drop(self, count: int) -> None:
        self._waiting = self._waiting[count:]
        self._taken += count

    @staticmethod
    def _block(data: bytes, end: int) -> Block:
        comment = _COMMENT.fullmatch(data)
        if comment is not None:
            return Block(end, "comment", (comment[1] or b"").decode())
        event = _EVENT.fullmatch(data)
        if event is None:
            raise Torn(f"not a block: {data!r}")
        retry, cursor, name, text = event.groups()
        return Block(
            end,
            "event",
            (cursor or b"").decode(),
            (name or b"").decode(),
            text.decode(),
            None if retry is None else int(retry),
        )


def text_of(block: Block) -> str:
    """Return a block in a few words, for a trace."""
    if block.kind == "end":
        return "(end)"
    name = block.name or ("message" if block.kind == "event" else ": heartbeat")
    return f"{name} {block.id} {block.data[:20]}".strip()
