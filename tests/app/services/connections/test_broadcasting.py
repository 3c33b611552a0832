"""A broadcast through a gateway without a log."""

from __future__ import annotations

import pytest

from app.services.connections.broadcasting import broadcast_event
from app.services.connections.send_outcome import SendOutcome, SendReport
from app.services.connections.service_type import ServiceType
from gateway_shim.protocol.event_stream import Event
from tests.app.services.conftest import RecordingMetrics, RecordingTransport

EVENT = Event("n", "d")


@pytest.mark.parametrize(
    ("unknown", "failing", "delivered", "outcome"),
    [
        ("", "", 2, SendOutcome.SUCCESS),
        ("T1", "", 1, SendOutcome.SUCCESS),
        ("T1", "T2", 0, SendOutcome.ERROR),
        ("T1 T2", "", 0, SendOutcome.NO_STREAM),
    ],
)
def test_the_outcome(
    transport: RecordingTransport,
    metrics: RecordingMetrics,
    unknown: str,
    failing: str,
    delivered: int,
    outcome: SendOutcome,
) -> None:
    """One stream is a success; if the gateway knows none, there is no stream."""
    transport.unknown, transport.failing = set(unknown.split()), set(failing.split())
    forgotten: list[str] = []
    got = broadcast_event(
        transport, metrics, ("T1", "T2"), EVENT, ServiceType.TASK, forgotten.append
    )
    assert (got, forgotten) == (SendReport(outcome, delivered), unknown.split())
    assert transport.broadcasts == [(["T1", "T2"], EVENT)]
    assert metrics.calls == [("broadcast", delivered)]
