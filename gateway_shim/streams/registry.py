"""The streams of one process: which there are, and how each of them ends."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from gateway_shim.errors import ClientGone
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.protocol import event_stream as wire
from gateway_shim.protocol.buffer_budget import UNLIMITED, BufferBudget
from gateway_shim.protocol.callbacks import Reason
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.lifecycle import OutboxFull, Stream, StreamEvent, StreamState
from gateway_shim.protocol.stream_request import shorten_url, unpack_request
from gateway_shim.streams.callbacks.disconnects import Endings
from gateway_shim.streams.connection import Connection
from gateway_shim.streams.opening.admission import Admission
from gateway_shim.streams.stats import GatewayStats

__all__ = ["Audience", "Streams", "about"]

logger = logging.getLogger(__name__)

_RELIEF = 16
"""Where the budget is exceeded, a sixteenth of it becomes free: not all streams are looked through
for each further event."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a broadcast is for.

    Args:
        tokens: the tokens, as they were given.
        connections: of the streams that they are the tokens of, in their order.
        unknown: the tokens that no stream has.
    """

    tokens: Sequence[str]
    connections: list[Connection]
    unknown: list[str]


class Streams:
    """Every stream that is connecting, open, or writing its last bytes.

    The :class:`~gateway_shim.streams.connection.ConnectionOwner` of their connections. What
    sockets call is called in the hub and never blocks; whatever may log, and so may wait, is for
    greenlets.

    Args:
        admission: where they are counted in and out.
        endings: the backend is told of every end through it.
        stats: the counters.
        budget: counts what all of them hold back; where it is exceeded, those that hold most end.

    Attributes:
        by_token: those that are connecting or open.
        closing: those whose last bytes are on their way.
    """

    def __init__(
        self,
        admission: Admission,
        endings: Endings,
        stats: GatewayStats,
        budget: BufferBudget = UNLIMITED,
    ) -> None:
        self.by_token: dict[str, Connection] = {}
        self.closing: set[Connection] = set()
        self._audience: Audience | None = None
        self._admission = admission
        self._endings = endings
        self._stats = stats
        self.budget = budget

    @property
    def buffered(self) -> int:
        """Bytes that slow clients have not taken yet."""
        return self.budget.waiting

    def add(self, connection: Connection, address: str) -> None:
        """Know a stream from now on, by its token.

        Args:
            connection: the stream's.
            address: the client's; counted against the limits.
        """
        self._audience = None
        self.by_token[connection.stream.token] = connection
        connection.limit_key = self._admission.enter(address)

    def audience(self, tokens: Sequence[str]) -> Audience:
        """Look up the streams of a broadcast.

        The same tuple is looked up once, as long as no stream comes or goes: the look-ups are
        what a broadcast would spend most on, next to the kernel (docs/architecture.md).
        """
        known = self._audience
        if known is not None and known.tokens is tokens:
            return known
        found = [(token, self.by_token.get(token)) for token in tokens]
        known = Audience(
            tokens,
            [connection for _, connection in found if connection is not None],
            [token for token, connection in found if connection is None],
        )
        if isinstance(tokens, tuple):  # nothing else is sure to stay what it was
            self._audience = known
        return known

    # ------------------------------------------------------------------ writing

    def write(self, connection: Connection, frame: Frame) -> bool:
        """Write an event to one stream, or keep it for when the stream opens.

        Returns:
            False if the stream had to end.
        """
        try:
            if connection.stream.state is StreamState.CONNECTING:
                connection.stream.hold(frame, close=False)
            else:
                connection.send(frame)
        except (ClientGone, OutboxFull) as exc:
            self.fail(connection, exc)
            return False
        if self.budget.exceeded:
            self.relieve()
        return connection.stream.state is not StreamState.CLOSED

    def write_all(self, connections: Sequence[Connection], frame: Frame, gone: list[str]) -> int:
        """Write to many streams: the hot loop, each step of which is paid for every delivery.

        Args:
            connections: the streams'.
            frame: what to write.
            gone: where the tokens of those that have ended meanwhile are put.

        Returns:
            How many took it.
        """
        data, size = frame.chunked, len(frame.chunked)
        taken = 0
        for connection in connections:
            sock = connection.direct
            if sock is None:
                taken += self._write_the_long_way(connection, frame, gone)
                continue
            try:
                sent = sock.send(data)
                if sent != size:
                    connection.keep(data, sent)
                    if self.budget.exceeded:
                        self.relieve()
            except BlockingIOError:
                taken += self.write(connection, frame)
            except (OSError, OutboxFull) as exc:
                self.fail(connection, exc)
            else:
                taken += 1
        return taken

    def _write_the_long_way(self, connection: Connection, frame: Frame, gone: list[str]) -> bool:
        stream = connection.stream
        if stream.state in (StreamState.CLOSING, StreamState.CLOSED):
            gone.append(stream.token)
            return False
        return self.write(connection, frame)

    def beat(self, connection: Connection) -> bool:
        """Write a heartbeat, or see whether an ended stream's client has had time enough.

        Returns:
            Whether the next one is needed.
        """
        if connection.stream.state is StreamState.OPEN:
            self._stats.heartbeats += 1
            try:
                connection.write(connection.stream.bytes_of(wire.HEARTBEAT))
            except (ClientGone, OutboxFull) as exc:
                self.fail(connection, exc)
                return False
            return True
        if not connection.buffered:
            return False
        # Ended, and its last bytes are not read: it has one whole interval for that.
        if connection.overdue:
            self.lose(connection, Reason.ERROR)
            return False
        connection.overdue = True
        return True

    # ------------------------------------------------------------------ ending

    def close(self, connection: Connection, goodbye: bytes = b"") -> None:
        """End an open stream from our side: what was sent before still arrives.

        Args:
            connection: the stream's.
            goodbye: its last events, if any, as its body needs them.
        """
        stream = connection.stream
        stream.apply(StreamEvent.CLOSE)
        self._end(stream, Reason.SERVER_CLOSED)
        self.closing.add(connection)
        try:
            connection.finish(goodbye + stream.last_bytes)
        except ClientGone:
            self.lose(connection, Reason.ERROR)

    def refuse(self, connection: Connection) -> None:
        """Forget a stream that its backend does not want; its socket is the caller's to answer."""
        connection.stream.apply(StreamEvent.REFUSE)
        self._remove(connection.stream)
        self._stats.refused += 1

    def fail(self, connection: Connection, exc: OSError | ClientGone | OutboxFull) -> None:
        """End a stream that could not be written to. Logs: not for the hub."""
        stream = connection.stream
        if stream.state is StreamState.CONNECTING:
            return  # too much was held back; it ends once the backend has answered
        self.lose(connection, Reason.ERROR)
        if isinstance(exc, OutboxFull):
            self._stats.slow_consumers_ended += 1
            logger.warning("slow consumer ended", extra=about(stream))

    def relieve(self) -> None:
        """End the streams that hold back most, until all together fit the budget. Logs."""
        goal = self.budget.limit - self.budget.limit // _RELIEF
        holding = [each for each in self._everyone() if each.buffered or each.stream.held_bytes]
        holding.sort(key=lambda each: each.buffered + each.stream.held_bytes)
        ended = []
        while holding and self.budget.size > goal:
            connection = holding.pop()
            if connection.stream.state is StreamState.CONNECTING:
                connection.stream.drop_held()
                continue
            self.lose(connection, Reason.ERROR)
            self._stats.slow_consumers_ended += 1
            ended.append(connection.stream)
        for stream in ended:
            extra = about(stream) | {"limit": "SSE_MAX_TOTAL_BUFFER_BYTES"}
            logger.warning("slow consumer ended", extra=extra)

    def lose(self, connection: Connection, reason: Reason) -> None:
        """End a stream whose client is gone, or must go. Allowed at any time, also twice."""
        stream, was = connection.stream, connection.stream.state
        if was is not StreamState.CLOSED:
            stream.apply(StreamEvent.LOSE)
        connection.abort()
        if was is StreamState.OPEN:
            self._end(stream, reason)
        elif was is StreamState.CONNECTING:
            self._remove(stream)
        else:
            self.closing.discard(connection)

    def cut(self) -> None:
        """End whatever is left, at once."""
        for connection in self._everyone():
            self.lose(connection, Reason.ERROR)
            let_others_run_if_due()

    def _everyone(self) -> list[Connection]:
        return [*self.by_token.values(), *self.closing]

    def _end(self, stream: Stream, reason: Reason) -> None:
        """Forget an open stream: whoever sends to it now is told that its token is unknown."""
        self._remove(stream)
        self._stats.closed[reason] += 1
        self._endings.add(stream, reason)

    def _remove(self, stream: Stream) -> None:
        self._audience = None
        stream.take_held()  # nobody will get it any more
        self._admission.leave(self.by_token.pop(stream.token).limit_key)

    # ------------------------------------------------------------------ told by a socket

    def client_gone(self, connection: Connection) -> None:
        """The client hung up."""
        self.lose(connection, Reason.CLIENT_CLOSED)

    def write_failed(self, connection: Connection) -> None:
        """Bytes that had waited could not be written."""
        self.lose(connection, Reason.ERROR)

    def flushed(self, connection: Connection) -> None:
        """The last bytes of a stream are with the kernel."""
        if connection.stream.state is StreamState.CLOSING:
            connection.stream.apply(StreamEvent.FLUSHED)
            self.closing.discard(connection)


def about(stream: Stream) -> dict[str, object]:
    """What a log line says of a stream."""
    address, request = unpack_request(stream.request)
    return {"token": stream.token, "url": shorten_url(request["url"]), "address": address}
