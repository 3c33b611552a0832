"""Registers the connected streams by request id, and sends events to them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from app.services.connections.broadcasting import broadcast_event
from app.services.connections.endings import close_replaced_stream, end_late_stream
from app.services.connections.event_json import event_json
from app.services.connections.observers import (
    ConnectObserver,
    ObservedConnects,
    call_observer,
)
from app.services.connections.owners import FormerOwners, stream_audiences
from app.services.connections.publisher import EventPublisher
from app.services.connections.publishing import Publishing
from app.services.connections.registered import Registered
from app.services.connections.send_outcome import SendOutcome, SendReport
from app.services.connections.sending import send_to_stream
from app.services.connections.service_type import ServiceType
from app.services.gateway_transport import GatewayTransport
from app.services.metrics_service import MetricsServiceProtocol
from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.stream_request import shorten_url

__all__ = ["ConnectionManager", "HeldByAnotherUser", "ServiceType"]


class HeldByAnotherUser(Exception):
    """The request id belongs to another user's stream. Nothing was changed."""


class ConnectionManager:
    """The registry of connected streams. Sends events to one stream or to all.

    The code is the same for every gateway: in this process, or behind HTTP. Any thread may call it.

    Args:
        transport: the way to the gateway.
        metrics: counts connections and sends.
        loop_thread: runs the calls of other threads in the event loop's thread.
        holds: returns whether a token's stream is still open. It is given if the gateway is in
            this process, because the gateway does not report a browser that leaves while it
            connects. None: every registered stream counts as open.
        publisher: the log of the gateway, through which events are sent; None: it has none, and
            each event is sent to the streams that are registered now.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        transport: GatewayTransport,
        metrics: MetricsServiceProtocol,
        loop_thread: LoopThread | None = None,
        holds: Callable[[str], bool] | None = None,
        publisher: EventPublisher | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.loop_thread = loop_thread or LoopThread()
        self._transport = transport
        self._metrics = metrics
        self._holds = holds
        self._clock = clock
        self._observed = ObservedConnects()
        # Sends events through the log; None: there is no log.
        self._publishing = None
        if publisher is not None:
            self._publishing = Publishing(publisher, metrics, self._owner_of, self._observed)
        # Guards everything below. The maps change together while it is held. Everything that
        # follows from a change (closing, notifying, sending) happens after it is released.
        self._lock = threading.Lock()
        self._connections: dict[str, Registered] = {}  # by request id
        # Token → request id: the same streams.
        self._token_to_request_id: dict[str, str] = {}
        # Request id → user, for streams whose user the SSE_AUTHORIZE hook has named.
        self._users: dict[str, str] = {}
        # The same for streams that have ended: the audience of later events names the user.
        self._former_owners = FormerOwners()
        # All tokens, made at a broadcast; None after a stream has come or gone.
        self._tokens: tuple[str, ...] | None = None
        # Called on every connect, in this order.
        self._observers: list[ConnectObserver] = []
        # The last event of every stream, once the drain has begun. A stream that connects after
        # that gets it too.
        self._farewell: Event | None = None

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
        with self._lock:
            earlier = self._connections.get(request_id)
            # Checked under the lock: of two users who connect at once, only one may get the id.
            if earlier is not None and self._belongs_to_another(request_id, earlier.token, user):
                raise HeldByAnotherUser
            self._tokens = None
            if earlier is not None:
                del self._token_to_request_id[earlier.token]
            other = self._token_to_request_id.get(token)
            if other is not None:  # the gateway has used a token twice: the later stream keeps it
                del self._connections[other]
                self._users.pop(other, None)
            self._users.pop(request_id, None)
            self._former_owners.remove(request_id)
            if user is not None:
                self._users[request_id] = sys.intern(str(user))  # one user often has many streams
            self._connections[request_id] = Registered(token, shorten_url(url), self._clock())
            self._token_to_request_id[token] = request_id
            active = len(self._connections)
            observers = list(self._observers)
            farewell = self._farewell
        self._metrics.connection_opened()
        self._metrics.set_active_connections(active)
        if earlier is not None and earlier.token != token:
            close_replaced_stream(self._transport, request_id, earlier.token)
        with self._observed.run(request_id):
            for observer in observers:
                if not self._has_ended(token):
                    call_observer(observer, request_id)
        if self._has_ended(token):
            # The gateway does not report this end, and a flood can cause many of them.
            self.on_disconnect(token)
        elif farewell is not None:
            end_late_stream(self._transport, request_id, token, farewell)

    @from_any_thread
    def on_disconnect(self, token: str) -> None:
        """Remove a stream. A token that is stale or unknown is ignored."""
        with self._lock:
            request_id = self._token_to_request_id.pop(token, None)
            if request_id is None:
                return
            self._tokens = None
            del self._connections[request_id]
            user = self._users.pop(request_id, None)
            if user is not None:
                self._former_owners.add(request_id, user)
            active = len(self._connections)
        self._metrics.connection_closed()
        self._metrics.set_active_connections(active)

    @from_any_thread
    def register_on_connect(self, callback: ConnectObserver) -> None:
        """Add a function that is called with the request id on every connect.

        Args:
            callback: the function. It is called after those that were registered before it.
        """
        with self._lock:
            self._observers.append(callback)

    @from_any_thread
    def has_connection(self, request_id: str) -> bool:
        """Return whether the request id has a stream."""
        with self._lock:
            return request_id in self._connections

    @from_any_thread
    def token_of(self, request_id: str) -> str | None:
        """Return the token of the request id's stream; None if it has none."""
        with self._lock:
            current = self._connections.get(request_id)
        return None if current is None else current.token

    @from_any_thread
    def registered(self) -> list[tuple[str, Registered]]:
        """Return the request ids of all streams, and what is known of each, oldest first."""
        with self._lock:
            return list(self._connections.items())

    @from_any_thread
    def audiences_of(self, token: str) -> tuple[str, ...]:
        """Return to whom the events are addressed that a stream gets, besides those for everyone.

        Args:
            token: the token of the stream. A stream that was replaced meanwhile has no audiences.
        """
        with self._lock:
            request_id = self._token_to_request_id.get(token)
            if request_id is None:
                return ()
            return stream_audiences(request_id, self._users.get(request_id))

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
            event was kept.

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
        let_others_run_if_due()  # a caller that sends without a pause must not block the others
        return report

    @from_any_thread
    def drain(self, farewell: Event, seconds: float) -> None:
        """End every stream with a last event, including streams that connect after this call.

        Args:
            farewell: the last event.
            seconds: the time limit for all streams together.
        """
        with self._lock:
            tokens = tuple(self._token_to_request_id)
            self._farewell = farewell
        self._transport.drain(tokens, farewell, seconds)

    # ---------------------------------------------------------------- private

    def _has_ended(self, token: str) -> bool:
        return self._holds is not None and not self._holds(token)

    def _owner_of(self, request_id: str) -> str | None:
        with self._lock:
            return self._users.get(request_id) or self._former_owners.get(request_id)

    def _belongs_to_another(self, request_id: str, token: str, user: str | None) -> bool:
        return self._users.get(request_id) not in (None, user) and not self._has_ended(token)

    def _send_to(self, request_id: str, event: Event, service_type: ServiceType) -> SendReport:
        token = self.token_of(request_id)
        if token is None:
            return SendReport(SendOutcome.NO_STREAM)
        extra = {"request_id": request_id, "event_name": event.name, "service": service_type.value}
        report = send_to_stream(self._transport, token, event, extra)
        if report.outcome is SendOutcome.NO_STREAM:
            self.on_disconnect(token)
        return report

    def _broadcast(self, event: Event, service_type: ServiceType) -> SendReport:
        with self._lock:
            if self._tokens is None:
                self._tokens = tuple(self._token_to_request_id)
            tokens = self._tokens
        if not tokens:
            return SendReport(SendOutcome.NO_STREAM)
        return broadcast_event(
            self._transport, self._metrics, tokens, event, service_type, self.on_disconnect
        )
