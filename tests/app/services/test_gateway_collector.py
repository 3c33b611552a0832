"""A gateway's own counters as metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from app.services.gateway_collector import GatewayCollector
from gateway_shim.event_log.log import LogStats
from gateway_shim.streams.stats import GatewayStats


def lines(collector: GatewayCollector) -> list[str]:
    """Return the samples of a collector."""
    registry = CollectorRegistry()
    registry.register(collector)
    text = generate_latest(registry).decode()
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_every_counter_is_shown() -> None:
    """Each counter of the gateway has a metric; ends of streams have one sample for each reason."""
    stats = GatewayStats(
        bytes_buffered=1,
        pending_connects=7,
        refused=2,
        slow_consumers_ended=3,
        heartbeats=4,
        callbacks_failed=5,
    )
    stats.closed["error"] = 6
    assert lines(GatewayCollector(lambda: stats)) == [
        "sse_gateway_bytes_buffered 1.0",
        "sse_gateway_pending_connects 7.0",
        "sse_gateway_slow_consumers_total 3.0",
        "sse_gateway_heartbeats_total 4.0",
        "sse_gateway_callbacks_failed_total 5.0",
        "sse_gateway_streams_refused_total 2.0",
        'sse_gateway_streams_closed_total{reason="client_closed"} 0.0',
        'sse_gateway_streams_closed_total{reason="client_stalled"} 0.0',
        'sse_gateway_streams_closed_total{reason="error"} 6.0',
        'sse_gateway_streams_closed_total{reason="server_closed"} 0.0',
    ]


def test_the_log_is_shown() -> None:
    """With a log, its extent, its readers and the events ``resync`` have metrics, too."""
    stats = GatewayStats(
        joiners=1, streams_behind=2, bytes_behind=3, log=LogStats(4, 5, 6, 7.5, in_memory=True)
    )
    stats.resyncs["too_old"] = 8
    stats.resyncs["lagging"] = 9
    shown = lines(GatewayCollector(lambda: stats))
    assert shown[len(lines(GatewayCollector(GatewayStats))) :] == [
        'sse_gateway_resyncs_total{reason="lagging"} 9.0',
        'sse_gateway_resyncs_total{reason="too_old"} 8.0',
        'sse_gateway_resyncs_total{reason="unknown"} 0.0',
        "sse_gateway_joiners 1.0",
        "sse_gateway_streams_behind 2.0",
        "sse_gateway_behind_bytes 3.0",
        "sse_log_oldest_position 4.0",
        "sse_log_newest_position 5.0",
        "sse_log_bytes 6.0",
        "sse_log_oldest_age_seconds 7.5",
        "sse_log_in_memory 1.0",
    ]


def test_numbers_are_read_at_the_scrape() -> None:
    """The counters are read at each scrape."""
    stats = GatewayStats()
    collector = GatewayCollector(lambda: stats)
    before = lines(collector)[3]
    stats.heartbeats += 1
    assert (before, lines(collector)[3]) == (
        "sse_gateway_heartbeats_total 0.0",
        "sse_gateway_heartbeats_total 1.0",
    )
