"""Reports the ends of streams to the backend: one greenlet, in the order of the ends.

Streams end in watchers' callbacks, which run in the hub and must not block. But a backend may take
seconds, and a log line may wait for a handler's lock. So the ends are queued.
"""

from __future__ import annotations

import logging
from collections import deque

import gevent
from gevent.event import Event as Signal

from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.log_lines.frequent_line import FrequentLine
from gateway_shim.protocol import callbacks, stream_request
from gateway_shim.protocol.callbacks import Action, Reason
from gateway_shim.protocol.stream import Stream
from gateway_shim.streams.callbacks.backend import Backend
from gateway_shim.streams.stats import GatewayStats

__all__ = ["Disconnects"]

logger = logging.getLogger(__name__)

_ENDED = FrequentLine(logger, "stream ended")

_MIN_WAITING = 10_000


class Disconnects:
    """The queue of disconnect callbacks.

    Args:
        backend: the backend that gets the reports.
        stats: counts the callbacks that did not arrive.
        max_streams: the limit on open streams; None: no limit. The queue holds as many ends, and
            at least 10,000, because all streams may end at once. If streams end faster than the
            backend answers, the ends that have waited longest are left out.
    """

    def __init__(
        self, backend: Backend, stats: GatewayStats, max_streams: int | None = None
    ) -> None:
        self._backend = backend
        self._stats = stats
        # The ends that were not reported yet, oldest first.
        self._waiting: deque[tuple[Stream, Reason]] = deque()
        self._max_waiting = max(max_streams or 0, _MIN_WAITING)
        # The number of ends that were left out since the last log line about them.
        self._left_out = 0
        # Set when the queue gets its next end.
        self._wake = Signal()
        # Set while the queue is empty and the last callback is over.
        self._idle = Signal()
        self._idle.set()

    def add(self, stream: Stream, reason: Reason) -> None:
        """Queue the disconnect callback of a stream. Never blocks."""
        if len(self._waiting) >= self._max_waiting:
            self._waiting.popleft()
            self._left_out += 1  # logged later: a log line may wait, and this method must not
            self._count_failure()
        self._waiting.append((stream, reason))
        self._idle.clear()
        self._wake.set()

    def run(self) -> None:
        """Send the callbacks without end. Call this in a new greenlet."""
        while True:
            while self._waiting:
                self._log_left_out()
                self._report(*self._waiting.popleft())
                let_others_run_if_due()
            self._wake.clear()
            self._idle.set()
            self._wake.wait()

    def _log_left_out(self) -> None:
        if self._left_out:
            left_out, self._left_out = self._left_out, 0
            logger.warning(
                "the backend is too slow; disconnect callbacks were left out",
                extra={"left_out": left_out},
            )

    def _report(self, stream: Stream, reason: Reason) -> None:
        address, request = stream_request.unpack_request(stream.request)

        def fields() -> dict[str, object]:
            url = stream_request.shorten_url(request["url"])
            return {"token": stream.token, "url": url, "address": address}

        _ENDED.write(lambda: fields() | {"reason": reason.value})
        payload = callbacks.payload(Action.DISCONNECT, stream.token, request, reason)
        try:
            self._backend.disconnect(payload, self._count_failure)
        except Exception:
            # A backend must not raise. If it does, the next callbacks must still be sent.
            logger.exception("the disconnect callback failed", extra=fields())
            self._count_failure()

    def flush(self, seconds: float) -> None:
        """Wait until all ends were reported, for at most ``seconds``.

        Ends that are still in the queue after this time are left out, and their number is logged.
        """
        gevent.with_timeout(seconds, self._flush, seconds, timeout_value=None)
        if self._waiting:
            # A drain ends with this call: no later callback would be sent.
            self._left_out += len(self._waiting)
            self._stats.callbacks_failed += len(self._waiting)
            self._waiting.clear()
            self._log_left_out()

    def _flush(self, seconds: float) -> None:
        self._idle.wait()
        self._backend.flush(seconds)

    def _count_failure(self) -> None:
        self._stats.callbacks_failed += 1
