"""A gateway behind HTTP: one POST for each stream, side by side, in order for each stream.

The sends wait in :class:`~app.services.remote_gateway.lanes.SendLanes`. A caller waits for the
results of its own sends, for at most one time limit:

- A gateway that is slow but works gets the remaining sends later, in order.
- Sends that wait for a gateway that answers nothing at all are given up after the same time, so
  that they do not pile up.
- Once the gateway has been silent for a whole time limit, callers wait only briefly until it has
  answered again. A task that sends a hundred events is delayed once, not a hundred times.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence

from app.services.gateway_transport import BroadcastResult, TransportError
from app.services.remote_gateway.lanes import SendLanes
from app.services.remote_gateway.post import GatewayPost
from app.services.remote_gateway.sends import Payload, SendResult, SendResults
from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread
from gateway_shim.protocol.event_stream import Event

__all__ = ["HttpTransport"]

logger = logging.getLogger(__name__)

_GRACE_SECONDS = 0.1
"""The time that a gateway that was silent has to show that it answers again."""


class HttpTransport:
    """The :class:`GatewayTransport` to any gateway that speaks the contract over HTTP.

    Any thread may call it.

    Args:
        base_url: the gateway's URL; ``/internal/send`` is appended.
        time_limit: seconds for one POST, and for the wait of one caller.
        concurrency: the number of POSTs at a time.
        secret: is sent as ``X-SSE-Secret``, for gateways that require it.
        clock: monotonic seconds.
        loop_thread: runs the calls of other threads in the event loop's thread.
    """

    def __init__(
        self,
        base_url: str,
        *,
        time_limit: float = 5.0,
        concurrency: int = 16,
        secret: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        loop_thread: LoopThread | None = None,
    ) -> None:
        self.loop_thread = loop_thread or LoopThread()
        self._time_limit = time_limit
        self._clock = clock
        self._lanes = SendLanes(
            GatewayPost(base_url, time_limit=time_limit, connections=concurrency, secret=secret),
            time_limit=time_limit,
            concurrency=concurrency,
            clock=clock,
            loop_thread=self.loop_thread,
        )

    @from_any_thread
    def send(self, token: str, event: Event) -> bool:
        """Send an event to one stream, and wait for the answer (:class:`GatewayTransport`)."""
        results = SendResults(1)
        self._lanes.put(token, Payload(event), results.put)
        self._wait_for(results)
        if results.failure is not None:
            raise TransportError(str(results.failure)) from results.failure
        return results.delivered == 1

    @from_any_thread
    def close(self, token: str) -> None:
        """End a stream, after the events that were sent before (:class:`GatewayTransport`).

        Does not wait for the answer: the caller is a connect callback, to which a gateway gives
        5 s.
        """
        self._lanes.put(token, Payload(None, close=True), _log_failed_close)

    @from_any_thread
    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Send an event to many streams, and wait at most one time limit for all answers."""
        results = self._put_all(tokens, Payload(event))
        self._wait_for(results)
        failed = len(tokens) - results.delivered - len(results.unknown)
        if failed:
            logger.warning(
                "the gateway did not take a broadcast for every stream: %s",
                results.failure,
                extra={"event_name": event.name, "streams": len(tokens), "missing": failed},
            )
        return BroadcastResult(results.delivered, tuple(results.unknown))

    @from_any_thread
    def drain(self, tokens: Sequence[str], farewell: Event, seconds: float) -> None:
        """End all streams with a last event (:class:`GatewayTransport`).

        The event has no ``retry:``, because a send of the contract has no field for it.
        """
        results = self._put_all(tokens, Payload(farewell, close=True))
        self._wait_for(results, seconds)
        if missing := len(tokens) - results.delivered - len(results.unknown):
            logger.warning(
                "the gateway did not end every stream: %s",
                results.failure,
                extra={"streams": len(tokens), "missing": missing},
            )

    def _put_all(self, tokens: Sequence[str], payload: Payload) -> SendResults:
        results = SendResults(len(tokens))
        for token in tokens:  # nothing here yields: all streams get broadcasts in the same order
            self._lanes.put(token, payload, results.put)
        return results

    def _wait_for(self, results: SendResults, at_most: float = math.inf) -> None:
        started = self._clock()
        limit = seconds = min(self._time_limit, at_most)
        if self._lanes.is_silent:
            grace = min(_GRACE_SECONDS, seconds)
            if results.wait(grace):
                return
            if self._lanes.is_silent:
                results.failure = TransportError("the gateway does not answer")
                return
            seconds -= grace
        if not results.wait(seconds):
            self._lanes.note_timeout(started)
            results.failure = TransportError(f"no answer within {limit:g} s")


def _log_failed_close(token: str, result: SendResult) -> None:
    if isinstance(result, TransportError):
        logger.warning("a stream could not be closed: %s", result, extra={"token": token})
