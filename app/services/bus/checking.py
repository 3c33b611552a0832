"""Looks at the Redis of SSE_BUS_URL for ``sse-monolith check``."""

from __future__ import annotations

from app.config import InvalidSettings, Settings

__all__ = ["look_at_bus"]


def look_at_bus(settings: Settings) -> list[str]:
    """Return what could lose events in Redis, or why it cannot be used now; a sentence each.

    Takes some seconds at most.

    Raises:
        InvalidSettings: a server with these settings could never use this Redis; says why, and
            what to do.
    """
    url = settings.bus
    if url is None:
        return []
    # The package redis is an extra, so this is not imported without need.
    from gateway_shim.event_log.brokers.redis.inspection import Severity, inspect

    warnings = []
    for finding in inspect(url, settings.sse_bus_prefix):
        what = finding.what.rstrip(".")
        text = f"SSE_BUS_URL: {what}; {finding.remedy}"
        if finding.severity is Severity.ERROR:
            raise InvalidSettings(text)
        if finding.severity is not Severity.NOTE:
            text += f" ({finding.severity.value})"
        warnings.append(text)
    return warnings
