"""The outcomes of sending an event."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["SendOutcome"]


class SendOutcome(StrEnum):
    """The outcome of sending an event: the ``status`` label of the metrics."""

    SUCCESS = "success"
    """At least one stream took the event."""
    NO_STREAM = "no_stream"
    """There is no such stream, or there are no streams at all."""
    ERROR = "error"
    """The gateway could not deliver the event, or its log could not take it."""
