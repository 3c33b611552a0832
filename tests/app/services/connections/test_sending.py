"""A send to one stream, by its token."""

from __future__ import annotations

import logging

import pytest

from app.services.connections.send_outcome import SendOutcome, SendReport
from app.services.connections.sending import send_to_stream
from gateway_shim.protocol.event_stream import Event
from tests.app.services.conftest import RecordingTransport

EVENT = Event("n", "d")


@pytest.mark.parametrize(
    ("token", "report", "message"),
    [
        ("T1", SendReport(SendOutcome.SUCCESS, 1), None),
        ("unknown", SendReport(SendOutcome.NO_STREAM), "the gateway no longer knows the stream"),
        ("failing", SendReport(SendOutcome.ERROR), "event not sent: down"),
    ],
)
def test_the_report(
    transport: RecordingTransport,
    caplog: pytest.LogCaptureFixture,
    token: str,
    report: SendReport,
    message: str | None,
) -> None:
    """The report names the outcome, and a send that fails is logged with its fields."""
    caplog.set_level(logging.INFO)
    transport.unknown, transport.failing = {"unknown"}, {"failing"}
    assert send_to_stream(transport, token, EVENT, {"request_id": "me"}) == report
    assert transport.sent == [(token, EVENT)]
    assert [record.getMessage() for record in caplog.records] == ([message] if message else [])
    assert [vars(record)["request_id"] for record in caplog.records] == ["me"] * bool(message)
