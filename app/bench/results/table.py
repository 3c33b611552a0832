"""The table of the results, for a terminal and for the documentation."""

from __future__ import annotations

from app.bench.results.figures import Figure, Results

__all__ = ["number", "render"]


def render(results: Results) -> str:
    """Return the table: one line per figure, with its goal and the verdict."""
    rows = [("", "measured", "spread", "goal", "")]
    rows += [_row(figure) for figure in results.figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        first, *others = row
        cells = [
            first.ljust(widths[0]),
            *(c.rjust(w) for c, w in zip(others, widths[1:], strict=True)),
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, str, str, str, str]:
    spread = ""
    if figure.spread is not None:
        spread = f"{number(figure.spread[0])} - {number(figure.spread[1])}"
    goal = verdict = ""
    if figure.goal is not None:
        goal = f"{'>=' if figure.goal.at_least else '<='} {number(figure.goal.bound)}"
        verdict = "not judged" if not figure.judged else "MISSED" if figure.missed else "met"
    return figure.text, f"{number(figure.value)} {figure.unit}".rstrip(), spread, goal, verdict


def number(value: float) -> str:
    """Format a number with three significant digits, or all digits before the point."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
