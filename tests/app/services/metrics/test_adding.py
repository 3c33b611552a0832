"""The sums over processes: what is added, and what is not."""

from __future__ import annotations

import itertools
import random

import pytest

from app.services.metrics.adding import GAUGES, add_counts, newest_of, per_worker, sum_of
from app.services.metrics.families import Families, Family, SampleKey, text_of
from app.services.metrics_service import MetricsService
from gateway_shim.event_log.log import LogStats
from gateway_shim.streams.stats import GatewayStats
from tests.app.services.metrics.exposition import checked


def gauge(name: str, value: float) -> Families:
    """Return metrics with one gauge."""
    return {name: Family(name, "gauge", "Text", {SampleKey(name): value})}


def process(opened: int, blocked: float, log: LogStats | None = None) -> Families:
    """Return the metrics of a process."""
    metrics = MetricsService("1")
    log = log or LogStats(oldest=5, newest=9, size=100, oldest_age=60.0, in_memory=False)
    stats = GatewayStats(active=opened, heartbeats=opened, bytes_behind=opened, log=log)
    metrics.watch_gateway(lambda: stats)
    for _ in range(opened):
        metrics.connection_opened()
        metrics.broadcast_finished(2, 0.002)
    metrics.set_active_connections(opened)
    metrics.loop_measured(blocked, blocked)
    return metrics.families()


def test_counts_are_added_and_gauges_follow_their_rules() -> None:
    """Streams are added, the longest lag counts, and the log is shared."""
    values = checked(text_of(sum_of([process(2, 0.5), process(3, 0.25)], {})))
    assert values['sse_gateway_connections_total{action="connect"}'] == 5
    assert values["sse_gateway_active_connections"] == 5
    assert values["sse_gateway_heartbeats_total"] == 5
    assert values['sse_gateway_broadcast_duration_seconds_bucket{le="0.005"}'] == 5
    assert values["sse_gateway_broadcast_duration_seconds_sum"] == pytest.approx(0.01)
    assert values["sse_gateway_behind_bytes"] == 3
    assert values["event_loop_blocked_seconds_total"] == 0.75
    assert values["event_loop_lag_seconds"] == 0.5
    assert values["sse_log_newest_position"] == 9
    assert values["sse_log_bytes"] == 100
    assert [value for name, value in values.items() if name.startswith("build_info")] == [1]


def test_each_gauge_has_a_rule() -> None:
    """A new gauge must be added to the table: a sum is wrong for many."""
    families = process(1, 0.1) | per_worker(process(1, 0.1), 1)
    names = {name for name, family in families.items() if family.kind in ("gauge", "info")}
    of_redis = {name for name in GAUGES if name.startswith("sse_bus_")}  # test_collector.py
    assert names | of_redis == set(GAUGES)


def test_each_worker_is_shown_under_other_names() -> None:
    """A sum over all series of a name must not count anything twice."""
    first, second = process(2, 0.5), process(3, 0.25)
    values = checked(
        text_of(sum_of([second | per_worker(second, 2), first | per_worker(first, 1)], {}))
    )
    own = {name: value for name, value in values.items() if name.startswith("sse_worker_")}
    assert own.keys() == {
        f'sse_worker_{name}{{worker="{number}"}}'
        for name in ("streams", "event_loop_lag_seconds", "event_loop_blocked_seconds_total",
                     "resident_memory_bytes", "cpu_seconds_total")
        for number in (1, 2)
    }  # fmt: skip
    assert own['sse_worker_streams{worker="2"}'] == 3
    assert own['sse_worker_event_loop_lag_seconds{worker="1"}'] == 0.5
    assert list(own)[:2] == ['sse_worker_streams{worker="1"}', 'sse_worker_streams{worker="2"}']
    assert not any("worker=" in name for name in values.keys() - own.keys())


def test_what_ended_processes_have_counted() -> None:
    """Counts stay, gauges go, and the moment at which a count began stays the first."""
    ended: Families = {}
    gone = process(2, 0.5)
    add_counts(ended, gone)
    values = checked(text_of(sum_of([process(1, 0.0)], ended)))
    assert values['sse_gateway_connections_total{action="connect"}'] == 3
    assert values["sse_gateway_active_connections"] == 1
    created = SampleKey("sse_gateway_broadcast_deliveries_created")
    assert (
        values["sse_gateway_broadcast_deliveries_created"]
        == gone["sse_gateway_broadcast_deliveries"].values[created]
    )


def test_the_newest_of_two_readings() -> None:
    """Two scrapes at once may bring a reading that is older than the known one."""
    older, newer = process(2, 0.5), process(3, 0.75)
    for first, second in itertools.permutations([older, newer]):
        values = checked(text_of(newest_of(first, second)))
        assert values['sse_gateway_connections_total{action="connect"}'] == 3
        assert values['sse_gateway_broadcast_duration_seconds_bucket{le="0.005"}'] == 3
    assert newest_of({}, newer) == newer
    assert newest_of(older, {}) == older


def test_another_version() -> None:
    """A metric that has become another kind is not mixed, and an unknown gauge is added."""
    other = {"heartbeats": Family("heartbeats", "counter", "", {SampleKey("heartbeats_total"): 5})}
    assert sum_of([gauge("heartbeats", 1), other], {}) == gauge("heartbeats", 1)
    assert sum_of([gauge("new", 1), gauge("new", 2)], {}) == gauge("new", 3)


def test_the_sum_never_goes_back() -> None:
    """Whatever order processes count, answer, end and are replaced in, no count falls."""
    chance = random.Random(16)
    for _ in range(50):
        live = dict.fromkeys("abc", 0)
        known: dict[str, Families] = {}
        ended: Families = {}
        before = 0.0
        for _ in range(30):
            name = chance.choice(sorted(live))
            live[name] += chance.randrange(3)
            for other in chance.sample(sorted(live), 2):  # the third one does not answer
                answer = {"n": Family("n", "counter", "", {SampleKey("n_total"): live[other]})}
                known[other] = newest_of(known.get(other, {}), answer)
            if chance.random() < 0.2:
                add_counts(ended, known.pop(name, {}))
                del live[name]
                live[chance.choice("abc") + str(chance.random())] = 0
            total = sum_of(known.values(), ended).get("n", Family("n", "counter", ""))
            now = total.values.get(SampleKey("n_total"), 0.0)
            assert now >= before
            before = now
