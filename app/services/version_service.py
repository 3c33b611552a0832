"""Sends the current version of the frontend to browsers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Protocol

import gevent
from gevent.pool import Pool

from app.config import Settings
from app.lifecycle import ShutdownCoordinator
from app.services.connections.event_json import event_json
from app.services.connections.observers import ConnectObserver
from app.services.connections.send_outcome import SendOutcome, SendReport
from app.services.connections.service_type import ServiceType
from app.services.frontend_version.pending import PendingVersions
from app.services.frontend_version.source import VersionSource, version_source
from app.state.server_memory import ServerMemory
from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread
from gateway_shim.protocol.event_stream import Event
from gateway_shim.streams.peers.peers import Peers

__all__ = ["Announcement", "VersionService"]

logger = logging.getLogger(__name__)

EVENT_NAME = "version"

RECENT_SECONDS = 5.0
"""The age of a stream up to which it may have missed a version that was kept as it connected."""


class Announcement(StrEnum):
    """The outcome of announcing a version."""

    DELIVERED = "delivered"
    """The version was broadcast, the request id has a stream, and its later connects get it too."""
    QUEUED = "queued"
    """The version was broadcast, and its request id gets it with its next connect: at present the
    request id has no stream, or nothing could be sent."""
    LOST = "lost"
    """The log did not take the version, so only its request id gets it, with its next connect."""
    REFUSED = "refused"
    """The version was neither sent nor kept, because the shutdown has begun."""


class _VersionConnections(Protocol):
    """The part of ConnectionManager that this service uses."""

    def has_connection(self, request_id: str) -> bool: ...

    def age_here(self, request_id: str) -> float | None: ...

    def register_on_connect(self, callback: ConnectObserver) -> None: ...

    def send(
        self, request_id: str | None, event: Event, service_type: ServiceType
    ) -> SendReport: ...


class VersionService:
    """Sends the event ``version``: to each stream that connects, and to all when one is queued.

    If the current version must be fetched first, a stream opens without it. One fetch serves all
    waiting streams, and each of them gets the version when the fetch has ended. Any thread may call
    the methods.

    Args:
        connection_manager: reports connects, and sends the events.
        shutdown_coordinator: says when version events must no longer be sent.
        settings: name the source of the current version, unless ``source`` is given.
        source: the source of the current version.
        memory: where pending versions are saved, so that they outlive this process; None: nowhere.
        peers: the other processes of the server; None: there are none.
        loop_thread: runs the calls of other threads in the event loop's thread.
        bus_problem: returns why other servers cannot be told now; None if they can.
    """

    def __init__(
        self,
        connection_manager: _VersionConnections,
        shutdown_coordinator: ShutdownCoordinator,
        settings: Settings,
        *,
        source: VersionSource | None = None,
        memory: ServerMemory | None = None,
        peers: Peers | None = None,
        loop_thread: LoopThread | None = None,
        bus_problem: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.loop_thread = loop_thread or LoopThread()
        self._connections = connection_manager
        self._coordinator = shutdown_coordinator
        self._source = source or version_source(settings, self.loop_thread)
        self._pending = PendingVersions(
            memory or ServerMemory(),
            peers or Peers(),
            self._send_if_recent,
            lambda: bus_problem() is None,
        )
        self._replays = settings.replays
        # The request ids that wait for a fetch, in order. Only the loop's thread uses it.
        self._waiting: dict[str, None] = {}
        # Bounded, because a gateway behind HTTP gets one POST for each stream that has waited.
        self._senders = Pool(settings.sse_gateway_concurrency)
        connection_manager.register_on_connect(self.on_connect)

    @from_any_thread
    def on_connect(self, request_id: str) -> None:
        """Send a stream that connects its version: now, or after the current version is fetched.

        The connect does not wait for the fetch. A connect that waits occupies one of the places
        of SSE_MAX_PENDING_CONNECTS, and a thousand browsers may come back within a second.

        Args:
            request_id: the request id of the stream. If it has a pending version, that is sent
                instead of the current version.
        """
        if self._coordinator.is_shutting_down():
            return
        event = self._pending.get(request_id) or self._source.cached()
        if event is not None:
            self._send(request_id, event)
        elif self.loop_thread.serves_here:
            if not self._waiting:
                gevent.spawn(self._send_when_fetched)
            self._waiting[request_id] = None
        else:  # without a running event loop, no greenlet would run later
            self._send_version(request_id, self._source.current())

    @from_any_thread
    def queue_version_event(
        self, request_id: str, version: str, changelog: str | None = None
    ) -> bool:
        """Broadcast a version, and keep it for the next connects of one request id.

        Args:
            request_id: the request id whose pending version it becomes, in place of any earlier
                one.
            version: the new version.
            changelog: the changes in the version, if they are known.

        Returns:
            Whether the version was accepted. Once the shutdown has begun: False, and nothing is
            sent or kept. True does not mean that it was sent; see :meth:`announce`.
        """
        return self.announce(request_id, version, changelog) is not Announcement.REFUSED

    @from_any_thread
    def announce(self, request_id: str, version: str, changelog: str | None = None) -> Announcement:
        """Do the same as :meth:`queue_version_event`, and return whether the stream was reached.

        Args:
            request_id: the request id whose pending version it becomes, in place of any earlier
                one.
            version: the new version.
            changelog: the changes in the version, if they are known.
        """
        if self._coordinator.is_shutting_down():
            logger.info(
                "a version was not announced: the server is shutting down",
                extra={"version": version},
            )
            return Announcement.REFUSED
        event = {"version": version}
        if changelog is not None:
            event["changelog"] = changelog
        # Kept before it is sent: a stream that connects in between gets the version twice. In the
        # other order it would not get the version at all.
        self._pending.keep(request_id, event)
        outcome = self._broadcast(event)
        if outcome is SendOutcome.ERROR and self._replays:
            return Announcement.LOST
        # Asked after the send: a stream that the gateway no longer knew is unregistered by now,
        # and a stream that has connected meanwhile got the version when it connected.
        is_sent = outcome is SendOutcome.SUCCESS
        is_reached = is_sent and self._connections.has_connection(request_id)
        return Announcement.DELIVERED if is_reached else Announcement.QUEUED

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
        # A stream that has moved to another process gets its version there.
        is_here = self._connections.age_here(request_id) is not None
        if is_here and not self._coordinator.is_shutting_down():
            self._send_version(request_id, current)

    def _send_if_recent(self, request_id: str, event: dict[str, Any]) -> None:
        """Send a version that another process keeps, if the stream may have just missed it.

        A stream that connects here at this moment may have asked for its pending version too early,
        and have joined too late for the broadcast. A few get the version twice.
        """
        age = self._connections.age_here(request_id)
        if age is not None and age < RECENT_SECONDS and not self._coordinator.is_shutting_down():
            self._send(request_id, event)

    def _send_version(self, request_id: str, current: dict[str, Any]) -> None:
        # A version that was queued during the fetch is newer. This stream has it already, and
        # must not get the older one after it.
        self._send(request_id, self._pending.get(request_id) or current)

    def _broadcast(self, event: dict[str, Any]) -> SendOutcome:
        try:
            sent = Event(EVENT_NAME, event_json(event))
            return self._connections.send(None, sent, ServiceType.VERSION).outcome
        except Exception:
            extra = {"version": event.get("version")}
            logger.exception("sending the version event failed", extra=extra)
            return SendOutcome.NO_STREAM  # the log may have taken it

    def _send(self, request_id: str, event: dict[str, Any]) -> None:
        # Whatever goes wrong here, the pending version is kept: the next connect sends it.
        extra = {"request_id": request_id, "version": event.get("version")}
        try:
            sent = Event(EVENT_NAME, event_json(event))
            outcome = self._connections.send(request_id, sent, ServiceType.VERSION).outcome
        except Exception:
            logger.exception("sending the version event failed", extra=extra)
            return
        # Without a stream, the browser has left or has connected again, which is no error.
        if outcome is SendOutcome.ERROR:
            logger.error("the version event was not sent", extra=extra)
