"""A gateway behind HTTP, and transports to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from app.services.remote_gateway.http_transport import HttpTransport
from gateway_shim.protocol.event_stream import Event
from tests.app.services.remote_gateway.http_gateway import HttpGateway, http_answer
from tests.support.timing import TIME_LIMIT, wait_until

__all__ = ["EVENT", "LIMIT", "UNKNOWN", "MakeTransport", "assert_idle", "tokens"]

LIMIT = 1.5
"""The time limit of a hasty transport, seconds. An answer is faster, even on a busy machine."""

EVENT = Event("n", "d")
"""The event that most tests send."""

UNKNOWN = http_answer(404)
"""The answer to a send for an unknown token."""

MakeTransport = Callable[..., HttpTransport]
"""Takes the options of a transport by name, returns a transport to the gateway."""


@pytest.fixture
def gateway() -> Iterator[HttpGateway]:
    """Return a gateway that takes every send, until a test changes it."""
    with HttpGateway() as running:
        yield running


@pytest.fixture
def make_transport(gateway: HttpGateway) -> Iterator[MakeTransport]:
    """Return a function that makes transports to the gateway; their senders end with the test."""
    made: list[HttpTransport] = []

    def make(**options: Any) -> HttpTransport:
        made.append(HttpTransport(gateway.url, **{"time_limit": TIME_LIMIT, **options}))
        return made[-1]

    yield make
    for transport in made:
        gevent.killall(transport._lanes._senders)


@pytest.fixture
def transport(make_transport: MakeTransport) -> HttpTransport:
    """Return a transport with the time limit of live tests."""
    return make_transport()


@pytest.fixture
def hasty(make_transport: MakeTransport) -> HttpTransport:
    """Return a transport with a short time limit."""
    return make_transport(time_limit=LIMIT)


def assert_idle(transport: HttpTransport) -> None:
    """Assert that no send waits, and that none is counted as waiting."""
    wait_until(lambda: not transport._lanes._lanes, "every lane to be empty")
    assert (transport._lanes._queued, transport._lanes._queued_characters) == (0, 0)
    assert all(not sender.dead for sender in transport._lanes._senders)


def tokens(count: int) -> list[str]:
    """Return a number of tokens."""
    return [f"T{number}" for number in range(count)]
