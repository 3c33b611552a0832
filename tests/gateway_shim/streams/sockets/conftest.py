"""Fixtures of the tests of TLS."""

from __future__ import annotations

import ssl

import pytest

from gateway_shim.streams.sockets import tls_socket
from tests.gateway_shim.streams.sockets.tls_pairs import Pair, handshake


@pytest.fixture
def pair(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> Pair:
    """Return both ends of a TLS session: client, server."""
    return handshake(contexts)


@pytest.fixture(params=["released", "parked"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return how a stream keeps its session: alone, or with its handler."""
    if request.param == "parked":
        monkeypatch.setattr(tls_socket, "release", lambda sock: None)
    return str(request.param)
