"""The outcomes of sending an event, and the report on one send."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["SendOutcome", "SendReport"]


class SendOutcome(StrEnum):
    """The outcome of sending an event: the ``status`` label of the metrics."""

    SUCCESS = "success"
    """At least one stream took the event, or a stream of another process may take it."""
    NO_STREAM = "no_stream"
    """There is no such stream, or there are no streams at all."""
    ERROR = "error"
    """The gateway could not deliver the event, or its log could not take it."""


@dataclass(frozen=True, slots=True)
class SendReport:
    """The report on one send.

    Args:
        outcome: the outcome.
        delivered: the number of streams of this process that have taken the event, or read it from
            the log.
        id: the event's id in the log; empty if the event is not in a log.
    """

    outcome: SendOutcome
    delivered: int = 0
    id: str = ""
