"""The table of the results."""

from __future__ import annotations

import pytest

from app.bench.results.figures import Results
from app.bench.results.table import number, render


def test_render() -> None:
    """Each figure is a line with value, spread, goal and verdict, in columns."""
    results = Results(judged=True)
    results.add("fan_out_to_limit", "to limit", [0.95, 0.91, 0.97])
    results.add("idle_cpu_percent", "idle", 2.5, "%")
    results.add("recovery_seconds", "recovery", 1.2, "s")
    assert render(results).splitlines() == [
        "          measured       spread    goal",
        "-" * 47,
        "to limit      0.95  0.91 - 0.97  >= 0.9     met",
        "idle         2.5 %                 <= 2  MISSED",
        "recovery     1.2 s",
    ]


def test_not_judged() -> None:
    """A run that is not judged shows its goals and says so."""
    results = Results(judged=False)
    results.add("idle_cpu_percent", "idle", 2.5, "%")
    assert render(results).splitlines()[-1] == "idle     2.5 %          <= 2  not judged"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.01234, "0.0123"), (5.678, "5.68"), (123.4, "123"), (98765.4, "98,765")],
)
def test_number(value: float, text: str) -> None:
    """A number has three significant digits, or all digits before the point."""
    assert number(value) == text
