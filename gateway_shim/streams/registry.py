"""The streams of one process: registers them, writes to them, and ends them.

Invariants:

- ``by_token`` holds the streams that are connecting or open, and no others. A token is removed in
  the same step in which its stream ends, so a later send finds no stream.
- ``closing`` holds the streams that were open and whose last bytes are being written.
- A stream that was open is reported to the backend exactly once, by ``_end``.
"""

from __future__ import annotations

import logging
from collections.abc import MutableSet

from gateway_shim.errors import ClientGone, OutboxFull
from gateway_shim.event_loop.tcp import has_timed_out
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.protocol import event_stream
from gateway_shim.protocol.buffer_budget import UNLIMITED, BufferBudget
from gateway_shim.protocol.callbacks import Reason
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.lifecycle import OVER_STATES, StreamEvent, StreamState
from gateway_shim.protocol.stream import Stream
from gateway_shim.protocol.stream_request import address_and_url, shorten_url
from gateway_shim.streams.callbacks.disconnects import Disconnects
from gateway_shim.streams.connection import Connection
from gateway_shim.streams.connection_owner import StreamLog
from gateway_shim.streams.opening.admission import Admission
from gateway_shim.streams.sending.audiences import Audiences
from gateway_shim.streams.sending.tally import Totals
from gateway_shim.streams.stats import CLIENT_STALLED, GatewayStats

__all__ = ["Streams", "log_fields"]

logger = logging.getLogger(__name__)

_RELIEF_DIVISOR = 16
"""The divisor of the budget for the part that becomes free when the budget is exceeded.

A part becomes free, not only the excess, so that the next events fit.
"""


class Streams:
    """The streams that are connecting, open, or writing their last bytes.

    This class is the :class:`~gateway_shim.streams.connection_owner.ConnectionOwner` of the
    connections. Methods that connections call run in the hub and never block. Methods that may log
    are for greenlets.

    Args:
        admission: counts the streams against the limits.
        disconnects: reports the end of each stream to the backend.
        stats: the counters.
        budget: counts the bytes that all streams hold back. When it is exceeded, the streams that
            hold the most are ended.

    Attributes:
        by_token: the connections of streams that are connecting or open.
        closing: the connections of streams whose last bytes are being written.
        audiences: the streams that an event is for.
        log: the log that the streams follow; None: there is no log.
        behind: the connections that have a backlog in the log.
        totals: what every live stream was sent.
    """

    def __init__(
        self,
        admission: Admission,
        disconnects: Disconnects,
        stats: GatewayStats,
        budget: BufferBudget = UNLIMITED,
    ) -> None:
        self.by_token: dict[str, Connection] = {}
        self.closing: set[Connection] = set()
        self.budget = budget
        self.audiences = Audiences(self.by_token)
        self.log: StreamLog[Connection] | None = None
        self.behind: MutableSet[Connection] = set()
        self.totals = Totals()
        self._admission = admission
        self._disconnects = disconnects
        self._stats = stats

    @property
    def buffered(self) -> int:
        """The bytes that slow clients have not taken yet."""
        return self.budget.waiting

    def add(self, connection: Connection, address: str) -> None:
        """Register a stream under its token.

        Args:
            connection: the stream's connection.
            address: the client's address, which is counted against the limits.
        """
        self.audiences.forget()
        self.by_token[connection.stream.token] = connection
        connection.stream.limit_key = self._admission.enter(address)

    # ------------------------------------------------------------------ writing

    def write(self, connection: Connection, frame: Frame, position: int | None = None) -> bool:
        """Write an event to one stream, or hold it back until the stream opens.

        Args:
            connection: the stream's connection.
            frame: the encoded event.
            position: the event's position in the log; None: the event is not in the log. A stream
                that is not open yet reads the log itself.

        Returns:
            False if the stream could not take the event, and ends.
        """
        stream = connection.stream
        try:
            if position is not None:
                if not stream.connecting:
                    connection.deliver(frame, position)
            elif stream.connecting:
                stream.hold(frame, close=False)
            else:
                connection.send(frame)
        except (ClientGone, OutboxFull) as exc:
            self.fail(connection, exc)
            return False
        if self.budget.exceeded:
            self.relieve()
        return stream.state not in OVER_STATES

    def beat(self, connection: Connection) -> bool:
        """Write a heartbeat, or end a closing stream whose client did not read for an interval.

        Returns:
            True if the connection needs a further heartbeat.
        """
        stream = connection.stream
        if stream.state is StreamState.OPEN:
            log = self.log
            if log is not None and connection.backlog is not None:
                return True  # bytes are waiting
            heartbeat = event_stream.HEARTBEAT if log is None else log.heartbeat(connection)
            self._stats.heartbeats += 1
            try:
                connection.write(stream.bytes_of(heartbeat))
            except (ClientGone, OutboxFull) as exc:
                self.fail(connection, exc)
                return False
            return True
        if connection.backlog is None:
            return False
        if stream.state is StreamState.OVERDUE:
            self.lose(connection, Reason.ERROR)
            return False
        stream.apply(StreamEvent.LATE)
        return True

    # ------------------------------------------------------------------ ending

    def close(self, connection: Connection, last_events: bytes = b"") -> None:
        """End an open stream from the server's side. What was sent before still arrives.

        Args:
            connection: the stream's connection.
            last_events: the last events, if any, in the form that the body needs.
        """
        stream = connection.stream
        stream.apply(StreamEvent.CLOSE)
        self._end(stream, Reason.SERVER_CLOSED)
        self.closing.add(connection)
        try:
            connection.finish(last_events + stream.last_bytes)
        except ClientGone:
            self.lose(connection, Reason.ERROR)

    def refuse(self, connection: Connection, event: StreamEvent) -> None:
        """Remove a stream that its backend has refused.

        Args:
            connection: the stream's connection.
            event: REFUSE gives the socket back to the server. REJECT keeps it: the refusal is to
                be written inside the stream.
        """
        connection.stream.apply(event)
        self._remove(connection.stream)
        self._stats.refused += 1
        if event is StreamEvent.REFUSE:
            connection.abort()

    def fail(self, connection: Connection, exc: OSError | ClientGone | OutboxFull) -> None:
        """End a stream that could not be written to. Logs, so it must not be called in the hub."""
        stream = connection.stream
        if stream.connecting:
            return  # too much was held back; the stream ends once the backend has answered
        self.lose(connection, Reason.ERROR, CLIENT_STALLED if has_timed_out(exc) else "")
        if isinstance(exc, OutboxFull):
            self._stats.slow_consumers_ended += 1
            logger.warning("slow consumer ended", extra=log_fields(stream))

    def relieve(self) -> None:
        """End the streams that hold back the most, until all together fit the budget. Logs."""
        goal = self.budget.limit - self.budget.limit // _RELIEF_DIVISOR
        holding = [item for item in self.all() if item.buffered or item.stream.held_bytes]
        holding.sort(key=lambda item: item.buffered + item.stream.held_bytes)
        ended = []
        while holding and self.budget.size > goal:
            connection = holding.pop()
            if connection.stream.connecting:
                connection.stream.drop_held()
                continue
            self.lose(connection, Reason.ERROR)
            self._stats.slow_consumers_ended += 1
            ended.append(connection.stream)
        for stream in ended:
            extra = log_fields(stream) | {"limit": "SSE_MAX_TOTAL_BUFFER_BYTES"}
            logger.warning("slow consumer ended", extra=extra)

    def lose(self, connection: Connection, reason: Reason, counted_as: str = "") -> None:
        """End a stream whose client has left or must be cut. Allowed at any time, also twice.

        Args:
            connection: the stream's connection.
            reason: the reason that the backend gets.
            counted_as: the reason in the counters; empty: the same.
        """
        stream, connecting = connection.stream, connection.stream.connecting
        was_open = stream.state is StreamState.OPEN
        connection.abort()
        if was_open:
            self._end(stream, reason, counted_as)
        elif connecting:
            self._remove(stream)
        else:
            self.closing.discard(connection)

    def cut(self) -> None:
        """End all streams at once, without last bytes."""
        for connection in self.all():
            self.lose(connection, Reason.ERROR)
            let_others_run_if_due()

    def all(self) -> list[Connection]:
        """Return the connections of all streams."""
        return [*self.by_token.values(), *self.closing]

    def _end(self, stream: Stream, reason: Reason, counted_as: str = "") -> None:
        """Remove a stream that was open, and report its end to the backend."""
        self._remove(stream)
        self._stats.closed[counted_as or reason] += 1
        self._disconnects.add(stream, reason)

    def _remove(self, stream: Stream) -> None:
        self.audiences.forget()
        stream.take_held()  # the held events will not be written
        self.audiences.leave(self.by_token.pop(stream.token))
        self._admission.leave(stream.limit_key)

    # ------------------------------------------------------------------ called by connections

    def client_gone(self, connection: Connection) -> None:
        """End a stream whose client has hung up."""
        self.lose(connection, Reason.CLIENT_CLOSED)

    def client_stalled(self, connection: Connection) -> None:
        """End a stream whose client the kernel has given up: it no longer reads, or is gone.

        The backend is told ``client_closed``: the contract has no other word for it.
        """
        self.lose(connection, Reason.CLIENT_CLOSED, CLIENT_STALLED)

    def write_failed(self, connection: Connection) -> None:
        """End a stream whose waiting bytes could not be written."""
        self.lose(connection, Reason.ERROR)

    def flushed(self, connection: Connection) -> None:
        """Forget a closing stream: the kernel has its last bytes."""
        self.closing.discard(connection)


def log_fields(stream: Stream) -> dict[str, object]:
    """Return the fields of a log line about a stream."""
    address, url = address_and_url(stream.request)
    return {"token": stream.token, "url": shorten_url(url), "address": address}
