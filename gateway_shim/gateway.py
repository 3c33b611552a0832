"""The gateway: who is connected, and how events reach them.

One object, one process, one hub. Everything here runs in the hub's thread, so a method is
atomic between its blocking calls, of which there are two: asking the backend, and a broadcast's
yields.
"""

from __future__ import annotations

import logging
import random
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from enum import StrEnum

import gevent
from gevent.lock import BoundedSemaphore

from gateway_shim import callbacks, contract, stream_request, wire
from gateway_shim.admission import Admission
from gateway_shim.backend import Backend
from gateway_shim.callbacks import Action, CallbackAnswer, CallbackFailure, Reason
from gateway_shim.config import GatewayConfig
from gateway_shim.contract import Refusal
from gateway_shim.endings import Endings
from gateway_shim.errors import UnknownToken, WriteFailed
from gateway_shim.heartbeats import Heartbeats
from gateway_shim.sockets import ClientGone, Connection
from gateway_shim.stats import GatewayStats
from gateway_shim.stream import OutboxFull, Stream, StreamEvent, StreamState
from gateway_shim.stream_request import StreamRequest
from gateway_shim.turns import let_others_run
from gateway_shim.wire import Dialect, Event, Frame

__all__ = ["BroadcastResult", "Gateway", "SendStatus"]

logger = logging.getLogger(__name__)

_YIELD_EVERY = 256
"""Streams written to before others may run: about 2.5 ms of work."""

_DRAIN_POLL_SECONDS = 0.02
_RETRY_VARIANTS = 64


class SendStatus(StrEnum):
    """What became of a send; the contract's words."""

    OK = "ok"
    BUFFERED = "buffered"


@dataclass(frozen=True, slots=True)
class BroadcastResult:
    """What became of a broadcast.

    Args:
        delivered: how many streams took it.
        unknown: the tokens that no stream has (any more).
    """

    delivered: int
    unknown: tuple[str, ...]


class Gateway:
    """The streams of one process.

    Call :meth:`start` in the process that serves, before the first :meth:`open`.

    Args:
        backend: who is asked for every stream, and told of its end.
        config: the settings.
        clock: monotonic seconds.
        new_token: makes a stream's token.
    """

    def __init__(
        self,
        backend: Backend,
        config: GatewayConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        new_token: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self.backend = backend
        self.config = config
        self._clock = clock
        self._new_token = new_token
        self._stats = GatewayStats()
        self._streams: dict[str, Connection] = {}
        self._closing: set[Connection] = set()
        self._admission = Admission(config.max_connections, config.max_connections_per_address)
        self._heartbeats = Heartbeats(config.heartbeat_interval, self._beat, clock)
        self._endings = Endings(backend, self._stats)
        self._broadcast_turn = BoundedSemaphore()
        self._greenlets: list[gevent.Greenlet[[], None]] = []

    def start(self) -> None:
        """Start the heartbeats and the disconnect callbacks."""
        self._greenlets = [gevent.spawn(self._heartbeats.run), gevent.spawn(self._endings.run)]

    def stop(self) -> None:
        """Stop what :meth:`start` started and cut whatever is left; after :meth:`drain`."""
        gevent.killall(self._greenlets)
        for connection in [*self._streams.values(), *self._closing]:
            self._lose(connection, Reason.ERROR)

    @property
    def stats(self) -> GatewayStats:
        """The counters, brought up to date."""
        self._stats.active = len(self._streams)
        self._stats.bytes_buffered = sum(
            connection.buffered for connection in [*self._streams.values(), *self._closing]
        )
        return self._stats

    # ------------------------------------------------------------------ opening

    def open(self, request: StreamRequest, sock: socket.socket) -> Refusal | None:
        """Ask the backend about a stream, and open it. Blocks until the backend has answered.

        Args:
            request: the browser's request.
            sock: its socket. Taken over if the stream opens, else still the caller's.

        Returns:
            What to answer instead of a stream; None when there is nothing left to answer, and
            the caller closes what it still has.
        """
        refusal = self._admission.refuse(len(self._streams), request.address)
        if refusal is not None:
            self._stats.refused += 1
            return refusal
        stream = Stream(
            self._new_token(),
            stream_request.pack_request(request),
            chunked=not request.http_1_0,
            limit=self.config.max_buffer_bytes,
        )
        connection = Connection(stream, sock, self)
        # Registered before the callback: the backend may send to the token from inside it.
        self._streams[stream.token] = connection
        self._admission.enter(request.address)
        try:
            answer = self.backend.connect(
                callbacks.payload(
                    Action.CONNECT, stream.token, {"url": request.url, "headers": request.headers}
                )
            )
        except BaseException:  # the caller's greenlet was killed: it closes the socket next
            self._lose(connection, Reason.ERROR)
            raise
        if stream.state is StreamState.CLOSED:  # the client left meanwhile: nobody is told
            return None
        refusal = callbacks.refusal(answer, self.config.dialect)
        if refusal is not None:
            return self._refuse(connection, sock, request, answer, refusal)
        connection.take_over(sock)
        self._accept(connection, self.stream_head(request))
        # Logged when all is done, here and below: a handler may let other greenlets run.
        logger.info("stream opened", extra=_about(stream))
        connection.park()
        return None

    def stream_head(self, request: StreamRequest) -> bytes:
        """Status line and headers of a stream's answer.

        HTTP/1.1 in the status line also for an HTTP/1.0 client (RFC 9110, section 2.5), whose
        body then ends with the connection.
        """
        headers = [
            ("Date", formatdate(usegmt=True)),
            *contract.STREAM_HEADERS,
            *self.config.cors.headers(request.headers),
        ]
        if not request.http_1_0:
            headers.append(("Transfer-Encoding", "chunked"))
        return contract.head(200, headers)

    def _accept(self, connection: Connection, head: bytes) -> None:
        """Open a stream: its head and all that was held back, in one write."""
        stream = connection.stream
        stream.apply(StreamEvent.ACCEPT)
        self._stats.opened += 1
        if stream.overflowed:
            self._fail(connection, OutboxFull())
            return
        first = [head, *stream.take_held()]
        if self.config.dialect is Dialect.ENVELOPE and not stream.close_held:
            first.append(stream.bytes_of(wire.READY))
        self._heartbeats.add(connection)
        try:
            connection.write(b"".join(first))
        except (ClientGone, OutboxFull) as exc:
            self._fail(connection, exc)
            return
        if stream.close_held:
            self._close(connection)

    def _refuse(
        self,
        connection: Connection,
        sock: socket.socket,
        request: StreamRequest,
        answer: CallbackAnswer | CallbackFailure,
        refusal: Refusal,
    ) -> Refusal | None:
        stream = connection.stream
        stream.apply(StreamEvent.REFUSE)
        self._remove(stream)
        self._stats.refused += 1
        if refusal.in_stream is None:
            connection.give_back()
        else:
            connection.take_over(sock)
            self._heartbeats.add(connection)  # for the time limit that they are
            frame = stream.bytes_of(refusal.in_stream)
            try:
                connection.finish(self.stream_head(request) + frame + _last_bytes(stream))
            except ClientGone:
                connection.abort()
        logger.info("stream refused", extra=_about(stream) | {"answer": _said(answer)})
        if refusal.in_stream is None:
            return refusal
        connection.park()
        return None

    # ------------------------------------------------------------------ sending

    def send(self, token: str, event: Event | None = None, *, close: bool = False) -> SendStatus:
        """Send to one stream: the event first, then the close. Never blocks.

        Args:
            token: which stream.
            event: what to write, if anything.
            close: whether the stream ends after it.

        Returns:
            BUFFERED if the stream is not open yet: it is written when it opens.

        Raises:
            UnknownToken: no stream has the token.
            WriteFailed: the stream has ended over it.
        """
        connection = self._streams.get(token)
        if connection is None:
            raise UnknownToken(token)
        frame = None if event is None else self._encode(event)
        if connection.stream.state is StreamState.CONNECTING:
            try:
                connection.stream.hold(frame, close=close)
            except OutboxFull:
                raise WriteFailed(token) from None
            return SendStatus.BUFFERED
        if frame is not None and not self._write(connection, frame):
            raise WriteFailed(token)
        if close:
            self._close(connection)
        return SendStatus.OK

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Send one event to many streams: encoded once, the same bytes to all.

        Broadcasts take turns, so that all streams see them in the same order; each yields to
        others on the way. May block therefore, and must be called from a greenlet.
        """
        frame = self._encode(event)
        streams, chunked, bare = self._streams, frame.chunked, frame.bare
        connecting = StreamState.CONNECTING  # looking up an enum's member costs as much as a call
        delivered = 0
        unknown = []
        with self._broadcast_turn:
            for count, token in enumerate(tokens, 1):
                connection = streams.get(token)
                if connection is None:
                    unknown.append(token)
                else:
                    # _write spelled out: two calls less for each stream, 2 % of a delivery.
                    stream = connection.stream
                    try:
                        if stream.state is connecting:
                            stream.hold(frame, close=False)
                        else:
                            connection.write(chunked if stream.chunked else bare)
                        delivered += 1
                    except (ClientGone, OutboxFull) as exc:
                        self._fail(connection, exc)
                if count % _YIELD_EVERY == 0:
                    let_others_run()
        self._stats.broadcasts += 1
        return BroadcastResult(delivered, tuple(unknown))

    def close(self, token: str) -> None:
        """End a stream from our side, cleanly.

        Raises:
            UnknownToken: no stream has the token.
        """
        self.send(token, close=True)

    def _encode(self, event: Event) -> Frame:
        return wire.frame(wire.encode(event, self.config.dialect))

    def _write(self, connection: Connection, frame: Frame) -> bool:
        """Write to one stream, or keep it for when it opens; False if the stream had to end."""
        try:
            if connection.stream.state is StreamState.CONNECTING:
                connection.stream.hold(frame, close=False)
            else:
                connection.send(frame)
        except (ClientGone, OutboxFull) as exc:
            self._fail(connection, exc)
            return False
        return True

    def _beat(self, connection: Connection) -> bool:
        state = connection.stream.state
        if state is StreamState.OPEN:
            self._stats.heartbeats += 1
            return self._write(connection, wire.HEARTBEAT)
        if not connection.buffered:
            return False
        # Ended, and its last bytes are not read: it has one whole interval for that.
        if connection.overdue:
            self._lose(connection, Reason.ERROR)
            return False
        connection.overdue = True
        return True

    # ------------------------------------------------------------------ ending

    def _close(self, connection: Connection, goodbye: bytes = b"") -> None:
        stream = connection.stream
        stream.apply(StreamEvent.CLOSE)
        self._end(stream, Reason.SERVER_CLOSED)
        self._closing.add(connection)
        try:
            connection.finish(goodbye + _last_bytes(stream))
        except ClientGone:
            self._lose(connection, Reason.ERROR)

    def _fail(self, connection: Connection, exc: ClientGone | OutboxFull) -> None:
        """End a stream that could not be written to."""
        stream = connection.stream
        if stream.state is StreamState.CONNECTING:
            return  # too much was held back; it ends once the backend has answered
        self._lose(connection, Reason.ERROR)
        if isinstance(exc, OutboxFull):
            self._stats.slow_consumers_ended += 1
            logger.warning("slow consumer ended", extra=_about(stream))

    def _lose(self, connection: Connection, reason: Reason) -> None:
        """End a stream whose client is gone, or must go."""
        stream = connection.stream
        was = stream.state
        if was is not StreamState.CLOSED:
            stream.apply(StreamEvent.LOSE)
        connection.abort()
        if was is StreamState.OPEN:
            self._end(stream, reason)
        elif was is StreamState.CONNECTING:
            self._remove(stream)
        else:
            self._closing.discard(connection)

    def _end(self, stream: Stream, reason: Reason) -> None:
        """Forget an open stream: whoever sends to it now is told that its token is unknown."""
        self._remove(stream)
        self._stats.closed[reason] += 1
        self._endings.add(stream, reason)

    def _remove(self, stream: Stream) -> None:
        del self._streams[stream.token]
        if self.config.max_connections_per_address is not None:  # else nobody asks who it was
            self._admission.leave(stream_request.unpack_request(stream.request)[0])

    def client_gone(self, connection: Connection) -> None:
        """Told by the socket: the client hung up."""
        self._lose(connection, Reason.CLIENT_CLOSED)

    def write_failed(self, connection: Connection) -> None:
        """Told by the socket: bytes that had waited could not be written."""
        self._lose(connection, Reason.ERROR)

    def flushed(self, connection: Connection) -> None:
        """Told by the socket: the last bytes of a stream are with the kernel."""
        if connection.stream.state is StreamState.CLOSING:
            connection.stream.apply(StreamEvent.FLUSHED)
            self._closing.discard(connection)

    # ------------------------------------------------------------------ draining

    def drain(self, farewell: Event | None, seconds: float) -> None:
        """End every stream cleanly, and tell the backend; new ones are refused from now on.

        Each stream gets its own ``retry:``, so that its browsers do not all come back in the
        same instant.

        Args:
            farewell: the last event of every stream.
            seconds: how long clients and backend may take; what is left then is cut.
        """
        deadline = self._clock() + seconds
        self._admission.close()
        last = b"" if farewell is None else wire.encode(farewell, self.config.dialect)
        goodbyes = [wire.frame(wire.retry(wait) + last) for wait in self._retry_waits()]
        for count, connection in enumerate(list(self._streams.values()), 1):
            self._say_goodbye(connection, random.choice(goodbyes))  # noqa: S311 - only to spread
            if count % _YIELD_EVERY == 0:
                let_others_run()
        while (self._streams or self._closing) and self._clock() < deadline:
            gevent.sleep(_DRAIN_POLL_SECONDS)
        for connection in [*self._streams.values(), *self._closing]:
            self._lose(connection, Reason.ERROR)
        self._endings.flush(max(deadline - self._clock(), 0))

    def _retry_waits(self) -> list[int]:
        """Pauses from one second up to the configured spread, milliseconds."""
        step = self.config.drain_retry_seconds * 1000 / _RETRY_VARIANTS
        return [1000 + round(step * index) for index in range(_RETRY_VARIANTS)]

    def _say_goodbye(self, connection: Connection, goodbye: Frame) -> None:
        stream = connection.stream
        if stream.state is StreamState.OPEN:
            self._close(connection, stream.bytes_of(goodbye))
        elif stream.state is StreamState.CONNECTING:
            try:
                stream.hold(goodbye, close=True)
            except OutboxFull as exc:
                self._fail(connection, exc)


def _last_bytes(stream: Stream) -> bytes:
    return wire.LAST_CHUNK if stream.chunked else b""


def _about(stream: Stream) -> dict[str, object]:
    """What a log line says of a stream."""
    address, request = stream_request.unpack_request(stream.request)
    return {"token": stream.token, "url": request["url"], "address": address}


def _said(answer: CallbackAnswer | CallbackFailure) -> int | str:
    return answer.status if isinstance(answer, CallbackAnswer) else answer.name.lower()
