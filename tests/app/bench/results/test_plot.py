"""The plot of the results."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app.bench.errors import BenchFailed
from app.bench.results.figures import Results
from app.bench.results.plot import check_plot, draw


def test_needs_matplotlib(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without matplotlib, the error before the measurements says how to install it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(BenchFailed, match=r"pip install 'sse-monolith\[bench\]'"):
        check_plot(tmp_path / "bench.svg")


def test_format(tmp_path: Path) -> None:
    """Only the formats .svg and .png are accepted."""
    with pytest.raises(
        BenchFailed, match=r"bench\.gif: the name of a plot must end with \.svg or \.png"
    ):
        check_plot(tmp_path / "bench.gif")


def test_folder(tmp_path: Path) -> None:
    """A missing folder is reported before the measurements."""
    with pytest.raises(BenchFailed, match="there is no folder"):
        check_plot(tmp_path / "nowhere" / "bench.svg")


def test_nothing_to_draw(tmp_path: Path) -> None:
    """Results without curves cannot be drawn."""
    with pytest.raises(BenchFailed, match="nothing to draw"):
        draw(Results(judged=True), tmp_path / "bench.svg")


@pytest.mark.needs("matplotlib")
def test_draw(tmp_path: Path) -> None:
    """The plot has a panel for each curve and stays small, and two plots are equal."""
    results = Results(judged=True)
    for streams in (100, 10_000):
        results.add_point(
            "fan_out", streams, per_second=1e5, limit_per_second=1.1e5, p50_ms=1.0, max_ms=2.0
        )
        results.add_point("memory", streams, bytes_per_stream=2000.0)
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    check_plot(first)
    draw(results, first)
    draw(results, second)
    text = first.read_text()
    for title in (
        "Deliveries a second",
        "Latency of a broadcast, ms",
        "Memory of all streams, MiB",
    ):
        assert title in text
    assert len(text) < 100_000
    assert text == second.read_text()
