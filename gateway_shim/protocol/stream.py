"""One stream, without its socket: its request, its state, and the events that are held back. Pure.

The descriptor's side of the same stream is :class:`gateway_shim.streams.connection.Connection`. A
connection knows its stream; a stream knows no connection.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from gateway_shim.errors import OutboxFull
from gateway_shim.protocol import event_stream
from gateway_shim.protocol.backend_start import Boot
from gateway_shim.protocol.buffer_budget import UNLIMITED, BufferBudget
from gateway_shim.protocol.event_stream import BodyFraming, Frame
from gateway_shim.protocol.lifecycle import CONNECTING_STATES, StreamEvent, StreamState, after

__all__ = ["AfterAccept", "Stream"]


class AfterAccept(Enum):
    """The next step for a stream that its backend has accepted."""

    STAY_OPEN = "stay open"
    """Write the head and the held events."""
    CLOSE = "close"
    """Write the head and the held events, then close, because a send said close meanwhile."""
    FAIL = "fail"
    """End the stream, because it has lost events: too many were sent meanwhile."""


_AFTER_ACCEPT = {
    StreamState.CONNECTING: AfterAccept.STAY_OPEN,
    StreamState.CLOSE_HELD: AfterAccept.CLOSE,
    StreamState.OVERFLOWED: AfterAccept.FAIL,
}


class Stream:
    """One stream, without its socket.

    Args:
        token: the stream's token, made by the gateway.
        request: the stream's request in compact form
            (:func:`gateway_shim.protocol.stream_request.pack_request`).
        framing: how the stream's body is framed.
        limit: the bytes that may be held back.
        budget: counts the held bytes together with those of other streams.
        first_event: adds the fields that only a stream's first event has; None: nothing is added.

    Attributes:
        token: the stream's token.
        request: the stream's request in compact form.
        framing: how the stream's body is framed.
        limit: the bytes that may be held back, and the bytes that a slow client may leave unread.
        budget: counts the stream's bytes together with those of other streams.
        state: the state. Only :meth:`apply` changes it.
        boot: the start of the backend that has accepted the stream, if the backend names it.
        audiences: the audiences whose events the stream gets, besides everyone's.
        limit_key: the key under which the stream is counted against the limit per address; empty:
            it is not counted. Set when the stream is registered.
        sent: the tally of what was sent (:mod:`gateway_shim.streams.sending.tally`). While the
            stream is live, the totals of the gateway must be added.
    """

    __slots__ = (
        "_first_event",
        "_held",
        "_held_bytes",
        "audiences",
        "boot",
        "budget",
        "framing",
        "limit",
        "limit_key",
        "request",
        "sent",
        "state",
        "token",
    )

    def __init__(
        self,
        token: str,
        request: bytes,
        *,
        framing: BodyFraming,
        limit: int,
        budget: BufferBudget = UNLIMITED,
        first_event: Callable[[Frame], Frame] | None = None,
    ) -> None:
        self.token = token
        self.request = request
        self.framing = framing
        self.limit = limit
        self.budget = budget
        self.state = StreamState.CONNECTING
        self.boot: Boot | None = None
        self.audiences: tuple[str, ...] = ()
        self.limit_key = ""
        self.sent = 0j
        # One object for all streams. None once this stream's first event has been encoded.
        self._first_event = first_event
        # The encoded events that wait for the backend's answer. None most of the time: an empty
        # list would cost each stream 56 bytes.
        self._held: list[bytes] | None = None
        self._held_bytes = 0

    # ------------------------------------------------------------------ state

    def apply(self, event: StreamEvent) -> None:
        """Move to the next state.

        Raises:
            InvalidTransition: the state does not allow the event; nothing was changed.
        """
        self.state = after(self.state, event)

    def accept(self) -> AfterAccept:
        """Open the stream, and return the next step.

        Raises:
            InvalidTransition: the stream is not connecting; nothing was changed.
        """
        before = self.state
        self.apply(StreamEvent.ACCEPT)
        return _AFTER_ACCEPT[before]

    @property
    def connecting(self) -> bool:
        """True while the backend is being asked."""
        return self.state in CONNECTING_STATES

    # ------------------------------------------------------------------ bytes

    def bytes_of(self, frame: Frame) -> bytes:
        """Return a frame in the form that this stream's body needs."""
        return frame.in_form(self.framing)

    @property
    def awaits_first_event(self) -> bool:
        """True if the next event is the first event, which gets additional fields."""
        return self._first_event is not None

    @property
    def takes_chunks(self) -> bool:
        """True if the body takes the chunks of events as they are."""
        return self.framing is BodyFraming.CHUNKED and self._first_event is None

    def event_bytes(self, frame: Frame) -> bytes:
        """Return an event in the form that the body needs. The first event gets additional fields.

        Args:
            frame: an encoded event; not a comment.
        """
        first_event = self._first_event
        if first_event is not None:
            self._first_event = None
            frame = first_event(frame)
        return self.bytes_of(frame)

    def skip_first_event(self) -> None:
        """Add nothing to the first event: it is a farewell, which has its own ``retry:``."""
        self._first_event = None

    @property
    def last_bytes(self) -> bytes:
        """The bytes that end the body: the last chunk, or none if the connection's end ends it."""
        return event_stream.LAST_CHUNK if self.framing is BodyFraming.CHUNKED else b""

    # ------------------------------------------------------------------ held events

    def hold(self, frame: Frame | None, *, close: bool) -> None:
        """Keep a send that came while the backend was being asked.

        Sends that follow a close are dropped.

        Args:
            frame: the event; None: none was sent.
            close: True if the stream is to end after the event.

        Raises:
            OutboxFull: more than ``limit`` bytes were sent; the stream is OVERFLOWED now.
        """
        if self.state is StreamState.CLOSE_HELD:
            return
        if frame is not None:
            if self.state is StreamState.OVERFLOWED:
                raise OutboxFull
            data = self.event_bytes(frame)
            if self._held_bytes + len(data) > self.limit:
                self.apply(StreamEvent.OVERFLOW)
                raise OutboxFull
            if self._held is None:
                self._held = []
            self._held.append(data)
            self._held_bytes += len(data)
            self.budget.hold(data)
        if close and self.state is StreamState.CONNECTING:
            self.apply(StreamEvent.HOLD_CLOSE)

    def take_held(self) -> list[bytes]:
        """Return the held events, oldest first, and remove them from the stream."""
        held, self._held, self._held_bytes = self._held or [], None, 0
        for data in held:
            self.budget.release(data)
        return held

    @property
    def held_bytes(self) -> int:
        """The bytes that are held back until the backend has answered."""
        return self._held_bytes

    def drop_held(self) -> None:
        """Drop the held events. The stream is OVERFLOWED now, and must end once it opens."""
        self.take_held()
        self.apply(StreamEvent.OVERFLOW)
