"""The sizes of a run."""

from __future__ import annotations

import pytest

from app.bench.errors import BenchFailed
from app.bench.plan import fit, full, quick


def test_full() -> None:
    """A full run has the sizes that the goals are for."""
    plan = full(5000, None)
    assert (plan.streams, plan.many, plan.few, plan.judged) == (5000, 10_000, 100, True)
    assert plan.steps == [100, 1000, 2500, 5000, 10_000]
    assert plan.idle_seconds % plan.heartbeat_seconds == 0


def test_smaller_is_not_judged() -> None:
    """A run with fewer than 5,000 streams is not judged by the goals."""
    assert not full(1000, None).judged
    assert not quick(None, None).judged
    assert not quick(5000, None).judged


def test_events() -> None:
    """A burst has about the same number of deliveries for any number of streams."""
    plan = full(5000, None)
    assert [plan.events_for(streams) for streams in (100, 5000, 10_000)] == [2000, 40, 20]
    assert full(5000, 7).events_for(100) == 7


def test_fits() -> None:
    """With enough descriptors, a plan is not changed."""
    plan = full(5000, None)
    assert fit(plan, 20_000) == (plan, None)


def test_reduced() -> None:
    """With fewer descriptors, a plan is smaller and not judged, and the message says what to do."""
    plan, message = fit(full(5000, None), 4096)
    assert (plan.streams, plan.many, plan.steps) == (2048, 2048, [100, 1000, 2048])
    assert not plan.judged
    assert message == (
        "a process may have 4,096 descriptors, so 10,000 streams become 2,048;"
        " raise the limit with: ulimit -n 12300"
    )


def test_too_few() -> None:
    """With very few descriptors, the run fails with the command to use."""
    with pytest.raises(BenchFailed, match="ulimit -n"):
        fit(full(5000, None), 256)
