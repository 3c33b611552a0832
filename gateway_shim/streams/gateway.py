"""The gateway: who is connected, and how events reach them.

One object, one process, one hub. Everything here runs in the hub's thread, also what another
thread has called (:mod:`gateway_shim.event_loop.loop_thread`). So a method is atomic between the
calls that let others run: asking the backend, a broadcast's turns, parking, a drain, and any log
line, whose handler may have to wait.
"""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable, Sequence

import gevent
from gevent.lock import BoundedSemaphore

from gateway_shim.errors import NotAllowedHere, UnknownToken, WriteFailed
from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread, native_ident
from gateway_shim.event_loop.turns import YIELD_EVERY, let_others_run, let_others_run_if_due
from gateway_shim.protocol import event_stream as wire
from gateway_shim.protocol.backend_start import Boot
from gateway_shim.protocol.buffer_budget import BufferBudget
from gateway_shim.protocol.event_stream import Event, Frame
from gateway_shim.protocol.http import Refusal
from gateway_shim.protocol.lifecycle import OutboxFull, StreamState
from gateway_shim.protocol.results import BroadcastResult, SendStatus
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.callbacks.backend import Backend
from gateway_shim.streams.callbacks.backend_starts import BackendStarts
from gateway_shim.streams.callbacks.disconnects import Endings
from gateway_shim.streams.config import GatewayConfig
from gateway_shim.streams.drain import Farewells, end_all, end_earlier
from gateway_shim.streams.heartbeats import Heartbeats
from gateway_shim.streams.opening.admission import Admission
from gateway_shim.streams.opening.openings import Openings
from gateway_shim.streams.refusal_counts import RefusalCounts
from gateway_shim.streams.registry import Streams
from gateway_shim.streams.stats import GatewayStats

__all__ = ["BroadcastResult", "Gateway", "SendStatus"]


def _refuse_nothing(_: StreamRequest) -> None:
    """Let every stream be asked for."""


class Gateway:
    """The streams of one process.

    Call :meth:`start` in the process that serves, before the first :meth:`open`. Any thread may
    send, broadcast, close, drain and read the counters; :meth:`open`, :meth:`start` and
    :meth:`stop` are for the thread that serves.

    Args:
        backend: who is asked for every stream, and told of its end.
        config: the settings.
        clock: monotonic seconds.
        new_token: makes a stream's token.
        loop_thread: carries out the calls of other threads; None: one of its own. This gateway
            starts and stops it.
        refusals: counts what clients are refused; None: a counter of its own.
        check: asked first about a request for a stream: what to answer instead.

    Attributes:
        proxies: whose word about a client's address is taken; gunicorn's own option wins.
        starts: told of sends to streams that know their backend's start; None: nobody is.
    """

    def __init__(
        self,
        backend: Backend,
        config: GatewayConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        new_token: Callable[[], str] = lambda: str(uuid.uuid4()),
        loop_thread: LoopThread | None = None,
        refusals: RefusalCounts | None = None,
        check: Callable[[StreamRequest], Refusal | None] = _refuse_nothing,
    ) -> None:
        self.loop_thread = loop_thread or LoopThread()
        self.refusals = refusals or RefusalCounts()
        self.backend = backend
        self.config = config
        self._check = check
        self._clock = clock
        self._stats = GatewayStats()
        self.proxies = config.proxies
        admission = Admission(
            config.max_connections, config.max_connections_per_address, self.limit_key
        )
        self._endings = Endings(backend, self._stats, config.max_connections)
        budget = BufferBudget(config.max_total_buffer_bytes)
        self._streams = Streams(admission, self._endings, self._stats, budget)
        self._heartbeats = Heartbeats(config.heartbeat_interval, self._streams.beat, clock)
        self._openings = Openings(
            backend,
            config,
            self._streams,
            admission,
            self._heartbeats,
            self._stats,
            self.refusals,
            new_token=new_token,
        )
        self.starts: BackendStarts | None = None
        self._broadcast_turn = BoundedSemaphore()
        self._broadcasts_waiting = 0
        self._greenlets: list[gevent.Greenlet[..., None]] = []

    def start(self) -> None:
        """Start the heartbeats and the disconnect callbacks, and serve other threads' calls."""
        self.loop_thread.start()
        self._greenlets = [gevent.spawn(self._heartbeats.run), gevent.spawn(self._endings.run)]
        if self.starts is not None:
            self._greenlets.append(gevent.spawn(self.starts.run, self._streams.by_token))

    def stop(self) -> None:
        """Stop what :meth:`start` started and cut whatever is left; after :meth:`drain`."""
        self.loop_thread.stop()
        gevent.killall(self._greenlets)
        self._streams.cut()

    def limit_key(self, address: str) -> str:
        """Return what limits per address count a client as; empty: it is not counted.

        Args:
            address: the client's, as in :attr:`StreamRequest.address` or WSGI's ``REMOTE_ADDR``.
        """
        return self.proxies.limit_key(address)

    @property
    def active(self) -> int:
        """The number of streams that are connecting or open."""
        return len(self._streams.by_token)

    def holds(self, token: str) -> bool:
        """Return whether the token is that of a stream that is connecting or open here."""
        return token in self._streams.by_token

    @property
    @from_any_thread
    def stats(self) -> GatewayStats:
        """The counters, brought up to date."""
        self._stats.active = len(self._streams.by_token)
        self._stats.bytes_buffered = self._streams.buffered
        self._stats.pending_connects = self._openings.pending
        return self._stats

    # ------------------------------------------------------------------ opening

    def open(self, request: StreamRequest, sock: socket.socket) -> Refusal | None:
        """Ask the backend about a stream, and open it; see :meth:`Openings.open`.

        Args:
            request: the browser's request.
            sock: its socket. Taken over if the stream opens, else still the caller's.

        Returns:
            What to answer instead of a stream; None when there is nothing left to answer, and
            the caller closes what it still has.

        Raises:
            NotAllowedHere: this is not the thread that serves, whose loop watches the sockets.
        """
        if not self.loop_thread.here:
            raise NotAllowedHere("a stream is opened in the thread of the event loop only")
        refusal = self.refuse(request)
        if refusal is not None:
            self._stats.refused += 1
            return refusal
        return self._openings.open(request, sock)

    def refuse(self, request: StreamRequest) -> Refusal | None:
        """Return what a request for a stream gets before anything else is asked; None: go on."""
        return self._check(request)

    # ------------------------------------------------------------------ sending

    def send(self, token: str, event: Event | None = None, *, close: bool = False) -> SendStatus:
        """Send to one stream: the event first, then the close. Does not wait for the client.

        From another thread the call waits for the event loop. Several such threads see their
        own sends in order.

        Args:
            token: which stream.
            event: what to write, if anything.
            close: whether the stream ends after it.

        Returns:
            BUFFERED if the stream is not open yet: it is written when it opens.

        Raises:
            UnknownToken: no stream has the token.
            WriteFailed: the stream has ended over it.
            LoopNotRunning: another thread has called, and the gateway has stopped.
        """
        # As from_any_thread does, but without its 0.3 µs for passing on whatever there is.
        if native_ident() != self.loop_thread.ident:
            return self.loop_thread.run(self._send, token, event, close)
        return self._send(token, event, close)

    def _send(self, token: str, event: Event | None, close: bool) -> SendStatus:
        connection = self._streams.by_token.get(token)
        if connection is None:
            raise UnknownToken(token)
        if self.starts is not None and connection.stream.boot is not None:
            self.starts.sent(connection.stream.boot)
        frame = None if event is None else self._encode(event)
        if connection.stream.state is StreamState.CONNECTING:
            try:
                connection.stream.hold(frame, close=close)
            except OutboxFull:
                raise WriteFailed(token) from None
            if self._streams.budget.exceeded:
                self._streams.relieve()
            return SendStatus.BUFFERED
        if frame is not None and not self._streams.write(connection, frame):
            raise WriteFailed(token)
        if close:
            self._streams.close(connection)
        return SendStatus.OK

    @from_any_thread
    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Send one event to many streams: encoded once, the same bytes to all.

        Broadcasts take turns, so that all streams see them in the same order; each yields to
        others on the way. May block therefore, and must be called from a greenlet, or from
        another thread.
        """
        frame = self._encode(event)
        delivered = 0
        self._take_broadcast_turn()
        try:
            audience = self._streams.audience(tokens)
            unknown, connections = list(audience.unknown), audience.connections
            for start in range(0, len(connections), YIELD_EVERY):
                if start:
                    let_others_run_if_due()
                batch = connections[start : start + YIELD_EVERY]
                delivered += self._streams.write_all(batch, frame, unknown)
        finally:
            self._broadcast_turn.release()
        self._stats.broadcasts += 1
        return BroadcastResult(delivered, tuple(unknown))

    def _take_broadcast_turn(self) -> None:
        """Wait for the turn, behind those who wait already.

        The semaphore alone gives it to whoever comes first after its release, and that is the one
        who has just had it: a task that reports without pause would keep it.
        """
        # Before the turn is taken, not after: whoever has it makes all others wait.
        let_others_run_if_due()
        if self._broadcasts_waiting:
            let_others_run()
        self._broadcasts_waiting += 1
        try:
            self._broadcast_turn.acquire()
        finally:
            self._broadcasts_waiting -= 1

    def close(self, token: str) -> None:
        """End a stream from our side, cleanly.

        Raises:
            UnknownToken: no stream has the token.
        """
        self.send(token, close=True)

    def _encode(self, event: Event) -> Frame:
        return wire.frame(wire.encode(event, self.config.dialect))

    # ------------------------------------------------------------------ draining

    def end_earlier(self, boot: Boot) -> None:
        """End the streams that earlier starts of the backend have accepted. Does not wait."""
        gevent.spawn(end_earlier, self._streams, boot)

    @from_any_thread
    def drain(self, farewell: Event | None, seconds: float) -> None:
        """End every stream cleanly, and tell the backend; new ones are refused from now on.

        Args:
            farewell: the last event of every stream, with a ``retry:`` inside; streams that are
                asked for later get it alone. None: streams just end, later ones get a 503.
            seconds: how long clients and backend may take; what is left then is cut.
        """
        deadline = self._clock() + seconds
        farewells = None
        if farewell is not None:
            event, streams = wire.encode(farewell, self.config.dialect), self._streams.by_token
            farewells = Farewells(event, len(streams), self.config.drain_retry_seconds)
        self._openings.close(farewells)
        end_all(self._streams, farewells, deadline, self._clock)
        self._endings.flush(max(deadline - self._clock(), 0))
