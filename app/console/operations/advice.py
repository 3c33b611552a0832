"""Advice about the server, in words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Advice", "Level"]


class Level(StrEnum):
    """The urgency of an advice, the most urgent first."""

    BAD = "bad"
    """Events are lost, or streams are refused."""
    WARNING = "warning"
    """This may come, or people notice a delay."""
    NOTE = "note"
    """A fact that one should know about this server."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One to three sentences about the server.

    Args:
        kind: the name of the rule. Each kind occurs at most once.
        level: the urgency.
        text: the finding with its figures, and what to do.
    """

    kind: str
    level: Level
    text: str
