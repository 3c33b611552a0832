"""The results of opening a stream, of a send and of a broadcast. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

__all__ = ["BroadcastResult", "OpenResult", "Published", "SendStatus"]


class OpenResult(Enum):
    """The result of a request for a stream, if no answer is left to send."""

    OPENED = "opened"
    """The stream has opened. (It may have ended already: its client may have left at once.)"""
    REJECTED = "rejected"
    """The backend has refused, and the refusal was written as the only event of a stream."""
    DRAINING = "draining"
    """The gateway is draining, and its farewell was written as the only event of a stream."""
    ABANDONED = "abandoned"
    """The client has left before the backend had answered."""


class SendStatus(StrEnum):
    """The result of a send, in the contract's words."""

    OK = "ok"
    """The event was written, or waits for a slow client."""
    BUFFERED = "buffered"
    """The stream is not open yet. The event will be written when it opens."""


@dataclass(frozen=True, slots=True)
class BroadcastResult:
    """The result of a broadcast.

    Args:
        delivered: the number of streams that have taken the event.
        unknown: the tokens that no stream has, or no stream has any more.
    """

    delivered: int
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """The result of publishing an event through the log.

    Args:
        id: the event's id; empty if no log is open yet, and so no stream either.
        delivered: the number of streams of this process that have taken the event, or read it from
            the log themselves.
    """

    id: str
    delivered: int
