"""The log of streams that a limit refused: a storm of clients is not a storm of lines."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from gateway_shim.contract import Refusal
from gateway_shim.stats import GatewayStats
from gateway_shim.stream_request import StreamRequest

__all__ = ["LimitLog"]

logger = logging.getLogger(__name__)

_INTERVAL_SECONDS = 1.0


class LimitLog:
    """Logs refused streams, once a second at most.

    Args:
        stats: where refused streams are counted.
        clock: monotonic seconds.
    """

    def __init__(self, stats: GatewayStats, clock: Callable[[], float]) -> None:
        self._stats = stats
        self._clock = clock
        self._logged_at = -math.inf

    def add(self, request: StreamRequest, refusal: Refusal) -> None:
        """Log one refused stream, unless another one was logged within the last second.

        Args:
            request: the browser's request.
            refusal: what it is answered.
        """
        now = self._clock()
        if now < self._logged_at + _INTERVAL_SECONDS:
            return
        self._logged_at = now
        extra = {"url": request.url, "address": request.address, "answer": refusal.status}
        logger.warning("stream refused by a limit", extra=extra | {"refused": self._stats.refused})
