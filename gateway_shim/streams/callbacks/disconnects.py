"""Telling that streams have ended: one greenlet, in the order of the endings.

Streams end in the hub's watcher callbacks, which must not block: a backend may take seconds, and
a log line may wait for a handler's lock.
"""

from __future__ import annotations

import logging
from collections import deque

import gevent
from gevent.event import Event as Signal

from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.protocol import callbacks, stream_request
from gateway_shim.protocol.callbacks import Action, Reason
from gateway_shim.protocol.lifecycle import Stream
from gateway_shim.streams.callbacks.backend import Backend
from gateway_shim.streams.stats import GatewayStats

__all__ = ["Endings"]

logger = logging.getLogger(__name__)

_MIN_WAITING = 10_000


class Endings:
    """The queue of disconnect callbacks.

    Args:
        backend: who is told.
        stats: where callbacks that did not arrive are counted.
        max_streams: the limit on open streams; None: no limit. As many endings may wait to be
            told, and at least 10,000: all streams may end at once. A backend that answers slower
            than streams end is not told of the endings that have waited longest.
    """

    def __init__(
        self, backend: Backend, stats: GatewayStats, max_streams: int | None = None
    ) -> None:
        self._backend = backend
        self._stats = stats
        self._waiting: deque[tuple[Stream, Reason]] = deque()
        self._max_waiting = max(max_streams or 0, _MIN_WAITING)
        self._left_out = 0
        self._wake = Signal()
        self._idle = Signal()
        self._idle.set()

    def add(self, stream: Stream, reason: Reason) -> None:
        """Have the backend told about one stream's end. Never blocks."""
        if len(self._waiting) >= self._max_waiting:
            self._waiting.popleft()
            self._left_out += 1  # logged later: a log line may wait, and this must not
            self._count_failure()
        self._waiting.append((stream, reason))
        self._idle.clear()
        self._wake.set()

    def run(self) -> None:
        """Tell for ever; run it in a greenlet of its own."""
        while True:
            while self._waiting:
                self._log_left_out()
                self._tell(*self._waiting.popleft())
                let_others_run_if_due()
            self._wake.clear()
            self._idle.set()
            self._wake.wait()

    def _log_left_out(self) -> None:
        if self._left_out:
            left_out, self._left_out = self._left_out, 0
            logger.warning(
                "the backend is too slow to be told of every end", extra={"left_out": left_out}
            )

    def _tell(self, stream: Stream, reason: Reason) -> None:
        address, request = stream_request.unpack_request(stream.request)
        url = stream_request.shorten_url(request["url"])
        extra = {"token": stream.token, "url": url, "address": address}
        logger.info("stream ended", extra=extra | {"reason": reason.value})
        payload = callbacks.payload(Action.DISCONNECT, stream.token, request, reason)
        try:
            self._backend.disconnect(payload, self._count_failure)
        except Exception:
            # A backend must not raise; one that does must not keep the others from being told.
            logger.exception("the backend could not be told", extra=extra)
            self._count_failure()

    def flush(self, seconds: float) -> None:
        """Wait until the backend has been told everything, for at most ``seconds``.

        What it has not been told by then is left out, and logged.
        """
        gevent.with_timeout(seconds, self._flush, seconds, timeout_value=None)
        if self._waiting:
            # A drain ends with this, so that nobody tells the backend later.
            self._left_out += len(self._waiting)
            self._stats.callbacks_failed += len(self._waiting)
            self._waiting.clear()
            self._log_left_out()

    def _flush(self, seconds: float) -> None:
        self._idle.wait()
        self._backend.flush(seconds)

    def _count_failure(self) -> None:
        self._stats.callbacks_failed += 1
