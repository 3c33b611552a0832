"""File descriptors: how many this process may have, and what they are for."""

from __future__ import annotations

import resource

__all__ = ["RESERVED", "raise_limit", "requests_allowed", "streams_allowed"]

RESERVED = 256
"""Descriptors kept for what is no client's: files, the event loop, connections of tasks."""


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


def streams_allowed(limit: int, requests: int) -> int:
    """Return how many streams a limit on descriptors allows: each needs one.

    Args:
        limit: of the whole process.
        requests: the connections that are no stream, and those to a backend, at most. Where
            descriptors are few, half of them are for streams all the same; see
            :func:`requests_allowed`.
    """
    return max(limit - RESERVED - requests, limit // 2)


def requests_allowed(limit: int, streams: int) -> int:
    """Return how many connections that are no stream a limit on descriptors allows.

    Args:
        limit: of the whole process.
        streams: how many streams there may be, and connections to a backend.
    """
    left = max(limit - streams, 0)
    return max(left - RESERVED, left // 2)
