"""What many of the gateway's tests start from."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest
import trustme

from tests.gateway_shim.running_gateway import RunningGateway


@pytest.fixture
def running() -> Iterator[RunningGateway]:
    """A started gateway with the default settings."""
    with RunningGateway() as running:
        yield running


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A client's context and that of a server whom it trusts."""
    authority = trustme.CA()
    client = ssl.create_default_context()
    authority.configure_trust(client)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    return client, server
