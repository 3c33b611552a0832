"""Opens streams: checks the limits, asks the backend, and writes the first bytes or a refusal.

The backend is asked before anything is written. While it is asked, events for the stream are held
back, because the stream is not open yet.

Runs in the hub's thread. Other greenlets run while the backend is asked, while a connection is
parked, and at each log line, whose handler may have to wait.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

from gateway_shim.errors import ClientGone, OutboxFull
from gateway_shim.log_lines.frequent_line import FrequentLine
from gateway_shim.protocol import callbacks, event_stream, stream_request
from gateway_shim.protocol.callbacks import Action, CallbackAnswer, CallbackFailure, Reason
from gateway_shim.protocol.event_stream import Dialect
from gateway_shim.protocol.first_event import FirstEvent
from gateway_shim.protocol.http import Refusal
from gateway_shim.protocol.lifecycle import OVER_STATES, StreamEvent, StreamState
from gateway_shim.protocol.results import OpenResult
from gateway_shim.protocol.stream import AfterAccept, Stream
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.callbacks.backend import Backend
from gateway_shim.streams.config import GatewayConfig
from gateway_shim.streams.connection import Connection
from gateway_shim.streams.drain import Farewells
from gateway_shim.streams.heartbeats import Heartbeats
from gateway_shim.streams.opening.admission import Admission
from gateway_shim.streams.opening.pending_connects import PendingConnects
from gateway_shim.streams.opening.short_stream import answer_in_stream
from gateway_shim.streams.opening.stream_head import stream_head
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason
from gateway_shim.streams.registry import Streams
from gateway_shim.streams.replay.resumption import Resumption
from gateway_shim.streams.replay.start import Start
from gateway_shim.streams.sending.tally import tally_of
from gateway_shim.streams.stats import GatewayStats

__all__ = ["Openings"]

logger = logging.getLogger(__name__)

_OPENED = FrequentLine(logger, "stream opened")
_ABANDONED = FrequentLine(logger, "stream abandoned")
_REFUSED = FrequentLine(logger, "stream refused")
_REFUSED_BY_LIMIT = FrequentLine(logger, "stream refused by a limit", logging.WARNING)


class Openings:
    """Opens the streams of one gateway, until :meth:`close`.

    Args:
        backend: decides whether a stream may open.
        config: the gateway's settings.
        streams: the gateway's streams.
        admission: the limits on streams.
        heartbeats: write the heartbeats of every stream that opens.
        stats: counts opened and refused streams.
        refusals: counts the streams that a limit has refused, by reason.
        new_token: makes a stream's token.

    Attributes:
        resumption: starts streams at a place in the log; None: there is no log.
    """

    def __init__(
        self,
        backend: Backend,
        config: GatewayConfig,
        streams: Streams,
        admission: Admission,
        heartbeats: Heartbeats,
        stats: GatewayStats,
        refusals: RefusalCounts,
        *,
        new_token: Callable[[], str],
    ) -> None:
        self._backend = backend
        self._config = config
        self._streams = streams
        self._admission = admission
        self._heartbeats = heartbeats
        self._stats = stats
        self._refusals = refusals
        self._new_token = new_token
        # The connects that wait for the backend's answer.
        self._pending = PendingConnects(config.max_pending_connects, admission.limit_key)
        # Adds retry: to the first event of each stream; None: nothing is added.
        self._first_event = None if config.retry_ms is None else FirstEvent(config.retry_ms)
        # Set by close(): the streams of later requests get one of these events alone.
        self._farewells: Farewells | None = None
        self.resumption: Resumption | None = None

    @property
    def pending(self) -> int:
        """The number of connects that wait for the backend's answer."""
        return self._pending.count

    def close(self, farewells: Farewells | None) -> None:
        """Refuse all later requests.

        Args:
            farewells: a later request gets a stream with one of these events alone; None: it gets
                a 503.
        """
        self._admission.close()
        self._farewells = farewells

    def open(self, request: StreamRequest, sock: socket.socket) -> Refusal | OpenResult:
        """Ask the backend about a stream, and open it. Blocks until the backend has answered.

        Over TLS it blocks until the stream has ended.

        Args:
            request: the browser's request.
            sock: the browser's socket. It is taken over if bytes of a stream are written, and is
                still the caller's otherwise.

        Returns:
            A refusal that the caller has to send, or the result if there is no answer to send. The
            caller then closes its side of the connection.
        """
        # First, because it may wait for the turn, and a registered client may leave meanwhile.
        start = None if self.resumption is None else self.resumption.start_of(request)
        refusal = self._check_limits(request)
        if refusal is not None:
            if self._farewells is None:
                return refusal
            # Most browsers do not reconnect after a 503, but reconnect after the end of a stream.
            connection = self._connect(request, sock)
            connection.stream.apply(StreamEvent.REJECT)
            head, farewell = self._head(request), self._farewells.draw()
            answer_in_stream(connection, sock, head, farewell, self._heartbeats)
            connection.park()
            return OpenResult.DRAINING
        connection = self._connect(request, sock)
        stream = connection.stream
        # Before the callback, because the backend may send to the token from inside the callback.
        self._streams.add(connection, request.address)
        answer = self._ask(connection, request)
        if stream.state in OVER_STATES:  # the client has left meanwhile
            _ABANDONED.write(lambda: _log_fields(stream, request))
            return OpenResult.ABANDONED
        refusal = callbacks.refusal(answer, self._config.dialect)
        if refusal is not None:
            return self._refuse(connection, sock, request, answer, refusal)
        if isinstance(answer, CallbackAnswer):
            stream.boot, stream.audiences = answer.boot, answer.audiences
        self._accept(connection, sock, self._head(request), start)
        # Log lines come last, here and below: a handler may let other greenlets run.
        _OPENED.write(lambda: _log_fields(stream, request))
        connection.park()
        return OpenResult.OPENED

    # ------------------------------------------------------------------ private

    def _check_limits(self, request: StreamRequest) -> Refusal | None:
        refusal = self._admission.refuse(len(self._streams.by_token), request.address)
        reason = RefusalReason.STREAM_LIMIT
        if refusal is None:
            refusal = self._pending.refuse(request.address)
            reason = RefusalReason.PENDING_CONNECTS
        if refusal is None:
            return None
        self._stats.refused += 1
        if not self._admission.closed:
            self._refusals.add(reason)
        status = refusal.status
        _REFUSED_BY_LIMIT.write(
            lambda: {
                "url": stream_request.shorten_url(request.url),
                "address": request.address,
                "answer": status,
            }
        )
        return refusal

    def _connect(self, request: StreamRequest, sock: socket.socket) -> Connection:
        stream = Stream(
            self._new_token(),
            stream_request.pack_request(request, keep_headers=self._config.keep_headers),
            framing=request.framing,
            limit=self._config.max_buffer_bytes,
            budget=self._streams.budget,
            first_event=self._first_event,
        )
        return Connection(stream, sock, self._streams)

    def _ask(
        self, connection: Connection, request: StreamRequest
    ) -> CallbackAnswer | CallbackFailure:
        stream = connection.stream
        self._pending.enter(stream.limit_key)
        try:
            return self._backend.connect(
                callbacks.payload(
                    Action.CONNECT, stream.token, {"url": request.url, "headers": request.headers}
                )
            )
        except BaseException:  # the caller's greenlet was killed: the caller closes the socket next
            self._streams.lose(connection, Reason.ERROR)
            raise
        finally:
            self._pending.leave(stream.limit_key)

    def _accept(
        self, connection: Connection, sock: socket.socket, head: bytes, start: Start | None
    ) -> None:
        """Open a stream: write its head, what it has missed, and all that was held back."""
        stream = connection.stream
        next_step = stream.accept()
        connection.take_over(sock)
        self._stats.opened += 1
        if next_step is AfterAccept.FAIL:
            self._streams.fail(connection, OutboxFull())
            return
        then = stream.take_held()
        if self._config.dialect is Dialect.ENVELOPE and next_step is AfterAccept.STAY_OPEN:
            then.append(stream.event_bytes(event_stream.READY))
        stream.sent = tally_of(then) - self._streams.totals.value
        self._heartbeats.add(connection)
        self._streams.audiences.join(connection)
        try:
            if self.resumption is None or start is None:
                connection.open(head + b"".join(then))
            else:
                self.resumption.open(connection, start, head, then)
        except (ClientGone, OutboxFull) as exc:
            self._streams.fail(connection, exc)
            return
        if self._streams.budget.exceeded:
            self._streams.relieve()
        if next_step is AfterAccept.CLOSE and stream.state is StreamState.OPEN:
            self._streams.close(connection)

    def _refuse(
        self,
        connection: Connection,
        sock: socket.socket,
        request: StreamRequest,
        answer: CallbackAnswer | CallbackFailure,
        refusal: Refusal,
    ) -> Refusal | OpenResult:
        if refusal.in_stream is None:
            self._streams.refuse(connection, StreamEvent.REFUSE)
        else:
            self._streams.refuse(connection, StreamEvent.REJECT)
            head = self._head(request)
            answer_in_stream(connection, sock, head, refusal.in_stream, self._heartbeats)
        shown_answer = answer.status if isinstance(answer, CallbackAnswer) else answer.name.lower()
        stream = connection.stream
        _REFUSED.write(lambda: _log_fields(stream, request) | {"answer": shown_answer})
        if refusal.in_stream is None:
            return refusal
        connection.park()
        return OpenResult.REJECTED

    def _head(self, request: StreamRequest) -> bytes:
        return stream_head(request.headers, self._config, request.framing)


def _log_fields(stream: Stream, request: StreamRequest) -> dict[str, object]:
    url = stream_request.shorten_url(request.url)
    return {"token": stream.token, "url": url, "address": request.address}
