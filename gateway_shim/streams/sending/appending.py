"""Appends to the log, and says when the log takes no entries, and when it takes them again."""

from __future__ import annotations

import logging

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.log import Log
from gateway_shim.streams.stats import GatewayStats

__all__ = ["Appending"]

logger = logging.getLogger(__name__)


class Appending:
    """Appends to the log. Failures are counted, and logged once for each reason.

    Args:
        log: the log.
        stats: counts failures.
    """

    def __init__(self, log: Log, stats: GatewayStats) -> None:
        self._log = log
        self._stats = stats
        # Why the last append has failed; None: it has not.
        self._reason: str | None = None

    def append(self, audience: str, data: bytes) -> int:
        """Append an entry, and return its position (:meth:`Log.append`).

        Raises:
            LogUnavailable: the entry could not be appended.
        """
        try:
            position = self._log.append(audience, data)
        except LogUnavailable as exc:
            self._stats.appends_failed += 1
            if str(exc) != self._reason:
                self._reason = str(exc)
                logger.error(
                    "the event log takes no events; nobody gets what is published now",
                    extra={"reason": self._reason},
                )
            raise
        if self._reason is not None:
            self._reason = None
            logger.warning("the event log takes events again")
        return position
