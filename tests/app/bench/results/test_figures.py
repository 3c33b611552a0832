"""Figures and goals."""

from __future__ import annotations

import pytest

from app.bench.results.figures import GOALS, Figure, Results, quantile


@pytest.mark.parametrize(
    ("key", "value", "missed"),
    [
        ("fan_out_to_limit", 0.9, False),
        ("fan_out_to_limit", 0.89, True),
        ("idle_cpu_percent", 2.0, False),
        ("idle_cpu_percent", 2.1, True),
        ("recovery_seconds", 99.0, False),
    ],
)
def test_missed(key: str, value: float, missed: bool) -> None:
    """A goal is met at its bound, and a figure without a goal cannot miss one."""
    assert Figure(key, "", value).missed is missed


def test_not_judged() -> None:
    """In a run that is not judged, no goal is missed."""
    assert not Figure("fan_out_to_limit", "", 0.1, judged=False).missed


def test_add() -> None:
    """Several measurements give their median and their spread."""
    results = Results(judged=True)
    assert results.add("single_p50_ms", "p50", [3.0, 1.0, 2.0], "ms") == 2.0
    assert results.add("recovery_seconds", "back", 5, "s") == 5
    assert results.figures == [
        Figure("single_p50_ms", "p50", 2.0, "ms", (1.0, 3.0)),
        Figure("recovery_seconds", "back", 5, "s"),
    ]
    assert results.missed == results.figures[:1]
    assert (results.value("recovery_seconds"), results.value("other")) == (5, None)


def test_document() -> None:
    """The JSON data has values, goals, verdicts and curves."""
    results = Results(judged=True)
    results.add("single_p99_ms", "p99", 2.0, "ms")
    results.add_point("fan_out", 100, per_second=5.0)
    assert results.document() == {
        "judged": True,
        "figures": [
            {
                "key": "single_p99_ms",
                "text": "p99",
                "value": 2.0,
                "unit": "ms",
                "spread": None,
                "judged": True,
                "goal": {"bound": 1, "at_least": False},
                "missed": True,
            }
        ],
        "curves": {"fan_out": [{"streams": 100, "per_second": 5.0}]},
    }


def test_quantile() -> None:
    """A quantile is the nearest rank, or the last value."""
    values = [float(value) for value in range(100, 0, -1)]
    assert [quantile(values, part) for part in (0.5, 0.99, 1.0)] == [51.0, 100.0, 100.0]
    assert quantile([7.0], 0.5) == 7.0


def test_goals() -> None:
    """The goals have these bounds."""
    assert {key: goal.bound for key, goal in GOALS.items()} == {
        "fan_out_to_limit": 0.9,
        "fan_out_to_http": 50,
        "memory_per_stream_kib": 2,
        "connects_per_second": 2000,
        "connects_of_floor": 0.18,
        "single_p50_ms": 0.3,
        "single_p99_ms": 1,
        "idle_cpu_percent": 2,
        "stalled_to_without": 0.95,
        "stalled_memory_kib": 1,
        "stalled_trimmed_kib": 1,
        "stalled_cpu_to_off": 0.1,
        "resume_to_connect": 1.5,
        "append_memory_us": 10,
        "append_files_us": 10,
        "tls_of_plain": 0.75,
        "tls_memory_kib": 20,
        "cost_many_to_few": 1.2,
        "workers_connects_ratio": 1.6,
        "workers_deliveries_ratio": 1.35,
        "redis_added_p50_ms": 1,
        "redis_resume_to_connect": 1.5,
    }
