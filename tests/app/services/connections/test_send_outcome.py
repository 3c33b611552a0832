"""The outcomes of sending an event."""

from __future__ import annotations

from app.services.connections.send_outcome import SendOutcome, SendReport


def test_the_values_are_labels_of_the_metrics() -> None:
    """Dashboards and alerts name these values."""
    assert [outcome.value for outcome in SendOutcome] == ["success", "no_stream", "error"]


def test_a_report() -> None:
    """Unless a report says otherwise, no stream took the event, and no log has it."""
    report = SendReport(SendOutcome.ERROR)
    assert (report.delivered, report.id) == (0, "")
