"""File descriptors: the limit of this process, and the shares of streams and requests."""

from __future__ import annotations

import resource

__all__ = ["RESERVED", "raise_limit", "requests_allowed", "streams_allowed"]

RESERVED = 256
"""The number of descriptors for files, the event loop and the connections of tasks."""


def raise_limit() -> int:
    """Raise the soft limit on descriptors to the hard limit, which needs no privilege.

    Returns:
        The limit that is in force now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft


def streams_allowed(limit: int, requests: int) -> int:
    """Return how many streams a limit on descriptors allows. Each stream needs one descriptor.

    Args:
        limit: the limit of the whole process.
        requests: the highest number of connections that are not streams, plus the connections to a
            backend. If the limit is low, half of the descriptors are for streams nevertheless; see
            :func:`requests_allowed`.
    """
    return max(limit - RESERVED - requests, limit // 2)


def requests_allowed(limit: int, streams: int) -> int:
    """Return how many connections that are not streams a limit on descriptors allows.

    Args:
        limit: the limit of the whole process.
        streams: the highest number of streams, plus the connections to a backend.
    """
    available = max(limit - streams, 0)
    return max(available - RESERVED, available // 2)
