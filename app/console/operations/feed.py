"""Sends each sample to the streams of the consoles that have asked for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import gevent

from app.errors import TooBusy
from app.services.connections.service_type import ServiceType

__all__ = ["EVENT_NAME", "FORGET_SECONDS", "MAX_WATCHERS", "OperationsFeed"]

logger = logging.getLogger(__name__)

EVENT_NAME = "operations_sample"
"""The name of the event."""

MAX_WATCHERS = 200
"""The number of streams that get samples. A further one is refused."""

FORGET_SECONDS = 60.0
"""The time after which a stream that is gone is forgotten. A browser that reloads its page or
changes its network is back before."""


class StreamSender(Protocol):
    """The registry of streams, as the feed uses it."""

    def has_connection(self, request_id: str) -> bool:
        """Return whether the request id has a stream."""
        ...

    def send_event(
        self,
        request_id: str | None,
        event_data: dict[str, Any],
        event_name: str,
        service_type: ServiceType | str,
    ) -> bool:
        """Send an event to one stream; return whether it took the event."""
        ...


class OperationsFeed:
    """The streams that get the samples.

    A send to a gateway behind HTTP may take seconds. So a greenlet of its own sends, and a sample
    that is replaced by a newer one before its turn is not sent: the page then loads what it lacks.

    Args:
        connections: the registry of streams.
        clock: monotonic seconds.
    """

    def __init__(
        self, connections: StreamSender, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connections = connections
        self._clock = clock
        # Request id → when it last had a stream.
        self._watchers: dict[str, float] = {}
        self._newest: dict[str, Any] | None = None  # the sample that is sent next
        self._sending: gevent.Greenlet[[], None] | None = None
        self._has_failed = False

    def __len__(self) -> int:
        """Return the number of streams that get samples."""
        return len(self._watchers)

    def watch(self, request_id: str) -> bool:
        """Send the samples to a stream from now on, until it is gone for a minute.

        Args:
            request_id: the stream's request id.

        Returns:
            Whether the stream is connected to this process now. If not, ask again soon: after a
            reload of the server, the stream may still be connected to the process before.

        Raises:
            TooBusy: too many streams get samples.
        """
        if request_id not in self._watchers and len(self._watchers) >= MAX_WATCHERS:
            self._forget_gone()
            if len(self._watchers) >= MAX_WATCHERS:
                raise TooBusy(
                    f"{MAX_WATCHERS} browsers watch the figures already; close the console in one"
                )
        self._watchers[request_id] = self._clock()
        return self._connections.has_connection(request_id)

    def offer(self, sample: Mapping[str, Any]) -> None:
        """Send a sample to all streams that watch. Does not wait."""
        self._newest = dict(sample)
        if self._watchers and (self._sending is None or self._sending.ready()):
            self._sending = gevent.spawn(self._send_newest)

    def _send_newest(self) -> None:
        try:
            while self._newest is not None:
                sample, self._newest = self._newest, None
                self._forget_gone()
                for request_id in list(self._watchers):
                    self._connections.send_event(
                        request_id, sample, EVENT_NAME, ServiceType.OPERATIONS
                    )
            self._has_failed = False
        except Exception:
            if not self._has_failed:  # logged once: the next try is in five seconds
                logger.exception("the samples of the operations page could not be sent")
            self._has_failed = True

    def _forget_gone(self) -> None:
        now = self._clock()
        for request_id, seen in list(self._watchers.items()):
            if self._connections.has_connection(request_id):
                self._watchers[request_id] = now
            elif now - seen > FORGET_SECONDS:
                del self._watchers[request_id]
