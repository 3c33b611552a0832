"""The gateway: opens streams, sends and broadcasts events to them, and ends them.

The theory of operation is in :mod:`gateway_shim.streams`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence

import gevent

from gateway_shim.errors import NotAllowedHere
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.log import Log
from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread, native_ident
from gateway_shim.protocol import event_stream
from gateway_shim.protocol.backend_start import Boot
from gateway_shim.protocol.buffer_budget import BufferBudget
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.http import Refusal
from gateway_shim.protocol.results import BroadcastResult, OpenResult, Published, SendStatus
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.broadcasts import Broadcasts
from gateway_shim.streams.callbacks.backend import Backend
from gateway_shim.streams.callbacks.backend_starts import BackendStarts
from gateway_shim.streams.callbacks.disconnects import Disconnects
from gateway_shim.streams.config import GatewayConfig
from gateway_shim.streams.drain import Farewells, end_all, end_earlier
from gateway_shim.streams.heartbeats import Heartbeats
from gateway_shim.streams.opening.admission import Admission
from gateway_shim.streams.opening.limits_per_address import LimitKeys
from gateway_shim.streams.opening.new_token import new_token
from gateway_shim.streams.opening.openings import Openings
from gateway_shim.streams.peers.peers import Peers
from gateway_shim.streams.reading.counters import read_counters
from gateway_shim.streams.reading.listing import StreamInfo, list_streams
from gateway_shim.streams.refusal_counts import RefusalCounts
from gateway_shim.streams.registry import Streams
from gateway_shim.streams.replay.following import Following
from gateway_shim.streams.sending.broadcast_turn import BroadcastTurn
from gateway_shim.streams.sending.encoded_events import EncodedEvents
from gateway_shim.streams.sending.send_to_token import send_to_token
from gateway_shim.streams.stats import GatewayStats

__all__ = ["BroadcastResult", "Gateway", "OpenResult", "SendStatus"]


class Gateway:
    """The streams of one process.

    Call :meth:`start` in the process that serves, before the first :meth:`open`. Any thread may
    send, broadcast, close, drain and read the counters; :meth:`open`, :meth:`start` and
    :meth:`stop` are for the thread that serves.

    Args:
        backend: asked about every stream, and told of its end.
        config: the settings.
        clock: monotonic seconds.
        new_token: makes a stream's token.
        loop_thread: carries out the calls of other threads; None: a new one. The gateway starts
            and stops it.
        refusals: counts the requests that are refused; None: a new counter.
        check: called first for each request for a stream; returns the refusal to answer, or None.
        open_log: opens the log of this server's events, called by :meth:`start`; None: no log, so
            events have no ids, and a browser misses what is sent while it is away.

    Attributes:
        proxies: the proxies that may name their client's address; gunicorn's option replaces them.
        starts: notes sends, for a backend that names its starts; None: the backend has no starts.
        admission: the limits on streams; the worker tells it what other workers have.
        peers: the other processes that share the log.
    """

    def __init__(
        self,
        backend: Backend,
        config: GatewayConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        new_token: Callable[[], str] = new_token,
        loop_thread: LoopThread | None = None,
        refusals: RefusalCounts | None = None,
        check: Callable[[StreamRequest], Refusal | None] = lambda _: None,
        open_log: Callable[[], Log] | None = None,
    ) -> None:
        self.loop_thread = loop_thread or LoopThread()
        self.refusals = refusals or RefusalCounts()
        self.backend = backend
        self.config = config
        self.proxies = config.proxies
        self._limit_keys = LimitKeys()
        self.starts: BackendStarts | None = None
        self.peers = Peers()
        self._check = check
        self._open_log = open_log
        self._following: Following | None = None
        self._clock = clock
        self._stats = GatewayStats()
        self._encode = EncodedEvents(config.dialect)
        self._disconnects = Disconnects(backend, self._stats, config.max_connections)
        self.admission = admission = Admission(
            config.max_connections, config.max_connections_per_address, self.limit_key
        )
        budget = BufferBudget(config.max_total_buffer_bytes)
        # The streams that are connecting, open or writing their last bytes.
        self._streams = Streams(admission, self._disconnects, self._stats, budget)
        self._turn = BroadcastTurn()
        self._broadcasts = Broadcasts(self._streams, self._turn)
        turn = None if open_log is None else self._turn
        self._heartbeats = Heartbeats(config.heartbeat_interval, self._streams.beat, clock, turn)
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
        self._greenlets: list[gevent.Greenlet[..., None]] = []

    def start(self) -> None:
        """Open the log, start all background work, and serve other threads' calls."""
        self.loop_thread.start()
        self._greenlets = [gevent.spawn(self._heartbeats.run), gevent.spawn(self._disconnects.run)]
        if self._open_log is not None:
            parts = self._open_log(), self._streams, self._turn, self._stats
            self._following = Following(*parts, self.config.dialect, self.peers)
            self._openings.resumption = self._following.resumption
            self._greenlets += self._following.start()
        if self.starts is not None:
            self._greenlets.append(gevent.spawn(self.starts.run, self._streams.by_token))

    def stop(self) -> None:
        """Stop what :meth:`start` started, and cut all remaining streams. Drain first."""
        self.loop_thread.stop()
        gevent.killall(self._greenlets)
        self._streams.cut()
        if self._following is not None:
            self._following.close()

    def limit_key(self, address: str) -> str:
        """Return the key under which a client address is counted; empty: it is not counted."""
        return self._limit_keys.of(address, self.proxies)

    @property
    def active(self) -> int:
        """The number of streams that are connecting or open."""
        return len(self._streams.by_token)

    def holds(self, token: str) -> bool:
        """Return True if a stream that is connecting or open here has the token."""
        return token in self._streams.by_token

    @from_any_thread
    def read_stats(self) -> GatewayStats:
        """Return a copy of the counters, with the current streams, bytes and connects."""
        return read_counters(self._stats, self._streams, self._openings.pending, self._following)

    @from_any_thread
    def list_streams(self) -> list[StreamInfo]:
        """Return what is known of each stream, oldest first. Other greenlets run meanwhile."""
        log = self._following
        return list_streams(self._streams, None if log is None else log.bytes_after)

    def open(self, request: StreamRequest, sock: socket.socket) -> Refusal | OpenResult:
        """Ask the backend about a stream, and open it. Blocks until the backend has answered.

        Args:
            request: the browser's request.
            sock: the browser's socket. It is taken over if bytes of a stream are written, and is
                still the caller's otherwise.

        Returns:
            A refusal that the caller has to send, or the result if there is no answer to send. The
            caller then closes its side of the connection.

        Raises:
            NotAllowedHere: another thread has called. The loop of the serving thread watches the
                sockets.
        """
        if not self.loop_thread.here:
            raise NotAllowedHere("open() was called in another thread than the event loop's")
        refusal = self.refuse(request)
        if refusal is not None:
            self._stats.refused += 1
            return refusal
        return self._openings.open(request, sock)

    def refuse(self, request: StreamRequest) -> Refusal | None:
        """Return the refusal of the gateway's ``check`` for a request; None: no refusal."""
        return self._check(request)

    # ------------------------------------------------------------------ sending

    def send(self, token: str, event: Event | None = None, *, close: bool = False) -> SendStatus:
        """Send to one stream: the event first, then the close. Does not wait for the client.

        From another thread the call waits for the event loop. Each thread's sends arrive in the
        thread's order.

        Args:
            token: the stream's token.
            event: the event; None: no event.
            close: True if the stream ends after the event.

        Returns:
            BUFFERED if the stream is not open yet: the event is written when it opens.

        Raises:
            UnknownToken: no stream has the token.
            WriteFailed: the stream could not take the event, and ends.
            LoopNotRunning: another thread has called, and the gateway has stopped.
        """
        # The same as @from_any_thread, without the 0.3 µs that its general signature costs.
        if native_ident() != self.loop_thread.ident:
            return self.loop_thread.run(self._send, token, event, close)
        return self._send(token, event, close)

    def _send(self, token: str, event: Event | None, close: bool) -> SendStatus:
        frame = None if event is None else self._encode(event)
        return send_to_token(self._streams, self.starts, token, frame, close=close)

    @from_any_thread
    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Send one event to many streams. It is encoded once, and all get the same bytes.

        Broadcasts take turns, so that all streams get them in the same order. Other greenlets run
        between the batches, so a broadcast may block. Call it from a greenlet or another thread.

        Args:
            tokens: the streams' tokens. A tuple that equals the last one is not looked up again.
            event: the event.
        """
        result = self._broadcasts.send(tokens, self._encode(event))
        self._stats.broadcasts += 1
        return result

    @property
    def replays(self) -> bool:
        """True if events are kept in a log, so that browsers can get what they have missed."""
        return self._open_log is not None

    @property
    def last_event_id(self) -> str | None:
        """The cursor of what this process has delivered; None: there is no log, or not yet."""
        return None if self._following is None else self._following.last_event_id

    @from_any_thread
    def publish(self, event: Event, audience: str = EVERYONE) -> Published:
        """Append an event to the log, and deliver it to the streams of this process.

        Other greenlets run meanwhile. Each sender's events keep their order.

        Args:
            event: the event.
            audience: to whom it is addressed (:mod:`gateway_shim.event_log.audience`).

        Raises:
            LogUnavailable: the event could not be appended; it reaches nobody.
            LoopNotRunning: another thread has called, and the gateway has stopped.
        """
        if self._following is None:
            return Published("", 0)
        self._stats.broadcasts += 1
        return self._following.publish(audience, event_stream.encode(event, self.config.dialect))

    def close(self, token: str) -> None:
        """End a stream cleanly. Raises UnknownToken if no stream has the token."""
        self.send(token, close=True)

    def end_earlier(self, boot: Boot) -> None:
        """End the streams that earlier starts of the backend have accepted. Does not wait."""
        gevent.spawn(end_earlier, self._streams, boot)

    @from_any_thread
    def drain(self, farewell: Event | None, seconds: float) -> None:
        """End every stream cleanly, tell the backend, and refuse all later requests.

        Args:
            farewell: the last event of every stream, to which a ``retry:`` is added. Later requests
                get a stream with this event alone. None: streams just end, later requests get 503.
            seconds: the time for clients and the backend. Then the remaining streams are cut.
        """
        deadline = self._clock() + seconds
        farewells = None if farewell is None else self._farewells(farewell)
        self._openings.close(farewells)
        end_all(self._streams, farewells, deadline, self._clock)
        self._disconnects.flush(max(deadline - self._clock(), 0))

    def _farewells(self, event: Event) -> Farewells:
        text, count = event_stream.encode(event, self.config.dialect), len(self._streams.by_token)
        return Farewells(text, count, self.config.drain_retry_seconds)
