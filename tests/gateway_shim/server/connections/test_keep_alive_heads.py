"""The time limit for the head of a request."""

from __future__ import annotations

import gevent
import pytest

from gateway_shim.server.connections import keep_alive
from gateway_shim.server.connections.keep_alive import HeadTimeout
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason
from tests.support.timing import TIME_LIMIT


def test_the_limit_of_a_head_is_that_of_node() -> None:
    """The time limit for a head does not depend on the idle time."""
    assert keep_alive.HEAD_SECONDS == 5.0


def test_a_slow_head_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow head ends the block without an exception; only slow heads are counted."""
    monkeypatch.setattr(keep_alive, "HEAD_SECONDS", 0.01)
    counts = RefusalCounts()
    with HeadTimeout(counts):
        gevent.sleep(TIME_LIMIT)
    assert counts.by_reason[RefusalReason.SLOW_HEAD] == 1
    with HeadTimeout(counts):
        pass
    with pytest.raises(StopIteration), HeadTimeout(counts):
        raise StopIteration
    assert counts.by_reason[RefusalReason.SLOW_HEAD] == 1
