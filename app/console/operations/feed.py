"""Sends each sample to the streams of the consoles that have asked for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import gevent

from app.errors import TooBusy
from app.services.connections.service_type import ServiceType
from gateway_shim.streams.peers.peers import Peers

__all__ = ["EVENT_NAME", "FORGET_SECONDS", "MAX_WATCHERS", "OperationsFeed"]

logger = logging.getLogger(__name__)

EVENT_NAME = "operations_sample"
"""The name of the event."""

MAX_WATCHERS = 200
"""The number of streams that get samples. A further one is refused."""

FORGET_SECONDS = 60.0
"""The time after which a stream that is gone is forgotten. A browser that reloads its page or
changes its network is back before."""


_QUESTION = "operations_watch"


class StreamSender(Protocol):
    """The registry of streams, as the feed uses it."""

    def token_of(self, request_id: str) -> str | None:
        """Return the token of the request id's stream in this process; None if it has none."""
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
        peers: the other processes, each of which sends to its own streams; None: there are none.
    """

    def __init__(
        self,
        connections: StreamSender,
        clock: Callable[[], float] = time.monotonic,
        peers: Peers | None = None,
    ) -> None:
        self._connections = connections
        self._peers = peers
        self._clock = clock
        # Request id → when it last had a stream.
        self._watchers: dict[str, float] = {}
        self._newest: dict[str, Any] | None = None  # the sample that is sent next
        self._sending: gevent.Greenlet[[], None] | None = None
        self._has_failed = False
        if peers is not None:
            peers.when_asked(_QUESTION, self._answer)

    def __len__(self) -> int:
        """Return the number of streams that get samples."""
        return len(self._watchers)

    def watch(self, request_id: str) -> bool:
        """Send the samples to a stream from now on, until it is gone for a minute.

        Args:
            request_id: the stream's request id.

        Returns:
            Whether the stream is connected now. If not, ask again soon: it may be on its way.

        Raises:
            TooBusy: too many streams get samples.
        """
        if self._connections.token_of(request_id) is None and self._is_watched_elsewhere(
            request_id
        ):
            return True
        return self._watch(request_id)

    def _watch(self, request_id: str) -> bool:
        if request_id not in self._watchers and len(self._watchers) >= MAX_WATCHERS:
            self._forget_gone()
            if len(self._watchers) >= MAX_WATCHERS:
                raise TooBusy(
                    f"{MAX_WATCHERS} browsers watch the figures already; close the console in one"
                )
        self._watchers[request_id] = self._clock()
        return self._connections.token_of(request_id) is not None

    def _is_watched_elsewhere(self, request_id: str) -> bool:
        if self._peers is None or not self._peers.are_there:
            return False
        answers = [answer.data for answer in self._peers.ask(_QUESTION, request_id)]
        if any(isinstance(answer, str) for answer in answers):
            raise TooBusy(next(answer for answer in answers if isinstance(answer, str)))
        return True in answers

    def _answer(self, request_id: Any) -> Any:
        """Return True if the stream is here; a text if it is and must not get samples."""
        if not isinstance(request_id, str) or self._connections.token_of(request_id) is None:
            return None
        try:
            return self._watch(request_id)
        except TooBusy as exc:
            return str(exc)

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
                    # A stream that has moved to another process gets its samples there.
                    if self._connections.token_of(request_id) is not None:
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
            if self._connections.token_of(request_id) is not None:
                self._watchers[request_id] = now
            elif now - seen > FORGET_SECONDS:
                del self._watchers[request_id]
