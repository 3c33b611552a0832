"""The directory that all processes of a server share."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["StatePlace"]


class StatePlace(NamedTuple):
    """The directory that all processes of a server share.

    Args:
        directory: the directory; only the server's user may enter it.
        durable: whether it survives a restart of the server, so the machine may lose its power.
        workers: the number of processes that serve at the same time.
    """

    directory: Path
    durable: bool
    workers: int = 1
