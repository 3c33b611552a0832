"""gateway_shim.limit_log: one line a second, however many are refused."""

from __future__ import annotations

import pytest

from gateway_shim.contract import Refusal
from gateway_shim.limit_log import LimitLog
from gateway_shim.stats import GatewayStats
from gateway_shim.stream_request import StreamRequest
from tests.gateway_shim.rig import FakeClock


def test_one_line_a_second(caplog: pytest.LogCaptureFixture) -> None:
    """The line tells who was refused, with what, and how many were refused so far."""
    clock, stats = FakeClock(), GatewayStats()
    log = LimitLog(stats, clock)
    for number, seconds in enumerate([0.0, 0.0, 0.9, 0.1, 0.5], 1):
        clock.now += seconds
        stats.refused = number
        log.add(StreamRequest(f"/{number}", {}, False, "192.0.2.1"), Refusal(503, b""))
    lines = [vars(record) for record in caplog.records]
    assert [(line["message"], line["url"], line["refused"]) for line in lines] == [
        ("stream refused by a limit", "/1", 1),
        ("stream refused by a limit", "/4", 4),
    ]
    assert {(line["address"], line["answer"]) for line in lines} == {("192.0.2.1", 503)}
