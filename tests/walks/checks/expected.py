"""The events that are not in the log, as the walk sends them."""

from __future__ import annotations

from typing import NamedTuple

from gateway_shim.event_log.cursor import Cursor

__all__ = ["FAREWELL", "OWN", "Own"]

OWN = "own"
"""The name of events that are sent to one token."""

FAREWELL = "bye"
"""The name of the last event of a drain."""


class Own(NamedTuple):
    """An event that was sent to the stream's token.

    Args:
        data: its data.
        lower: entries up to this one come before the event.
        upper: entries after this one come after the event; None: it is of another epoch.
    """

    data: str
    lower: Cursor
    upper: Cursor | None
