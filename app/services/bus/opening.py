"""The function that opens the log of this server's events."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from app.config import Settings
from app.services.bus.bus import Bus
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.log import Log

__all__ = ["log_opener"]


def log_opener(settings: Settings, bus: Bus) -> Callable[[], Log] | None:
    """Return the function that opens the log; None if events are not kept.

    Args:
        settings: the settings.
        bus: the way to the other servers, which opens the log.
    """
    if not settings.replays:
        return None
    limits = LogLimits(settings.sse_replay_bytes, settings.sse_replay_seconds)
    return partial(bus.open_log, limits, settings.sse_dialect)
