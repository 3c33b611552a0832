"""A stream as the connection manager has registered it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Registered"]


class Registered(NamedTuple):
    """A registered stream.

    Args:
        token: the gateway's name for the stream.
        url: the request target that the stream was opened with, shortened if it is very long.
        since: when the stream was registered, monotonic seconds.
    """

    token: str
    url: str
    since: float
