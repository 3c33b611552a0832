"""The blocks of one stream, as a client that keeps a cursor needs them."""

from __future__ import annotations

__all__ = ["EventBlocks"]

_BLOCK_END = b"\n\n"
_EVENT_ID = b"\nid: "
_HEARTBEAT_ID = b"\n: heartbeat\nid: "
_VERSION = b"\nevent: version\n"


class EventBlocks:
    """The blocks of one stream. Only whole blocks count, as in a browser.

    Attributes:
        cursor: the last ``id`` of the stream; None if no block had one.
        ids: the number of events that had an ``id``. Heartbeats with one do not count.
        has_version: True if the version event has arrived. It is the last event of a stream's
            start: what the client has missed comes before it.
    """

    __slots__ = ("_tail", "cursor", "has_version", "ids")

    def __init__(self) -> None:
        self.cursor: str | None = None
        self.ids = 0
        self.has_version = False
        # The bytes behind the last whole block.
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Add bytes of the stream, with the framing of their chunks."""
        data = self._tail + data
        # The last line feed stays, because the next block may begin directly behind it.
        end = data.rfind(_BLOCK_END) + 1
        if not end:
            self._tail = data
            return
        self._tail = data[end:]
        self.ids += data.count(_EVENT_ID, 0, end) - data.count(_HEARTBEAT_ID, 0, end)
        self.has_version = self.has_version or data.find(_VERSION, 0, end) >= 0
        start = data.rfind(_EVENT_ID, 0, end) + len(_EVENT_ID)
        if start >= len(_EVENT_ID):
            self.cursor = data[start : data.index(b"\n", start)].decode()
