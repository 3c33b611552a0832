"""The life of a stream: one enum of states and one table of transitions. Pure.

Theory of operation
===================

A stream begins when a browser asks for it and ends when its socket is released. Its whole life is
one value, :attr:`Stream.state <gateway_shim.protocol.stream.Stream.state>`, and every change of
that value is an entry of :data:`TRANSITIONS`. The picture below is compared with the table by
tests/gateway_shim/protocol/test_lifecycle.py::

    While the backend is asked. The socket is the server's; sends are held back.
      CONNECTING                         ─ HOLD_CLOSE ▶ CLOSE_HELD
      CONNECTING, CLOSE_HELD, OVERFLOWED ─ OVERFLOW   ▶ OVERFLOWED
      CONNECTING, CLOSE_HELD, OVERFLOWED ─ ACCEPT     ▶ OPEN
      CONNECTING, CLOSE_HELD, OVERFLOWED ─ REJECT     ▶ CLOSING
      CONNECTING, CLOSE_HELD, OVERFLOWED ─ REFUSE     ▶ RETURNED
      CONNECTING, CLOSE_HELD, OVERFLOWED ─ LOSE       ▶ RETURNED

    From here on the socket is the stream's. Sends are written.
      OPEN                               ─ CLOSE      ▶ CLOSING
      OPEN                               ─ LOSE       ▶ CLOSED

    The last bytes are written. Sends no longer find the stream.
      CLOSING                            ─ LATE       ▶ OVERDUE
      CLOSING, OVERDUE                   ─ FLUSH      ▶ LINGERING
      CLOSING, OVERDUE, LINGERING        ─ LOSE       ▶ CLOSED

Three modules share the work:

- This module says what may happen. It knows no stream, no bytes and no socket.
- :mod:`gateway_shim.protocol.stream` holds one stream: its state, and the events that wait for the
  backend's answer. It applies HOLD_CLOSE, OVERFLOW and ACCEPT, and returns the next step after
  ACCEPT. It has no bytes that wait for the client: the connection's outbox or backlog has them.
- :mod:`gateway_shim.streams` does the I/O. The gateway's modules apply the events that they decide
  (REJECT, REFUSE, CLOSE, LATE), and :mod:`gateway_shim.streams.connection` applies the events of
  the socket (FLUSH, LOSE).

What may never happen:

- An event that the table does not list raises
  :class:`~gateway_shim.errors.InvalidTransition`, and the state stays as it was.
- A stream does not return to a state that it has left, and it never leaves RETURNED or CLOSED.
- A socket is released only in the step that enters RETURNED or CLOSED, before other greenlets run.
- A stream that was never OPEN gets no disconnect callback.

The races: a callback to the backend may take seconds, and other greenlets run meanwhile. The client
may leave (LOSE). The backend may send to the token from inside the callback; such sends are held
back. A send may say close (HOLD_CLOSE). The budget may be exceeded (OVERFLOW). Therefore the state
must be read again after the callback. Between ACCEPT and the first bytes no other greenlet runs.
"""

from __future__ import annotations

from enum import Enum

from gateway_shim.errors import InvalidTransition

__all__ = ["CONNECTING_STATES", "OVER_STATES", "TRANSITIONS", "StreamEvent", "StreamState", "after"]


class StreamState(Enum):
    """The states of a stream."""

    CONNECTING = "connecting"
    """The backend is being asked. Sends are held back."""
    CLOSE_HELD = "close held"
    """The backend is being asked, and a send has said close. Later sends are dropped."""
    OVERFLOWED = "overflowed"
    """The backend is being asked, and more was sent than may be held back. The stream must end."""
    OPEN = "open"
    """The backend has accepted the stream. Sends are written."""
    CLOSING = "closing"
    """The last bytes are being written. Nothing more is taken."""
    OVERDUE = "overdue"
    """The stream is closing, and its client has not read for up to one heartbeat interval."""
    LINGERING = "lingering"
    """Our side has hung up after the last byte. The client gets some time to hang up, too."""
    RETURNED = "returned"
    """The stream is over and was never open. Its socket went back to the server."""
    CLOSED = "closed"
    """The stream is over. Its socket is closed."""


class StreamEvent(Enum):
    """The events in the life of a stream."""

    HOLD_CLOSE = "hold close"
    """A send said close while the backend was being asked."""
    OVERFLOW = "overflow"
    """More was sent than may be held back, or the budget of all streams was exceeded."""
    ACCEPT = "accept"
    """The backend has accepted the stream."""
    REFUSE = "refuse"
    """The backend has refused the stream. The server writes the answer."""
    REJECT = "reject"
    """The stream is refused, and a refusal or a farewell is written as its only event."""
    CLOSE = "close"
    """The server ends the stream. What was sent before still arrives."""
    LATE = "late"
    """A heartbeat was due, and last bytes were still waiting."""
    FLUSH = "flush"
    """The kernel has taken the last byte of a closing stream."""
    LOSE = "lose"
    """The connection is over: the client has left, a write has failed, or the gateway cuts it."""


CONNECTING_STATES = (StreamState.CONNECTING, StreamState.CLOSE_HELD, StreamState.OVERFLOWED)
"""The states of a stream whose backend is being asked. Its socket is still the server's."""

OVER_STATES = (StreamState.RETURNED, StreamState.CLOSED)
"""The states of a stream that is over. Its socket has been released."""

TRANSITIONS: dict[tuple[StreamState, StreamEvent], StreamState] = {
    (StreamState.CONNECTING, StreamEvent.HOLD_CLOSE): StreamState.CLOSE_HELD,
    **{(state, StreamEvent.OVERFLOW): StreamState.OVERFLOWED for state in CONNECTING_STATES},
    **{(state, StreamEvent.ACCEPT): StreamState.OPEN for state in CONNECTING_STATES},
    **{(state, StreamEvent.REJECT): StreamState.CLOSING for state in CONNECTING_STATES},
    **{(state, StreamEvent.REFUSE): StreamState.RETURNED for state in CONNECTING_STATES},
    **{(state, StreamEvent.LOSE): StreamState.RETURNED for state in CONNECTING_STATES},
    (StreamState.OPEN, StreamEvent.CLOSE): StreamState.CLOSING,
    (StreamState.OPEN, StreamEvent.LOSE): StreamState.CLOSED,
    (StreamState.CLOSING, StreamEvent.LATE): StreamState.OVERDUE,
    (StreamState.CLOSING, StreamEvent.FLUSH): StreamState.LINGERING,
    (StreamState.OVERDUE, StreamEvent.FLUSH): StreamState.LINGERING,
    (StreamState.CLOSING, StreamEvent.LOSE): StreamState.CLOSED,
    (StreamState.OVERDUE, StreamEvent.LOSE): StreamState.CLOSED,
    (StreamState.LINGERING, StreamEvent.LOSE): StreamState.CLOSED,
}
"""The state that follows each state and event. An event that is not listed is not allowed."""


def after(state: StreamState, event: StreamEvent) -> StreamState:
    """Return the state that follows an event.

    Raises:
        InvalidTransition: the state does not allow the event.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise InvalidTransition(state, event) from None
