"""Opening streams: the limits, the backend's answer, and the first bytes or a refusal.

Runs in the hub's thread. Others run while the backend is asked, while a connection is parked, and
at any log line, whose handler may have to wait.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

from gateway_shim.errors import ClientGone
from gateway_shim.protocol import callbacks, stream_request
from gateway_shim.protocol import event_stream as wire
from gateway_shim.protocol.callbacks import Action, CallbackAnswer, CallbackFailure, Reason
from gateway_shim.protocol.event_stream import Dialect
from gateway_shim.protocol.first_event import FirstEvent
from gateway_shim.protocol.http import Refusal
from gateway_shim.protocol.lifecycle import OutboxFull, Stream, StreamEvent, StreamState
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
from gateway_shim.streams.registry import Streams, about
from gateway_shim.streams.stats import GatewayStats

__all__ = ["Openings"]

logger = logging.getLogger(__name__)


class Openings:
    """Opens the streams of one gateway, until :meth:`close`.

    Args:
        backend: answers whether a stream may open.
        config: the gateway's settings.
        streams: the gateway's streams.
        admission: the limits.
        heartbeats: beat for every stream that opens.
        stats: where opened and refused streams are counted.
        refusals: counts them.
        new_token: makes a stream's token.
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
        self._pending = PendingConnects(config.max_pending_connects, admission.limit_key)
        self._refusals = refusals
        self._new_token = new_token
        self._first_event = None if config.retry_ms is None else FirstEvent(config.retry_ms)
        self._farewells: Farewells | None = None

    @property
    def pending(self) -> int:
        """The number of connects that wait for the backend's answer."""
        return self._pending.count

    def close(self, farewells: Farewells | None) -> None:
        """Refuse every stream from now on.

        Args:
            farewells: streams that are asked for get one of these alone; None: they get a 503.
        """
        self._admission.close()
        self._farewells = farewells

    def open(self, request: StreamRequest, sock: socket.socket) -> Refusal | None:
        """Ask the backend about a stream, and open it. Blocks until the backend has answered.

        Args:
            request: the browser's request.
            sock: its socket. Taken over if the stream opens, else still the caller's.

        Returns:
            What to answer instead of a stream; None when there is nothing left to answer, and
            the caller closes what it still has.
        """
        refusal = self._admission.refuse(len(self._streams.by_token), request.address)
        reason = RefusalReason.STREAM_LIMIT
        if refusal is None:
            refusal = self._pending.refuse(request.address)
            reason = RefusalReason.PENDING_CONNECTS
        if refusal is not None:
            self._stats.refused += 1
            if not self._admission.closed:
                self._refusals.add(reason)
            url = stream_request.shorten_url(request.url)
            extra = {"url": url, "address": request.address, "answer": refusal.status}
            logger.warning("stream refused by a limit", extra=extra)
            if self._farewells is None:
                return refusal
            # Most EventSources never come back after a 503, but they do after a stream's end.
            connection = self._connection(request, sock)
            connection.stream.apply(StreamEvent.REFUSE)
            head, farewell = self._head(request), self._farewells.draw()
            answer_in_stream(connection, sock, head, farewell, self._heartbeats)
            connection.park()
            return None
        connection = self._connection(request, sock)
        stream = connection.stream
        # Before the callback: the backend may send to the token from inside it.
        self._streams.add(connection, request.address)
        self._pending.enter(connection.limit_key)
        try:
            answer = self._backend.connect(
                callbacks.payload(
                    Action.CONNECT, stream.token, {"url": request.url, "headers": request.headers}
                )
            )
        except BaseException:  # the caller's greenlet was killed: it closes the socket next
            self._streams.lose(connection, Reason.ERROR)
            raise
        finally:
            self._pending.leave(connection.limit_key)
        if stream.state is StreamState.CLOSED:  # the client left meanwhile: nobody is told
            logger.info("stream abandoned", extra=about(stream))
            return None
        refusal = callbacks.refusal(answer, self._config.dialect)
        if refusal is not None:
            return self._refuse(connection, sock, request, answer, refusal)
        stream.boot = answer.boot if isinstance(answer, CallbackAnswer) else None
        connection.take_over(sock)
        self._accept(connection, self._head(request))
        # Logged when all is done, here and below: a handler may let other greenlets run.
        logger.info("stream opened", extra=about(stream))
        connection.park()
        return None

    def _connection(self, request: StreamRequest, sock: socket.socket) -> Connection:
        stream = Stream(
            self._new_token(),
            stream_request.pack_request(request, keep_headers=self._config.keep_headers),
            chunked=not request.http_1_0,
            limit=self._config.max_buffer_bytes,
            budget=self._streams.budget,
            first_event=self._first_event,
        )
        return Connection(stream, sock, self._streams)

    def _head(self, request: StreamRequest) -> bytes:
        return stream_head(request, self._config.cors)

    def _accept(self, connection: Connection, head: bytes) -> None:
        """Open a stream: its head and all that was held back, in one write."""
        stream = connection.stream
        stream.apply(StreamEvent.ACCEPT)
        self._stats.opened += 1
        if stream.overflowed:
            self._streams.fail(connection, OutboxFull())
            return
        first = [head, *stream.take_held()]
        if self._config.dialect is Dialect.ENVELOPE and not stream.close_held:
            first.append(stream.event_bytes(wire.READY))
        self._heartbeats.add(connection)
        try:
            connection.open(b"".join(first))
        except (ClientGone, OutboxFull) as exc:
            self._streams.fail(connection, exc)
            return
        if self._streams.budget.exceeded:
            self._streams.relieve()
        if stream.close_held and stream.state is StreamState.OPEN:
            self._streams.close(connection)

    def _refuse(
        self,
        connection: Connection,
        sock: socket.socket,
        request: StreamRequest,
        answer: CallbackAnswer | CallbackFailure,
        refusal: Refusal,
    ) -> Refusal | None:
        stream = connection.stream
        self._streams.refuse(connection)
        if refusal.in_stream is None:
            connection.give_back()
        else:
            head = self._head(request)
            answer_in_stream(connection, sock, head, refusal.in_stream, self._heartbeats)
        said = answer.status if isinstance(answer, CallbackAnswer) else answer.name.lower()
        logger.info("stream refused", extra=about(stream) | {"answer": said})
        if refusal.in_stream is None:
            return refusal
        connection.park()
        return None
