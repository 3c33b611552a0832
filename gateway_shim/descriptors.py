"""File descriptors: how many this process may have, and how many streams that allows."""

from __future__ import annotations

import resource

__all__ = ["RESERVED", "idle_allowed", "raise_limit", "streams_allowed"]

RESERVED = 256
"""Descriptors kept for everything that is no stream: requests, files, the event loop."""


def raise_limit() -> int:
    """Raise the soft limit on descriptors to the hard one, which needs no privilege.

    Returns:
        The limit that holds now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft


def streams_allowed(limit: int) -> int:
    """How many streams a limit on descriptors allows: each needs one.

    Args:
        limit: of the whole process.
    """
    return max(limit - RESERVED, limit // 2)


def idle_allowed(limit: int, streams: int) -> int:
    """Return how many idle connections leave enough descriptors for others.

    They may have every descriptor that streams could have and do not have now, and at least half
    of those that no stream may have.

    Args:
        limit: of the whole process.
        streams: the streams that are open now.
    """
    most_streams = streams_allowed(limit)
    return max(most_streams - streams, (limit - most_streams) // 2)
