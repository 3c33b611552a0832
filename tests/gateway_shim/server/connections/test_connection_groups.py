"""The conditions under which a listener makes room for new connections."""

from __future__ import annotations

import gevent
import pytest
from gevent.pool import Pool

from gateway_shim.server.connections.connection_groups import Line


@pytest.mark.parametrize(
    ("size", "count", "is_crowded"),
    [(20, 18, False), (20, 19, True), (1, 0, False), (1, 1, True), (2000, 1800, False)],
)
def test_crowded_by_connections(size: int, count: int, is_crowded: bool) -> None:
    """A tenth of the places must be free, and at least one."""
    line = Line(Pool(10_000), size)
    line.count = count
    assert line.is_crowded is is_crowded


def test_crowded_by_handlers() -> None:
    """Over TLS, the handlers of streams count as well."""
    line = Line(Pool(20), 20)
    streams = [line.pool.spawn(gevent.sleep, 3600) for _ in range(18)]
    assert not line.is_crowded
    streams.append(line.pool.spawn(gevent.sleep, 3600))
    assert line.is_crowded
    gevent.killall(streams)
