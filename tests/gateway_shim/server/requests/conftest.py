"""Fixtures for the tests of request bodies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway_shim.streams.refusal_counts import RefusalCounts
from tests.gateway_shim.server.requests.body_client import BodyClient


@pytest.fixture
def clients() -> Iterator[list[BodyClient]]:
    """Clients that are closed at the end of the test."""
    made: list[BodyClient] = []
    yield made
    for client in made:
        client.close()


@pytest.fixture
def refusals() -> RefusalCounts:
    """Provide a counter of refused requests."""
    return RefusalCounts()
