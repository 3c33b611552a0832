"""Processes for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway_shim.streams.peers.wire import Wire


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Return processes, which end with the test."""
    wire = Wire()
    yield wire
    for log in wire.logs[:]:
        log.end()
