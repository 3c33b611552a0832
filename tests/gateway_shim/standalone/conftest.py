"""The fixtures of the tests of the standalone gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway_shim.http_client.certificates import VARIABLES
from gateway_shim.log_lines import log_format
from gateway_shim.standalone import command, factory
from gateway_shim.standalone.http_backend import HttpBackend
from tests.gateway_shim.hub_errors import HubErrors
from tests.gateway_shim.standalone.callback_server import (
    SHORT,
    CallbackServer,
)
from tests.gateway_shim.standalone.command_runs import STARTED, FakeServer
from tests.support.timing import TIME_LIMIT


@pytest.fixture
def server() -> Iterator[CallbackServer]:
    """Run a backend that answers 200."""
    with CallbackServer() as server:
        yield server


@pytest.fixture
def backend(server: CallbackServer) -> Iterator[HttpBackend]:
    """Make an HttpBackend with a time limit that no test reaches. It must not fail in the hub."""
    backend = HttpBackend(server.url, TIME_LIMIT)
    with HubErrors(), backend._client:
        yield backend


@pytest.fixture
def impatient_backend(server: CallbackServer) -> Iterator[HttpBackend]:
    """Make an HttpBackend with a short time limit, for the tests of the limit."""
    backend = HttpBackend(server.url, SHORT)
    with HubErrors(), backend._client:
        yield backend


@pytest.fixture
def no_gunicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace gunicorn by a fake, and remove the settings of the environment."""
    STARTED.clear()
    monkeypatch.setattr(command, "GunicornApplication", FakeServer)
    monkeypatch.setattr(log_format, "install", lambda *_: None)
    monkeypatch.setattr(factory, "raise_limit", lambda: 100_000)
    for name in (
        *("PORT", "HOST", "CALLBACK_URL", "HEARTBEAT_INTERVAL_SECONDS", "SSE_DIALECT"),
        *("SSE_MAX_CONNECTIONS_PER_ADDRESS", "TRUSTED_PROXIES", "SSE_MAX_PENDING_CONNECTS"),
        *("KEEP_ALIVE_SECONDS", "NODE_TLS_REJECT_UNAUTHORIZED", *VARIABLES),
    ):
        monkeypatch.delenv(name, raising=False)
