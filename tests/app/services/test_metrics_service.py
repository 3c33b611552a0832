"""The metrics of the process."""

from __future__ import annotations

import inspect
import platform
from functools import partial
from typing import Any

import pytest

from app.program.version import application_version
from app.services.metrics_service import MetricsService, MetricsServiceProtocol, NullMetrics
from gateway_shim.streams.stats import GatewayStats


def values(metrics: MetricsService, prefix: str) -> dict[str, float]:
    """Return the samples with a prefix, without histogram buckets and creation times."""
    found = {}
    for line in metrics.render().decode().splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith(prefix) and "_created" not in name and "_bucket" not in name:
            found[name] = float(value)
    return found


@pytest.fixture
def metrics() -> MetricsService:
    """Return the service under test."""
    return MetricsService("1.2.3")


def test_connections_are_there_from_the_start(metrics: MetricsService) -> None:
    """The counters of connections exist at 0 before the first connect, for alerts on rates."""
    assert values(metrics, "sse_gateway_") == {
        'sse_gateway_connections_total{action="connect"}': 0.0,
        'sse_gateway_connections_total{action="disconnect"}': 0.0,
        "sse_gateway_active_connections": 0.0,
        "sse_gateway_broadcast_duration_seconds_count": 0.0,
        "sse_gateway_broadcast_duration_seconds_sum": 0.0,
        "sse_gateway_broadcast_deliveries_total": 0.0,
    }


def test_connections(metrics: MetricsService) -> None:
    """Connects, disconnects and open streams are counted."""
    metrics.connection_opened()
    metrics.connection_opened()
    metrics.connection_closed()
    metrics.set_active_connections(1)
    assert values(metrics, "sse_gateway_connections") == {
        'sse_gateway_connections_total{action="connect"}': 2.0,
        'sse_gateway_connections_total{action="disconnect"}': 1.0,
    }
    assert values(metrics, "sse_gateway_active") == {"sse_gateway_active_connections": 1.0}


def test_sends(metrics: MetricsService) -> None:
    """Sends are counted by service and status, and timed by service."""
    metrics.event_sent("task", "success", 0.25)
    metrics.event_sent("task", "error", 0.5)
    metrics.event_sent("version", "success", 1.0)
    assert values(metrics, "sse_gateway_events") == {
        'sse_gateway_events_sent_total{service="task",status="success"}': 1.0,
        'sse_gateway_events_sent_total{service="task",status="error"}': 1.0,
        'sse_gateway_events_sent_total{service="version",status="success"}': 1.0,
    }
    assert values(metrics, "sse_gateway_send") == {
        'sse_gateway_send_duration_seconds_count{service="task"}': 2.0,
        'sse_gateway_send_duration_seconds_sum{service="task"}': 0.75,
        'sse_gateway_send_duration_seconds_count{service="version"}': 1.0,
        'sse_gateway_send_duration_seconds_sum{service="version"}': 1.0,
    }


def test_events_that_the_log_did_not_take(metrics: MetricsService) -> None:
    """The counter exists at 0 before the first failure, for alerts on rates."""
    assert values(metrics, "sse_log") == {"sse_log_appends_failed_total": 0.0}
    metrics.append_failed()
    assert values(metrics, "sse_log") == {"sse_log_appends_failed_total": 1.0}


def test_broadcasts(metrics: MetricsService) -> None:
    """Broadcasts are timed, and their deliveries are counted."""
    metrics.broadcast_finished(5000, 0.05)
    metrics.broadcast_finished(0, 0.0)
    assert values(metrics, "sse_gateway_broadcast") == {
        "sse_gateway_broadcast_duration_seconds_count": 2.0,
        "sse_gateway_broadcast_duration_seconds_sum": 0.05,
        "sse_gateway_broadcast_deliveries_total": 5000.0,
    }


def test_tasks(metrics: MetricsService) -> None:
    """Tasks are counted by type and status, and timed; running tasks are shown."""
    metrics.task_finished("demo_task", "completed", 2.0)
    metrics.task_finished("demo_task", "failed", 1.0)
    metrics.tasks_active(3, 2)
    assert values(metrics, "task") == {
        'tasks_total{status="completed",task_type="demo_task"}': 1.0,
        'tasks_total{status="failed",task_type="demo_task"}': 1.0,
        'task_duration_seconds_count{task_type="demo_task"}': 2.0,
        'task_duration_seconds_sum{task_type="demo_task"}': 3.0,
        "tasks_active": 3.0,
        "tasks_waiting": 2.0,
    }


def test_the_event_loop(metrics: MetricsService) -> None:
    """Each measurement sets the gauge; blocked time adds up."""
    seen = []
    for longest, blocked in ((0.5, 0.7), (0.009, 0.0), (0.01, 0.02)):
        metrics.loop_measured(longest, blocked)
        seen.append(values(metrics, "event_loop"))
    assert seen == [
        {"event_loop_blocked_seconds_total": total, "event_loop_lag_seconds": lag}
        for total, lag in ((0.7, 0.5), (0.7, 0.009), (0.72, 0.01))
    ]


def test_build_info(metrics: MetricsService) -> None:
    """The build info has the version, by default the application's, and that of Python."""
    python = platform.python_version()
    assert values(metrics, "build") == {f'build_info{{python="{python}",version="1.2.3"}}': 1.0}
    own = f'build_info{{python="{python}",version="{application_version()}"}}'
    assert values(MetricsService(), "build") == {own: 1.0}


def test_the_process_is_shown(metrics: MetricsService) -> None:
    """The metrics of memory and garbage collection are included."""
    assert "process_resident_memory_bytes" in values(metrics, "process_")
    assert 'python_gc_collections_total{generation="0"}' in values(metrics, "python_gc_")


def test_a_gateway_is_shown_once_watched(metrics: MetricsService) -> None:
    """Without a gateway, its metrics are missing; a second gateway replaces the first."""
    seen = [values(metrics, "sse_gateway_heartbeats")]
    for heartbeats in (1, 2):
        metrics.watch_gateway(partial(GatewayStats, heartbeats=heartbeats))
        seen.append(values(metrics, "sse_gateway_heartbeats"))
    assert seen == [
        {},
        {"sse_gateway_heartbeats_total": 1.0},
        {"sse_gateway_heartbeats_total": 2.0},
    ]


def test_two_services_share_nothing(metrics: MetricsService) -> None:
    """Two services in one process count separately."""
    other = MetricsService()
    other.connection_opened()
    assert values(metrics, 'sse_gateway_connections_total{action="connect"}') == {
        'sse_gateway_connections_total{action="connect"}': 0.0
    }


@pytest.mark.parametrize("implementation", [MetricsService(), NullMetrics()])
def test_every_implementation_takes_every_call(implementation: Any) -> None:
    """Both implementations have all methods of the protocol, which return nothing."""
    arguments = {"count": 1, "service": "task", "status": "success", "seconds": 0.1}
    arguments |= {
        "streams": 1,
        "running": 1,
        "waiting": 1,
        "task_type": "demo_task",
        "longest": 0.1,
        "blocked": 0.1,
    }
    for name, method in inspect.getmembers(MetricsServiceProtocol, inspect.isfunction):
        if name.startswith("_"):
            continue
        parameters = list(inspect.signature(method).parameters)[1:]
        call = getattr(implementation, name)
        assert call(**{parameter: arguments[parameter] for parameter in parameters}) is None


def test_refusals_are_shown_by_reason(metrics: MetricsService) -> None:
    """Each reason of a refusal is a sample with its present count."""
    counts = {"one": 0, "two": 3}
    metrics.watch_refusals(lambda: counts)
    counts["one"] = 1
    text = metrics.render().decode()
    assert 'requests_refused_total{reason="one"} 1.0' in text
    assert 'requests_refused_total{reason="two"} 3.0' in text
