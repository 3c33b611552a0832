"""The services that send events."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.connection_manager import ConnectionManager, ServiceType
from tests.app.services.conftest import (
    URL,
    RecordingMetrics,
    RecordingTransport,
)


def test_service_types() -> None:
    """The service types are the texts of their labels."""
    assert [str(service) for service in ServiceType] == ["task", "version", "operations", "console"]


@pytest.mark.parametrize("request_id", ["me", None])
@pytest.mark.parametrize("service_type", ["task", "version", "operations", "console"])
def test_a_service_type_may_be_its_bare_string(
    manager: ConnectionManager, metrics: RecordingMetrics, request_id: str | None, service_type: str
) -> None:
    """An event with the bare string of a service type is sent and counted like the member."""
    manager.on_connect("me", "T1", URL)
    assert manager.send_event(request_id, {}, "x", service_type)
    assert metrics.calls[-1] == ("sent", service_type, "success")


@pytest.mark.parametrize("service_type", ["tasks", "", "TASK", None, 5, []])
def test_an_unknown_service_type(
    manager: ConnectionManager, transport: RecordingTransport, service_type: Any
) -> None:
    """An unknown service type raises an error that names the allowed ones; nothing is sent."""
    manager.on_connect("me", "T1", URL)
    transport.broadcasts.clear()
    allowed = "task, version, operations, console"
    with pytest.raises(ValueError, match=rf"service_type is .*; allowed: {allowed}$"):
        manager.send_event(None, {}, "x", service_type)
    assert transport.broadcasts == []
