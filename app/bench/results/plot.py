"""The plot of the results: deliveries, latency and memory over the number of streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.bench.errors import BenchFailed
from app.bench.results.figures import Results

__all__ = ["check_plot", "draw"]

_OURS, _LIMIT, _SLOWEST = "#1f6feb", "#8c959f", "#9ec2ff"
Points = list[dict[str, float]]

_FORMATS = (".svg", ".png")


def check_plot(path: Path) -> None:
    """Check that a plot can be drawn. Call this before the measurements, which take minutes.

    Raises:
        BenchFailed: the plot cannot be drawn; the message says what to do.
    """
    if path.suffix not in _FORMATS:
        raise BenchFailed(f"{path.name}: the name of a plot must end with .svg or .png")
    if not path.parent.is_dir():
        raise BenchFailed(f"there is no folder {path.parent}")
    _matplotlib()


def draw(results: Results, path: Path) -> None:
    """Draw the curves of the results.

    Raises:
        BenchFailed: the results have no curves.
    """
    fan_out, memory = results.curves.get("fan_out"), results.curves.get("memory")
    if not fan_out and not memory:
        raise BenchFailed("there is nothing to draw; measure the section fan-out or connects")
    pyplot = _matplotlib()
    panels: list[tuple[Callable[[Any, Points], None], Points]] = []
    if fan_out:
        panels += [(_deliveries, fan_out), (_latency, fan_out)]
    if memory:
        panels.append((_memory, memory))
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(4 * len(panels), 3.2), layout="constrained", squeeze=False
    )
    for (panel, points), axis in zip(panels, axes[0], strict=True):
        panel(axis, points)
        axis.set_xlabel("streams")
        axis.set_ylim(bottom=0)
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", color="#d0d7de", linewidth=0.6)
    figure.savefig(path, dpi=144, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _deliveries(axis: Any, points: Points) -> None:
    _line(axis, points, "limit_per_second", "bare loop of send", _LIMIT)
    _line(axis, points, "per_second", "sse-monolith", _OURS)
    axis.set_title("Deliveries a second", fontsize=10)
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.legend(frameon=False, fontsize=8, loc="lower right")


def _latency(axis: Any, points: Points) -> None:
    _line(axis, points, "max_ms", "last stream", _SLOWEST)
    _line(axis, points, "p50_ms", "median stream", _OURS)
    axis.set_title("Latency of a broadcast, ms", fontsize=10)
    axis.legend(frameon=False, fontsize=8, loc="upper left")


def _memory(axis: Any, points: Points) -> None:
    streams = [point["streams"] for point in points]
    total = [point["bytes_per_stream"] * point["streams"] / 2**20 for point in points]
    axis.plot(streams, total, color=_OURS, marker="o", markersize=3)
    axis.set_title("Memory of all streams, MiB", fontsize=10)


def _line(axis: Any, points: Points, key: str, label: str, color: str) -> None:
    values = [point[key] for point in points]
    streams = [point["streams"] for point in points]
    axis.plot(streams, values, color=color, label=label, marker="o", markersize=3)


def _matplotlib() -> Any:
    try:
        import matplotlib  # type: ignore[import-not-found,unused-ignore]  # an extra
    except ImportError as exc:
        raise BenchFailed(
            "--plot needs matplotlib; install it with: pip install 'sse-monolith[bench]'"
        ) from exc
    matplotlib.use("Agg")
    matplotlib.rcParams.update(
        # Text stays text, so that the file is small and the browser uses its own font. The salt
        # makes IDs the same in each run, so that the files of two runs can be compared.
        {"svg.fonttype": "none", "svg.hashsalt": "sse-monolith", "font.size": 8}
    )
    from matplotlib import pyplot

    return pyplot
