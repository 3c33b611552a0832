"""Finds out what a person should look at. Pure.

The thresholds of the rules are chosen so that a healthy server has no warning. The page tells for
a minute what has happened, and for five minutes what was lost.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.console.operations.advice import Advice, Level
from app.console.operations.history import History
from app.console.operations.limits import OperationsLimits
from app.console.operations.sample import Sample
from app.console.operations.server_rules import SERVER_RULES
from app.console.operations.stream_rules import STREAM_RULES

__all__ = ["advise"]


def advise(samples: Sequence[Sample], limits: OperationsLimits) -> list[Advice]:
    """Return what a person should look at, the most urgent first.

    Args:
        samples: the samples of the last ten minutes, oldest first.
        limits: the limits of the server.
    """
    if not samples:
        return []
    history = History(samples)
    found = [advice for rule in (*STREAM_RULES, *SERVER_RULES) for advice in rule(history, limits)]
    return sorted(found, key=lambda advice: list(Level).index(advice.level))
