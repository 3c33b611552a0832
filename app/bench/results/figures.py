"""The measured figures, and the goals for them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["GOALS", "Figure", "Goal", "Key", "Results", "quantile"]

Key = str
"""The short name of a figure, as in the JSON file."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound for a figure.

    Args:
        bound: the value of the bound.
        at_least: True for a lower bound, False for an upper bound.
    """

    bound: float
    at_least: bool

    def met(self, value: float) -> bool:
        """Return whether a value keeps the bound."""
        return value >= self.bound if self.at_least else value <= self.bound


GOALS: dict[Key, Goal] = {
    "fan_out_to_limit": Goal(0.9, at_least=True),
    # This ratio falls when the callback client gets faster. The goal was 150 for a client of half
    # the present speed.
    "fan_out_to_http": Goal(50, at_least=True),
    "memory_per_stream_kib": Goal(2, at_least=False),
    "connects_per_second": Goal(2000, at_least=True),
    "connects_of_floor": Goal(0.18, at_least=True),
    "single_p50_ms": Goal(0.3, at_least=False),
    "single_p99_ms": Goal(1, at_least=False),
    "idle_cpu_percent": Goal(2, at_least=False),
    "stalled_to_without": Goal(0.95, at_least=True),
    "stalled_memory_kib": Goal(1, at_least=False),
    "stalled_trimmed_kib": Goal(1, at_least=False),
    "stalled_cpu_to_off": Goal(0.1, at_least=False),
    "resume_to_connect": Goal(1.5, at_least=False),
    "append_memory_us": Goal(10, at_least=False),
    "append_files_us": Goal(10, at_least=False),
    "tls_of_plain": Goal(0.75, at_least=True),
    "tls_memory_kib": Goal(20, at_least=False),
    "workers_connects_ratio": Goal(1.6, at_least=True),
    "workers_deliveries_ratio": Goal(1.35, at_least=True),
    "redis_added_p50_ms": Goal(1, at_least=False),
    "redis_resume_to_connect": Goal(1.5, at_least=False),
    "cost_many_to_few": Goal(1.2, at_least=False),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number.

    Args:
        key: the short name.
        text: the description, for people.
        value: the value; the median if it was measured several times.
        unit: the unit of the value; empty for a ratio.
        spread: the smallest and the largest measurement, or None if there was only one.
        judged: whether the goal of the figure, if any, applies to this run.
    """

    key: Key
    text: str
    value: float
    unit: str = ""
    spread: tuple[float, float] | None = None
    judged: bool = True

    @property
    def goal(self) -> Goal | None:
        """The goal of the figure, or None."""
        return GOALS.get(self.key)

    @property
    def missed(self) -> bool:
        """True if the goal applies and the value does not keep it."""
        return self.judged and self.goal is not None and not self.goal.met(self.value)


@dataclass(slots=True)
class Results:
    """All results of a run.

    Args:
        judged: whether the goals apply to the run.
        figures: the figures, in the order in which they were measured.
        curves: the points of each curve over the number of streams, by the curve's name.
    """

    judged: bool
    figures: list[Figure] = field(default_factory=list)
    curves: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    def add(self, key: Key, text: str, values: float | Sequence[float], unit: str = "") -> float:
        """Add a figure, the median if there are several values, and return its value."""
        values = [values] if isinstance(values, int | float) else list(values)
        value = statistics.median(values)
        spread = (min(values), max(values)) if len(values) > 1 else None
        self.figures.append(Figure(key, text, value, unit, spread, self.judged))
        return value

    def add_point(self, curve: str, streams: int, **values: float) -> None:
        """Add a point to a curve."""
        self.curves.setdefault(curve, []).append({"streams": streams, **values})

    def value(self, key: Key) -> float | None:
        """Return the value of a figure; None if it was not measured."""
        return next((figure.value for figure in self.figures if figure.key == key), None)

    @property
    def missed(self) -> list[Figure]:
        """The figures that missed their goals."""
        return [figure for figure in self.figures if figure.missed]

    def document(self) -> dict[str, Any]:
        """Return all results as JSON data."""
        figures = [
            asdict(figure) | {"goal": figure.goal and asdict(figure.goal), "missed": figure.missed}
            for figure in self.figures
        ]
        return {"judged": self.judged, "figures": figures, "curves": self.curves}


def quantile(values: Sequence[float], fraction: float) -> float:
    """Return the quantile of the values (nearest rank).

    Args:
        values: the values, in any order.
        fraction: the fraction of the values that do not exceed the quantile, 0.0 to 1.0.
    """
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * fraction), len(ordered) - 1)]
