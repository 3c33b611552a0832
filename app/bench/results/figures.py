"""What was measured, and what it should be."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["GOALS", "Figure", "Goal", "Key", "Results", "quantile"]

Key = str
"""A figure's short name, as in the JSON."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound that a figure should keep.

    Args:
        bound: the value.
        at_least: whether larger is better.
    """

    bound: float
    at_least: bool

    def met(self, value: float) -> bool:
        """Whether a value keeps it."""
        return value >= self.bound if self.at_least else value <= self.bound


GOALS: dict[Key, Goal] = {
    "fan_out_to_limit": Goal(0.9, at_least=True),
    # It falls when the callback client gets faster: it was 150, for a client of half the speed.
    "fan_out_to_http": Goal(50, at_least=True),
    "memory_per_stream_kib": Goal(3, at_least=False),
    "connects_per_second": Goal(2000, at_least=True),
    "single_p50_ms": Goal(0.3, at_least=False),
    "single_p99_ms": Goal(1, at_least=False),
    "idle_cpu_percent": Goal(2, at_least=False),
    "stalled_to_without": Goal(0.9, at_least=True),
    "cost_many_to_few": Goal(1.2, at_least=False),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number.

    Args:
        key: its short name.
        text: what it is, for people.
        value: the median where it was measured more than once.
        unit: of the value; empty for a ratio.
        spread: smallest and largest of the measurements, if there were several.
        judged: whether its goal, if it has one, applies to this run.
    """

    key: Key
    text: str
    value: float
    unit: str = ""
    spread: tuple[float, float] | None = None
    judged: bool = True

    @property
    def goal(self) -> Goal | None:
        """What it should be."""
        return GOALS.get(self.key)

    @property
    def missed(self) -> bool:
        """Whether it should have been otherwise."""
        return self.judged and self.goal is not None and not self.goal.met(self.value)


@dataclass(slots=True)
class Results:
    """All of a run.

    Args:
        judged: whether the goals apply.
        figures: in the order in which they were measured.
        curves: by name, points over the number of streams.
    """

    judged: bool
    figures: list[Figure] = field(default_factory=list)
    curves: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    def add(self, key: Key, text: str, values: float | Sequence[float], unit: str = "") -> float:
        """Keep a figure, the median if there are several values, and return it."""
        values = [values] if isinstance(values, int | float) else list(values)
        value = statistics.median(values)
        spread = (min(values), max(values)) if len(values) > 1 else None
        self.figures.append(Figure(key, text, value, unit, spread, self.judged))
        return value

    def add_point(self, curve: str, streams: int, **values: float) -> None:
        """Keep a point of a curve."""
        self.curves.setdefault(curve, []).append({"streams": streams, **values})

    def value(self, key: Key) -> float | None:
        """A figure that was measured before; None if it was not."""
        return next((figure.value for figure in self.figures if figure.key == key), None)

    @property
    def missed(self) -> list[Figure]:
        """The figures whose goals were missed."""
        return [figure for figure in self.figures if figure.missed]

    def document(self) -> dict[str, Any]:
        """Everything, as JSON."""
        figures = [
            asdict(figure) | {"goal": figure.goal and asdict(figure.goal), "missed": figure.missed}
            for figure in self.figures
        ]
        return {"judged": self.judged, "figures": figures, "curves": self.curves}


def quantile(values: Sequence[float], fraction: float) -> float:
    """The value that a fraction of the others does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * fraction), len(ordered) - 1)]
