"""Tests of the factory of the standalone gateway."""

from __future__ import annotations

import pytest

from gateway_shim.protocol.event_stream import Dialect
from gateway_shim.standalone import factory
from gateway_shim.standalone.factory import make_front
from gateway_shim.standalone.http_backend import HttpBackend
from gateway_shim.streams.callbacks.backend import NoBackend
from gateway_shim.streams.config import GatewayConfig


@pytest.fixture(autouse=True)
def _limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factory, "raise_limit", lambda: 10_000)


def test_with_a_backend() -> None:
    """With a URL, callbacks are sent to the URL, and the settings are passed on."""
    front = make_front("http://127.0.0.1:1/callback", 7, "envelope", 3.0)
    backend = front.gateway.backend
    assert isinstance(backend, HttpBackend)
    assert (backend.configured, backend._url) == (True, "http://127.0.0.1:1/callback")
    assert front.gateway.config == GatewayConfig(
        dialect=Dialect.ENVELOPE,
        heartbeat_interval=7,
        max_connections=10_000 - 256 - 2000 - 1381,
        callback_connections=500 + 625 + 256,
    )
    assert front._drain_seconds == 3.0
    assert front.gateway.starts is backend.starts
    assert backend.starts.end_earlier == front.gateway.end_earlier


def test_few_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """With few descriptors, connect callbacks get an eighth, and the other callbacks an eighth."""
    monkeypatch.setattr(factory, "raise_limit", lambda: 1024)
    config = make_front(None, 15, "named", 5.0, max_pending_connects=500).gateway.config
    assert (config.max_pending_connects, config.callback_connections) == (128, 128 + 64 + 64)
    assert config.max_connections == 512


@pytest.mark.parametrize("url", [None, ""])
def test_without_a_backend(url: str | None) -> None:
    """Without a URL, every stream is refused."""
    front = make_front(url, 15, "named", 5.0)
    assert isinstance(front.gateway.backend, NoBackend)
    assert front.gateway.config.dialect is Dialect.NAMED


def test_unknown_dialect() -> None:
    """An unknown dialect raises an error."""
    with pytest.raises(ValueError, match="morse"):
        make_front(None, 15, "morse", 5.0)
