"""One stream's states and its bounded outbox. Sans-I/O: no socket, no clock, no thread.

::

    CONNECTING ──accept──▶ OPEN ──close──▶ CLOSING ──flushed──▶ CLOSED
        │                   │                │
        └── refuse, lose ───┴───── lose ─────┴────────────────▶ CLOSED

CONNECTING: the backend is being asked; sends are held back. OPEN: sends are written.
CLOSING: the last bytes are on their way, nothing more is taken. CLOSED: over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum

from gateway_shim.errors import InvalidTransition
from gateway_shim.protocol import event_stream as wire
from gateway_shim.protocol.backend_start import Boot
from gateway_shim.protocol.buffer_budget import UNLIMITED, BufferBudget
from gateway_shim.protocol.event_stream import Frame

__all__ = ["TRANSITIONS", "Outbox", "OutboxFull", "Stream", "StreamEvent", "StreamState"]


class StreamState(Enum):
    """Where a stream is in its life."""

    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class StreamEvent(Enum):
    """What can happen to a stream."""

    ACCEPT = "accept"
    """The backend said yes."""
    REFUSE = "refuse"
    """The backend said no, or nothing."""
    CLOSE = "close"
    """The server ends it; what was sent before still arrives."""
    FLUSHED = "flushed"
    """The last byte of a closing stream is with the kernel."""
    LOSE = "lose"
    """The client is gone, a write failed, or the outbox is full."""


TRANSITIONS: dict[tuple[StreamState, StreamEvent], StreamState] = {
    (StreamState.CONNECTING, StreamEvent.ACCEPT): StreamState.OPEN,
    (StreamState.CONNECTING, StreamEvent.REFUSE): StreamState.CLOSED,
    (StreamState.CONNECTING, StreamEvent.LOSE): StreamState.CLOSED,
    (StreamState.OPEN, StreamEvent.CLOSE): StreamState.CLOSING,
    (StreamState.OPEN, StreamEvent.LOSE): StreamState.CLOSED,
    (StreamState.CLOSING, StreamEvent.FLUSHED): StreamState.CLOSED,
    (StreamState.CLOSING, StreamEvent.LOSE): StreamState.CLOSED,
}


_JOINED_BYTES = 32 * 1024
"""Small pieces are joined up to about this size: a quarter of a usual socket buffer."""


class OutboxFull(Exception):
    """A client left more bytes unread than it may; divergence 7. The stream must end."""


class Outbox:
    """The bytes of one stream that the kernel has not taken yet; at most ``limit`` of them.

    Args:
        limit: bytes.
        budget: where they are counted, with those of other streams.
    """

    __slots__ = ("_budget", "_pieces", "_written", "limit", "size")

    def __init__(self, limit: int, budget: BufferBudget = UNLIMITED) -> None:
        # As they came: a broadcast's bytes are one object in the outboxes of all slow clients, and
        # cost each of them a reference (a memoryview of each would be as large as the event).
        self._pieces: deque[bytes | memoryview] = deque()
        self._written = 0  # of the first piece
        self._budget = budget
        self.limit = limit
        self.size = 0

    def put(self, data: bytes | memoryview, *, final: bool = False) -> None:
        """Append bytes; those that are shared between streams are not copied.

        Args:
            data: the bytes.
            final: the last ones of all. They always fit, so that a stream that is as full as it
                may be can still end cleanly.

        Raises:
            OutboxFull: it would hold more than ``limit`` bytes; nothing was appended.
        """
        if self.size + len(data) > self.limit and not final:
            raise OutboxFull
        self._pieces.append(data)
        self.size += len(data)
        self._budget.hold(data)
        self._budget.waiting += len(data)

    def head(self) -> memoryview:
        """The bytes to write next: many small pieces joined, so that one write takes them all.

        Call :meth:`advance` with how many of them were written.

        Raises:
            IndexError: the outbox is empty.
        """
        if len(self._pieces) > 1 and len(self._pieces[0]) - self._written < _JOINED_BYTES:
            self._join()
        return memoryview(self._pieces[0])[self._written :]

    def _join(self) -> None:
        size, parts = -self._written, []
        while self._pieces and size < _JOINED_BYTES:
            parts.append(self._pieces.popleft())
            size += len(parts[-1])
        joined = b"".join(parts)[self._written :]
        self._pieces.appendleft(joined)
        self._written = 0
        for part in parts:
            self._budget.release(part)
        self._budget.hold(joined)

    def advance(self, count: int) -> None:
        """Forget ``count`` bytes of the head."""
        self.size -= count
        self._budget.waiting -= count
        self._written += count
        if self._written == len(self._pieces[0]):
            self._budget.release(self._pieces.popleft())
            self._written = 0

    def clear(self) -> None:
        """Forget everything: nobody will write it any more."""
        for piece in self._pieces:
            self._budget.release(piece)
        self._budget.waiting -= self.size
        self._pieces.clear()
        self.size = self._written = 0


class Stream:
    """One connection: who it is, its state, and what it holds back while connecting.

    Args:
        token: the stream's own name, made by the gateway.
        request: its request in compact form
        (:func:`gateway_shim.protocol.stream_request.pack_request`).
        chunked: whether its body is chunked (HTTP/1.1) or bare (HTTP/1.0).
        limit: how many bytes it may hold back.
        budget: where what it holds back is counted, with what other streams do.
        first_event: adds to the stream's first event what only that one carries; None: nothing.

    Attributes:
        boot: which start of the backend has accepted it, if the backend says it.
    """

    __slots__ = (
        "_first_event",
        "_held",
        "_held_bytes",
        "boot",
        "budget",
        "chunked",
        "close_held",
        "limit",
        "request",
        "state",
        "token",
    )

    def __init__(
        self,
        token: str,
        request: bytes,
        *,
        chunked: bool,
        limit: int,
        budget: BufferBudget = UNLIMITED,
        first_event: Callable[[Frame], Frame] | None = None,
    ) -> None:
        self.token = token
        self.request = request
        self.chunked = chunked
        self.limit = limit
        self.budget = budget
        self.state = StreamState.CONNECTING
        self.boot: Boot | None = None
        self.close_held = False
        self._first_event = first_event  # shared by all streams; None once it has been used
        self._held: list[bytes] | None = None
        self._held_bytes = 0

    def apply(self, event: StreamEvent) -> None:
        """Move to the next state.

        Raises:
            InvalidTransition: the state does not allow it; nothing was changed.
        """
        try:
            self.state = TRANSITIONS[self.state, event]
        except KeyError:
            raise InvalidTransition(self.state, event) from None

    def bytes_of(self, frame: Frame) -> bytes:
        """The form of a frame that this stream's body needs."""
        return frame.chunked if self.chunked else frame.bare

    @property
    def awaits_first_event(self) -> bool:
        """Return whether the next event is the first one, which differs from what others get."""
        return self._first_event is not None

    def event_bytes(self, frame: Frame) -> bytes:
        """The form of an event that this stream's body needs, the first one with its addition.

        Not for comments, which are no events.
        """
        first_event = self._first_event
        if first_event is not None:
            self._first_event = None
            frame = first_event(frame)
        return self.bytes_of(frame)

    def skip_first_event(self) -> None:
        """Send even the first event as it is: it has its own ``retry:``, such as a farewell."""
        self._first_event = None

    @property
    def last_bytes(self) -> bytes:
        """What ends its body: the last chunk, or nothing but the connection's end."""
        return wire.LAST_CHUNK if self.chunked else b""

    @property
    def overflowed(self) -> bool:
        """Whether more was sent while connecting than may be held: it must end once it opens."""
        return self._held_bytes > self.limit

    def hold(self, frame: Frame | None, *, close: bool) -> None:
        """Keep a send that came while connecting; what follows a close is dropped.

        Raises:
            OutboxFull: more than ``limit`` bytes were sent; see :attr:`overflowed`.
        """
        if self.close_held:
            return
        if frame is not None:
            data = self.event_bytes(frame)
            self._held_bytes += len(data)
            if self.overflowed:
                raise OutboxFull
            if self._held is None:
                self._held = []
            self._held.append(data)
            self.budget.hold(data)
        self.close_held = close

    def take_held(self) -> list[bytes]:
        """What was kept, oldest first; it is then forgotten."""
        held, self._held = self._held or [], None
        for data in held:
            self.budget.release(data)
        return held

    @property
    def held_bytes(self) -> int:
        """Bytes that are kept because they came while connecting."""
        return self._held_bytes if self._held else 0

    def drop_held(self) -> None:
        """Forget what was kept, and be :attr:`overflowed`: the stream must end once it opens."""
        self.take_held()
        self._held_bytes = self.limit + 1
