"""The order of advice."""

from __future__ import annotations

from dataclasses import replace

from app.console.operations.advising import advise
from tests.app.console.operations.samples import LIMITS, sample, series


def test_a_healthy_server() -> None:
    """A healthy server has no warning, also before its first sample."""
    assert advise([], LIMITS) == []
    assert advise(series(600), LIMITS) == []


def test_the_most_urgent_first() -> None:
    """Advice comes by urgency, and each kind once."""
    bad = sample(streams=1000, loop_lag_ms=300, appends_failed=1, in_memory=True)
    limits = replace(LIMITS, state_directory_is_set=False)
    assert [advice.kind for advice in advise([bad], limits)] == [
        "appends_failed",
        "max_streams",
        "loop_lag",
        "log_in_memory",
    ]
