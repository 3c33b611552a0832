"""A fake gateway, a backend that sends to it, and streams that the backend knows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.app.services.remote_gateway.http_gateway import OK, HttpGateway
from tests.integration.gateway_failures.registered_streams import SETTINGS, RegisteredStreams
from tests.integration.installation import SECRET
from tests.support.processes.server import GunicornServer


@pytest.fixture(scope="module")
def gateway() -> Iterator[HttpGateway]:
    """Start a fake gateway that has only ``/internal/send``. Each test sets its responses."""
    with HttpGateway() as running:
        yield running


@pytest.fixture(scope="module")
def backend(gateway: HttpGateway) -> Iterator[GunicornServer]:
    """Start a backend that sends to the fake gateway."""
    env = {"FLASK_ENV": "testing", "SSE_CALLBACK_SECRET": SECRET, "SSE_GATEWAY_URL": gateway.url}
    with GunicornServer(env=SETTINGS | env) as server:
        yield server


@pytest.fixture
def streams(gateway: HttpGateway, backend: GunicornServer) -> Iterator[RegisteredStreams]:
    """Provide streams at a gateway that accepts every send until the test changes that."""
    gateway.stop()  # ends requests of the last test that hang
    gateway.start()
    gateway.respond = lambda send: OK
    gateway.bodies.clear()
    gateway.most_at_once = 0
    streams = RegisteredStreams(gateway, backend)
    yield streams
    streams.disconnect()
    assert streams.installation.active == 0
    assert "Traceback" not in backend.log
