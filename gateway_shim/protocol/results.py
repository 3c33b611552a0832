"""The outcome of a send or a broadcast. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["BroadcastResult", "SendStatus"]


class SendStatus(StrEnum):
    """The outcome of a send, in the contract's words."""

    OK = "ok"
    BUFFERED = "buffered"


@dataclass(frozen=True, slots=True)
class BroadcastResult:
    """The outcome of a broadcast.

    Args:
        delivered: how many streams took it.
        unknown: the tokens that no stream has (any more).
    """

    delivered: int
    unknown: tuple[str, ...]
