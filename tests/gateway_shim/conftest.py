"""Fixtures of the gateway's tests."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator

import pytest
import trustme

from tests.gateway_shim.hub_errors import HubErrors
from tests.gateway_shim.running_gateway import RunningGateway
from tests.gateway_shim.watched_connection import WatchedConnection


@pytest.fixture
def running() -> Iterator[RunningGateway]:
    """Start a gateway with the default settings."""
    with RunningGateway() as running:
        yield running


@pytest.fixture
def make_connection() -> Iterator[Callable[..., WatchedConnection]]:
    """Return a maker of connections. They are closed afterwards; no error reaches the hub."""
    made: list[WatchedConnection] = []

    def make(*args: object, **options: object) -> WatchedConnection:
        made.append(WatchedConnection(*args, **options))  # type: ignore[arg-type]
        return made[-1]

    with HubErrors():
        yield make
        for watched in made:
            watched.close()


@pytest.fixture
def borrowed(make_connection: Callable[..., WatchedConnection]) -> WatchedConnection:
    """Make a connection whose socket is borrowed."""
    return make_connection()


@pytest.fixture
def taken(borrowed: WatchedConnection) -> WatchedConnection:
    """Make a connection of an open stream, whose socket is taken over."""
    borrowed.take_over()
    return borrowed


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a client's TLS context, and the context of a server that the client trusts."""
    authority = trustme.CA()
    client = ssl.create_default_context()
    authority.configure_trust(client)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    return client, server
