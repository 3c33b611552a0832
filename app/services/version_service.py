"""Tells browsers which version of the frontend is current."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Protocol

import gevent
from gevent.pool import Pool

from app.config import Settings
from app.lifecycle import ShutdownCoordinator
from app.services.connection_manager import ServiceType
from app.services.frontend_version import VersionSource, version_source
from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread

__all__ = ["MAX_PENDING", "Announcement", "VersionService"]

logger = logging.getLogger(__name__)

MAX_PENDING = 10_000
"""Pending versions that are kept. Past that the one that was neither queued nor delivered for
the longest time is forgotten; its browser then gets the current version, as any other."""

EVENT_NAME = "version"


class Announcement(StrEnum):
    """The outcome of announcing a version."""

    DELIVERED = "delivered"
    """Broadcast, and the request id has a stream; kept for its later connects."""
    QUEUED = "queued"
    """Broadcast, but the request id has no stream, or nothing could be sent; kept for it."""
    REFUSED = "refused"
    """Neither sent nor kept: the shutdown has begun."""


class _Connections(Protocol):
    """What this service needs of the ConnectionManager."""

    def has_connection(self, request_id: str) -> bool: ...

    def register_on_connect(self, callback: Callable[[str], None]) -> None: ...

    def send_event(
        self,
        request_id: str | None,
        event_data: dict[str, Any],
        event_name: str,
        service_type: ServiceType,
    ) -> bool: ...


class VersionService:
    """Sends the event ``version``: to a stream when it connects, to all when one is queued.

    Any thread may call it.

    Args:
        connection_manager: whose connects are observed, and who sends.
        shutdown_coordinator: says when no version event is to be sent any more.
        settings: where the current version comes from, unless ``source`` is given.
        source: where the current version comes from.
        loop_thread: carries out the calls of other threads.
    """

    def __init__(
        self,
        connection_manager: _Connections,
        shutdown_coordinator: ShutdownCoordinator,
        settings: Settings,
        *,
        source: VersionSource | None = None,
        loop_thread: LoopThread | None = None,
    ) -> None:
        self.loop_thread = loop_thread or LoopThread()
        self._connections = connection_manager
        self._coordinator = shutdown_coordinator
        self._source = source or version_source(settings, self.loop_thread)
        self._lock = threading.Lock()
        self._pending: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._waiting: dict[str, None] = {}  # request ids, in order; touched in the loop's thread
        # A gateway behind HTTP gets one POST for each stream that has waited.
        self._senders = Pool(settings.sse_gateway_concurrency)
        connection_manager.register_on_connect(self.on_connect)

    @from_any_thread
    def on_connect(self, request_id: str) -> None:
        """Send a stream that connects its version, now or once the current one is fetched.

        It does not wait for the fetch: a connect that waits holds one of the places of
        SSE_MAX_PENDING_CONNECTS, and a thousand browsers come back in a second.

        Args:
            request_id: whose stream; its pending version goes before the current one.
        """
        if self._coordinator.is_shutting_down():
            return
        event = self._pending_of(request_id) or self._source.known()
        if event is not None:
            self._send(request_id, event)
        elif self.loop_thread.serves_here:
            if not self._waiting:
                gevent.spawn(self._send_when_fetched)
            self._waiting[request_id] = None
        else:  # no greenlet would run later
            self._send_version(request_id, self._source.current())

    def _send_when_fetched(self) -> None:
        """Fetch the current version, and send it to all streams that wait for it."""
        try:
            current = self._source.current()
        finally:
            waiting, self._waiting = self._waiting, {}
        for request_id in waiting:
            self._senders.spawn(self._send_late, request_id, current)

    def _send_late(self, request_id: str, current: dict[str, Any]) -> None:
        """Send a version to a stream that has waited for it, unless the stream has ended."""
        if self._coordinator.is_shutting_down() or not self._connections.has_connection(request_id):
            return
        self._send_version(request_id, current)

    def _send_version(self, request_id: str, current: dict[str, Any]) -> None:
        # One that was queued during a fetch is newer, and this stream has already got it.
        self._send(request_id, self._pending_of(request_id) or current)

    @from_any_thread
    def queue_version_event(
        self, request_id: str, version: str, changelog: str | None = None
    ) -> bool:
        """Broadcast a version, and keep it for the next connects of one request id.

        Args:
            request_id: whose pending version it becomes, in place of any earlier one.
            version: the new version.
            changelog: what is new, if that is known.

        Returns:
            Whether it was taken: False, and nothing sent or kept, once shutdown has begun.
        """
        return self.announce(request_id, version, changelog) is not Announcement.REFUSED

    def announce(self, request_id: str, version: str, changelog: str | None = None) -> Announcement:
        """Do as :meth:`queue_version_event`, and return whether the stream got the version.

        Args:
            request_id: whose pending version it becomes, in place of any earlier one.
            version: the new version.
            changelog: what is new, if that is known.
        """
        if self._coordinator.is_shutting_down():
            logger.info("a version came after the shutdown began", extra={"version": version})
            return Announcement.REFUSED
        event = {"version": version}
        if changelog is not None:
            event["changelog"] = changelog
        # Kept before it is sent: a stream that connects in between gets it twice, not never.
        with self._lock:
            self._pending[request_id] = event
            self._pending.move_to_end(request_id)
            if len(self._pending) > MAX_PENDING:
                self._pending.popitem(last=False)
        sent = self._send(None, event)
        # Asked afterwards: a stream that the gateway no longer knew is forgotten by now, and one
        # that has connected meanwhile got the version on its connect.
        reached = sent and self._connections.has_connection(request_id)
        return Announcement.DELIVERED if reached else Announcement.QUEUED

    def _pending_of(self, request_id: str) -> dict[str, Any] | None:
        with self._lock:
            event = self._pending.get(request_id)
            if event is not None:
                self._pending.move_to_end(request_id)
            return event

    def _send(self, request_id: str | None, event: dict[str, Any]) -> bool:
        # Whatever goes wrong here, a pending version is still there: the next connect sends it.
        extra = {"request_id": request_id, "version": event.get("version")}
        try:
            sent = self._connections.send_event(request_id, event, EVENT_NAME, ServiceType.VERSION)
        except Exception:
            logger.exception("sending the version event failed", extra=extra)
            return False
        if not sent and request_id is not None:  # a broadcast to nobody is no failure
            logger.error("the version event was not sent", extra=extra)
        return sent
