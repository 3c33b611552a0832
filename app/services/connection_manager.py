"""Who is connected: request ids, their streams' tokens, and how events reach them."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any, NoReturn

import gevent

from app.services.event_json import event_json
from app.services.gateway_transport import GatewayTransport, TransportError
from app.services.metrics_service import MetricsServiceProtocol
from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.log_lines.safe_text import function_name, text_of
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.stream_request import shorten_url

__all__ = ["ConnectionManager", "HeldByAnotherUser", "ServiceType"]

logger = logging.getLogger(__name__)


class HeldByAnotherUser(Exception):
    """The request id's stream is another user's; nothing was changed."""


class ServiceType(StrEnum):
    """Which service sends an event; a label of the metrics."""

    TASK = "task"
    VERSION = "version"

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        allowed = ", ".join(member.value for member in cls)
        raise ValueError(f"service_type is {text_of(value)}; allowed: {allowed}")


class _Outcome(StrEnum):
    """What became of an event; the metrics' ``status`` label."""

    SUCCESS = "success"
    NO_STREAM = "no_stream"
    ERROR = "error"


class ConnectionManager:
    """Knows each request id's stream, and sends events to one or to all.

    The same code over any gateway: in this process, or behind HTTP. Any thread may call it.

    Args:
        transport: how the gateway is reached.
        metrics: where connections and sends are counted.
        loop_thread: carries out the calls of other threads.
        holds: says whether a token's stream still lives, if the gateway is in this process: a
            browser that leaves while it connects is never reported. None: it is believed to.
    """

    def __init__(
        self,
        transport: GatewayTransport,
        metrics: MetricsServiceProtocol,
        loop_thread: LoopThread | None = None,
        holds: Callable[[str], bool] | None = None,
    ) -> None:
        self.loop_thread = loop_thread or LoopThread()
        self._transport = transport
        self._metrics = metrics
        self._holds = holds
        # The maps change together, under the lock; whatever follows from a change (closing,
        # notifying, sending) happens after the lock is released.
        self._lock = threading.Lock()
        self._connections: dict[str, tuple[str, str]] = {}
        self._token_to_request_id: dict[str, str] = {}
        self._users: dict[str, str] = {}  # by request id, where the SSE_AUTHORIZE hook names one
        self._tokens: tuple[str, ...] | None = None  # of all, until one comes or goes
        self._observers: list[Callable[[str], None]] = []
        self._farewell: Event | None = None  # once drained: whoever connects later gets it too

    @from_any_thread
    def on_connect(self, request_id: str, token: str, url: str, user: str | None = None) -> None:
        """Register a stream, replace an earlier one of the same request id, tell the observers.

        Args:
            request_id: the browser's own id for its stream.
            token: the gateway's name for it.
            url: the request target it was opened with.
            user: whose stream it is. It can then be replaced by the same user's only.

        Raises:
            HeldByAnotherUser: the earlier stream is another user's, and lives.
        """
        with self._lock:
            earlier = self._connections.get(request_id)
            # Here, not before: of two users that connect at once only one may get the id.
            if earlier is not None and self._is_anothers(request_id, earlier[0], user):
                raise HeldByAnotherUser
            self._tokens = None
            if earlier is not None:
                del self._token_to_request_id[earlier[0]]
            other = self._token_to_request_id.get(token)
            if other is not None:  # a token that was given out twice is the later one's
                del self._connections[other]
                self._users.pop(other, None)
            self._users.pop(request_id, None)
            if user is not None:
                self._users[request_id] = sys.intern(str(user))  # often of many streams
            self._connections[request_id] = (token, shorten_url(url))
            self._token_to_request_id[token] = request_id
            active = len(self._connections)
            observers = list(self._observers)
            farewell = self._farewell
        self._metrics.connection_opened()
        self._metrics.set_active_connections(active)
        if earlier is not None and earlier[0] != token:
            self._close_replaced(request_id, earlier[0])
        for observer in observers:
            if not self._is_gone(token):
                self._notify(observer, request_id)
        if self._is_gone(token):  # nobody reports such an end, and it may be one of a flood
            self.on_disconnect(token)
        elif farewell is not None:
            self._send_away(request_id, token, farewell)

    def _is_gone(self, token: str) -> bool:
        return self._holds is not None and not self._holds(token)

    def _is_anothers(self, request_id: str, token: str, user: str | None) -> bool:
        return self._users.get(request_id) not in (None, user) and not self._is_gone(token)

    def _send_away(self, request_id: str, token: str, farewell: Event) -> None:
        """End a stream that was accepted after the drain had looked which streams there are.

        A gateway behind HTTP would keep it open, and this process sends nothing any more.
        """
        try:
            self._transport.send(token, farewell)
            self._transport.close(token)
        except TransportError as exc:
            extra = {"request_id": request_id, "token": token}
            logger.warning("a stream that came late could not be ended: %s", exc, extra=extra)

    def _close_replaced(self, request_id: str, token: str) -> None:
        extra = {"request_id": request_id, "token": token}
        logger.info("stream replaced", extra=extra)
        try:
            self._transport.close(token)
        except Exception as exc:  # noqa: BLE001 - must not cost the stream that has connected
            # Best effort: it is unknown here already, so nothing more is sent to it.
            logger.warning("the replaced stream could not be closed: %s", exc, extra=extra)

    def _notify(self, observer: Callable[[str], None], request_id: str) -> None:
        try:
            observer(request_id)
        except (Exception, gevent.Timeout):
            # An observer is somebody else's code: its mistake must not cost the stream.
            name = function_name(observer)
            logger.warning(
                "connect observer %s failed",
                name,
                exc_info=True,
                extra={"observer": name, "request_id": request_id},
            )

    @from_any_thread
    def on_disconnect(self, token: str) -> None:
        """Forget a stream; a token that is stale or unknown is ignored."""
        with self._lock:
            request_id = self._token_to_request_id.pop(token, None)
            if request_id is None:
                return
            self._tokens = None
            del self._connections[request_id]
            self._users.pop(request_id, None)
            active = len(self._connections)
        self._metrics.connection_closed()
        self._metrics.set_active_connections(active)

    @from_any_thread
    def register_on_connect(self, callback: Callable[[str], None]) -> None:
        """Have ``callback(request_id)`` called on every connect, after those registered before."""
        with self._lock:
            self._observers.append(callback)

    @from_any_thread
    def drain(self, farewell: Event, seconds: float) -> None:
        """End every stream with a last event, those too that connect from now on.

        Args:
            farewell: the last event.
            seconds: how long it may take.
        """
        with self._lock:
            tokens = tuple(self._token_to_request_id)
            self._farewell = farewell
        self._transport.drain(tokens, farewell, seconds)

    @from_any_thread
    def has_connection(self, request_id: str) -> bool:
        """Whether the request id has a stream."""
        with self._lock:
            return request_id in self._connections

    @from_any_thread
    def holder_of(self, request_id: str) -> str | None:
        """Return the token of the request id's stream; None if it has none."""
        with self._lock:
            current = self._connections.get(request_id)
        return None if current is None else current[0]

    def send_event(
        self,
        request_id: str | None,
        event_data: dict[str, Any],
        event_name: str,
        service_type: ServiceType | str,
    ) -> bool:
        """Send an event to one stream, or to all. No retries.

        Args:
            request_id: whose stream; None: every stream.
            event_data: the event's data, as JSON.
            event_name: the event's name.
            service_type: who sends it: a :class:`ServiceType` or its bare string.

        Returns:
            Whether at least one stream took it; without streams False.

        Raises:
            ValueError: the service type is none of those, or the data cannot be written as JSON.
            LoopNotRunning: another thread has called, and the server has ended.
        """
        if not isinstance(service_type, ServiceType):
            service_type = ServiceType(service_type)
        # In the caller's thread: a large event is not the loop's work, and may change after this.
        event = Event(event_name, event_json(event_data))
        return self._send_to(request_id, event, service_type)

    @from_any_thread
    def _send_to(self, request_id: str | None, event: Event, service_type: ServiceType) -> bool:
        started = time.perf_counter()
        if request_id is None:
            outcome = self._broadcast(event, service_type)
        else:
            outcome = self._send(request_id, event, service_type)
        self._metrics.event_sent(service_type.value, outcome.value, time.perf_counter() - started)
        let_others_run_if_due()  # whoever sends without pause must not stop the others
        return outcome is _Outcome.SUCCESS

    def _send(self, request_id: str, event: Event, service_type: ServiceType) -> _Outcome:
        with self._lock:
            current = self._connections.get(request_id)
        if current is None:
            return _Outcome.NO_STREAM
        token = current[0]
        extra = {"request_id": request_id, "event_name": event.name, "service": service_type.value}
        try:
            known = self._transport.send(token, event)
        except TransportError as exc:
            logger.warning("event not sent: %s", exc, extra=extra)
            return _Outcome.ERROR
        if known:
            return _Outcome.SUCCESS
        logger.info("the gateway does not know the stream any more", extra=extra)
        self.on_disconnect(token)
        return _Outcome.NO_STREAM

    def _broadcast(self, event: Event, service_type: ServiceType) -> _Outcome:
        with self._lock:
            if self._tokens is None:
                self._tokens = tuple(self._token_to_request_id)
            tokens = self._tokens
        if not tokens:
            return _Outcome.NO_STREAM
        started = time.perf_counter()
        result = self._transport.broadcast(tokens, event)
        for token in result.unknown:
            self.on_disconnect(token)
        seconds = time.perf_counter() - started
        self._metrics.broadcast_finished(result.delivered, seconds)
        logger.debug(
            "event broadcast",
            extra={
                "event_name": event.name,
                "service": service_type.value,
                "streams": result.delivered,
                "unknown": len(result.unknown),
                "seconds": round(seconds, 6),
            },
        )
        if result.delivered:
            return _Outcome.SUCCESS
        return _Outcome.NO_STREAM if len(result.unknown) == len(tokens) else _Outcome.ERROR
