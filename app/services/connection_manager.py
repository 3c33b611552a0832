"""Registers the connected streams by request id, and sends events to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from app.services.connections.broadcasting import broadcast_event
from app.services.connections.endings import (
    close_denied_stream,
    close_replaced_stream,
    end_late_stream,
)
from app.services.connections.event_json import event_json
from app.services.connections.observers import (
    ConnectObserver,
    ObservedConnects,
    call_observer,
)
from app.services.connections.owners import HeldByAnotherUser
from app.services.connections.publisher import EventPublisher
from app.services.connections.publishing import Publishing
from app.services.connections.registered import Registered
from app.services.connections.registry import StreamRegistry
from app.services.connections.send_outcome import SendOutcome, SendReport
from app.services.connections.sending import send_to_stream
from app.services.connections.service_type import ServiceType
from app.services.elsewhere.streams import StreamsElsewhere
from app.services.gateway_transport import GatewayTransport
from app.services.metrics_service import MetricsServiceProtocol
from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.stream_request import shorten_url
from gateway_shim.streams.peers.peers import Peers

__all__ = ["ConnectionManager", "HeldByAnotherUser", "ServiceType"]


class ConnectionManager:
    """The registry of connected streams. Sends events to one stream or to all.

    The code is the same for every gateway: in this process, or behind HTTP. Any thread may call it.
    If several processes share a log, a request id has one stream in all of them together, and every
    process can send to it (:mod:`app.services.elsewhere.streams`).

    Args:
        transport: the way to the gateway.
        metrics: counts connections and sends.
        loop_thread: runs the calls of other threads in the event loop's thread.
        holds: returns whether a token's stream is still open. It is given if the gateway is in
            this process, because the gateway does not report a browser that leaves while it
            connects. None: every registered stream counts as open.
        publisher: the log of the gateway, through which events are sent; None: it has none, and
            each event is sent to the streams that are registered now.
        peers: the other processes that share the log; None: there are none.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        transport: GatewayTransport,
        metrics: MetricsServiceProtocol,
        loop_thread: LoopThread | None = None,
        holds: Callable[[str], bool] | None = None,
        publisher: EventPublisher | None = None,
        peers: Peers | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.loop_thread = loop_thread or LoopThread()
        self._transport = transport
        self._metrics = metrics
        self._observed = ObservedConnects()
        # Everything that follows from a change of it (closing, notifying, sending) happens after
        # the change.
        self._registry = StreamRegistry(holds, clock)
        self._elsewhere = StreamsElsewhere(
            peers or Peers(), self._registry, self._end_here, self._send_here, clock
        )
        # Sends events through the log; None: there is no log.
        self._publishing = None
        if publisher is not None:
            self._publishing = Publishing(
                publisher, metrics, self._owner_of, self._observed, self._may_be_elsewhere
            )
        # Called on every connect, in this order.
        self._observers: list[ConnectObserver] = []

    # ---------------------------------------------------------------- public: connects

    @from_any_thread
    def on_connect(self, request_id: str, token: str, url: str, user: str | None = None) -> None:
        """Register a stream, replace an earlier one of its request id, and call the observers.

        Args:
            request_id: the browser's own id for its stream.
            token: the gateway's name for the stream.
            url: the request target that the stream was opened with.
            user: the user to whom the stream belongs. Only a stream of the same user can then
                replace it.

        Raises:
            HeldByAnotherUser: the earlier stream belongs to another user and is still open.
        """
        is_shared = self._elsewhere.are_possible
        if is_shared:
            self._elsewhere.check_user(request_id, user)
        added = self._registry.add(request_id, token, shorten_url(url), user)
        self._metrics.connection_opened()
        self._metrics.set_active_connections(added.active)
        if added.earlier is not None and added.earlier.token != token:
            close_replaced_stream(self._transport, request_id, added.earlier.token)
        # During a drain, this stream must not replace the one in the process that goes on.
        if is_shared and added.farewell is None:
            try:
                self._elsewhere.tell_connect(request_id, token, user)
            except HeldByAnotherUser:
                self.on_disconnect(token)
                raise
        with self._observed.run(request_id):
            for observer in tuple(self._observers):
                if self._registry.has(request_id, token):
                    call_observer(observer, request_id)
        if self._registry.has_ended(token):
            # The gateway does not report this end, and a flood can cause many of them.
            self.on_disconnect(token)
        elif added.farewell is not None:
            end_late_stream(self._transport, request_id, token, added.farewell)

    @from_any_thread
    def on_disconnect(self, token: str) -> None:
        """Remove a stream. A token that is stale or unknown is ignored."""
        active = self._registry.remove(token)
        if active is not None:
            self._metrics.connection_closed()
            self._metrics.set_active_connections(active)

    @from_any_thread
    def register_on_connect(self, callback: ConnectObserver) -> None:
        """Add a function that is called with the request id on every connect.

        Args:
            callback: the function. It is called after those that were registered before it.
        """
        self._observers.append(callback)

    @from_any_thread
    def has_connection(self, request_id: str) -> bool:
        """Return whether the request id has a stream, in this process or another one.

        If it has none here, and there are other processes, this waits for their answers.
        """
        return self._registry.get(request_id) is not None or self._elsewhere.has(request_id)

    @from_any_thread
    def age_here(self, request_id: str) -> float | None:
        """Return how old the request id's stream in this process is, seconds; None: it has none."""
        return self._registry.age_of(request_id)

    @from_any_thread
    def token_of(self, request_id: str) -> str | None:
        """Return the token of the request id's stream in this process; None if it has none."""
        current = self._registry.get(request_id)
        return None if current is None else current.token

    @from_any_thread
    def is_held_elsewhere(self, request_id: str, token: str) -> bool:
        """Return whether another process has the stream of a request id, or of a token. Waits."""
        return self._elsewhere.has(request_id, token)

    @from_any_thread
    def registered(self) -> list[tuple[str, Registered]]:
        """Return the request ids of this process's streams, and what is known of each.

        The oldest stream comes first.
        """
        return self._registry.all()

    @from_any_thread
    def audiences_of(self, token: str) -> tuple[str, ...]:
        """Return to whom the events are addressed that a stream gets, besides those for everyone.

        Args:
            token: the token of the stream. A stream that was replaced meanwhile has no audiences.
        """
        return self._registry.audiences_of(token)

    # ---------------------------------------------------------------- public: events

    def send_event(
        self,
        request_id: str | None,
        event_data: dict[str, Any],
        event_name: str,
        service_type: ServiceType | str,
    ) -> bool:
        """Send an event to one stream, or to all. A failed send is not repeated.

        If the gateway has a log, the event is kept there, and is replayed to browsers that come
        back. What is the state of one stream is not kept: what an observer sends to the stream
        that connects, and a version for one stream.

        Args:
            request_id: the request id of the stream; None: every stream.
            event_data: the event's data; it is sent as JSON.
            event_name: the event's name.
            service_type: the service that sends: a :class:`ServiceType` or its value.

        Returns:
            Whether at least one stream took the event. Without any stream: False, also if the
            event was kept. If the event is in the log and other processes read it, True means that
            a stream of this process took it, or that it may reach a stream of another process.

        Raises:
            ValueError: the service type is unknown, or the data cannot be written as JSON.
            LoopNotRunning: the call came from another thread, and the server has ended.
        """
        if not isinstance(service_type, ServiceType):
            service_type = ServiceType(service_type)
        # In the caller's thread: writing a large event as JSON would keep the event loop busy.
        # The caller may change the data after this.
        event = Event(event_name, event_json(event_data))
        return self.send(request_id, event, service_type).outcome is SendOutcome.SUCCESS

    @from_any_thread
    def send(self, request_id: str | None, event: Event, service_type: ServiceType) -> SendReport:
        """Send an event like :meth:`send_event`, and report which streams took it."""
        started = time.perf_counter()
        if self._publishing is not None and self._publishing.keeps(request_id, service_type):
            report = self._publishing.publish(request_id, event, service_type)
        elif request_id is None:
            report = self._broadcast(event, service_type)
        else:
            report = self._send_to(request_id, event, service_type)
        seconds = time.perf_counter() - started
        self._metrics.event_sent(service_type.value, report.outcome.value, seconds)
        # A caller that sends without a pause must not block the others. But connects that wait for
        # their turn would count against the limit on pending connects, and be refused in a storm.
        if request_id is None or not self._observed.is_observing(request_id):
            let_others_run_if_due()
        return report

    @from_any_thread
    def drain(self, farewell: Event, seconds: float) -> None:
        """End every stream with a last event, including streams that connect after this call.

        Args:
            farewell: the last event.
            seconds: the time limit for all streams together.
        """
        self._transport.drain(self._registry.begin_drain(farewell), farewell, seconds)

    # ---------------------------------------------------------------- private

    def _owner_of(self, request_id: str) -> str | None:
        """Return the digest of the user to whom a request id belongs; None: to nobody."""
        return (
            self._registry.digest_of(request_id)
            or self._elsewhere.digest_of(request_id)
            or self._registry.former_digest_of(request_id)
        )

    def _may_be_elsewhere(self, request_id: str | None) -> bool:
        """Return whether another process may have a stream that gets an event from the log."""
        return self._elsewhere.are_possible and (
            request_id is None or self._registry.get(request_id) is None
        )

    def _end_here(self, request_id: str, token: str, is_denied: bool) -> None:
        """End a stream because of a stream of its request id in another process."""
        self.on_disconnect(token)
        close = close_denied_stream if is_denied else close_replaced_stream
        close(self._transport, request_id, token)

    def _send_to(self, request_id: str, event: Event, service_type: ServiceType) -> SendReport:
        report = self._send_here(request_id, event, service_type)
        # What an observer sends is for the stream that has connected here.
        if report.outcome is SendOutcome.NO_STREAM and not self._observed.is_observing(request_id):
            return self._elsewhere.send(request_id, event, service_type)
        return report

    def _send_here(self, request_id: str, event: Event, service_type: ServiceType) -> SendReport:
        token = self.token_of(request_id)
        if token is None:
            return SendReport(SendOutcome.NO_STREAM)
        extra = {"request_id": request_id, "event_name": event.name, "service": service_type.value}
        report = send_to_stream(self._transport, token, event, extra)
        if report.outcome is SendOutcome.NO_STREAM:
            self.on_disconnect(token)
        return report

    def _broadcast(self, event: Event, service_type: ServiceType) -> SendReport:
        tokens = self._registry.tokens()
        if not tokens:
            return SendReport(SendOutcome.NO_STREAM)
        return broadcast_event(
            self._transport, self._metrics, tokens, event, service_type, self.on_disconnect
        )
