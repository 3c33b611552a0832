"""Clients whose network breaks, who read slowly, or who come back too late."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway_shim.parity.ports import free_port
from tests.faults.conftest import Tally
from tests.faults.nothing_missed.bad_network import bad_network
from tests.faults.nothing_missed.publisher import (
    Publisher,
    assert_nothing_missed,
    number_of,
    wait_for_ids,
)
from tests.support.backend_client import metric
from tests.support.processes.server import GunicornServer
from tests.support.resuming_client import ResumingClients
from tests.support.timing import wait_until

CLIENTS = 200
EVENTS = 1000
CUTS = 20
"""The number of cuts without which a network is not bad."""

ENV = {
    "FLASK_ENV": "testing",
    # On a busy machine, a client that does not read must not be given up while events are sent.
    "SSE_CLIENT_TIMEOUT_SECONDS": "600",
}

SLOW_CLIENTS = 20
LARGE = 16_000
"""The size of an event that fills the buffers of slow clients soon, in characters."""

SHORT_LOG = {**ENV, "SSE_REPLAY_BYTES": str(1024 * 1024)}
"""The settings of a server that keeps as little as possible."""

TOO_MANY = 400
"""More large events than the kernel takes for a client, 4 MB at most, and the short log keeps."""


@pytest.fixture(scope="module")
def server() -> Iterator[GunicornServer]:
    """Start a backend with the default limits of its log."""
    with GunicornServer(env=ENV) as running:
        yield running


def number_of_cuts(clients: ResumingClients) -> int:
    """Return how many connections of clients were cut."""
    return sum(client.ends["cut"] for client in clients.clients)


def test_a_bad_network(server: GunicornServer, tally: Tally) -> None:
    """Clients whose connections break again and again get every event once and in order."""
    with (
        Publisher(server.port) as publisher,
        ResumingClients(server.port, CLIENTS, number_of) as clients,
    ):
        wait_for_ids(clients)
        with bad_network(clients):
            publisher.publish(EVENTS)
            while number_of_cuts(clients) <= CUTS:  # a fast machine needs more events
                publisher.publish(10)
        count = CLIENTS * assert_nothing_missed(clients, publisher)
    tally(f"connections cut at random, {CLIENTS} streams", count, count, "nothing")


def test_slow_readers(server: GunicornServer, tally: Tally) -> None:
    """Clients that stop reading for megabytes go on on the same stream, without a gap."""
    with (
        Publisher(server.port, filling=LARGE) as publisher,
        ResumingClients(server.port, SLOW_CLIENTS, number_of, receive_buffer=4096) as clients,
    ):
        wait_for_ids(clients)
        publisher.publish(1)
        for client in clients.clients:
            clients.stop_reading(client)
        publisher.publish(300)
        assert metric(server, "sse_gateway_streams_behind") == SLOW_CLIENTS
        for client in clients.clients:
            clients.go_on_reading(client)
        count = SLOW_CLIENTS * assert_nothing_missed(clients, publisher)
        assert {client.opened for client in clients.clients} == {1}
        wait_until(lambda: metric(server, "sse_gateway_streams_behind") == 0, "no stream behind")
    tally(f"{SLOW_CLIENTS} clients that stop reading for 5 MB", count, count, "nothing")


def test_a_log_that_is_too_short(tally: Tally) -> None:
    """Clients that come back, or read on, too late get one ``resync`` and then all new events."""
    with (
        GunicornServer(env=SHORT_LOG) as server,
        Publisher(server.port, filling=LARGE) as publisher,
        ResumingClients(server.port, 5, number_of) as steady,
        ResumingClients(server.port, 5, number_of) as away,
        ResumingClients(server.port, 5, number_of, receive_buffer=4096) as stalled,
    ):
        everyone = (steady, away, stalled)
        for clients in everyone:
            wait_for_ids(clients)
        publisher.publish(3)
        for clients in everyone:
            clients.wait_for(lambda client: client.numbers == [1, 2, 3], "the first events")
        away.port = free_port()
        for client in away.clients:
            away.cut(client)
        for client in stalled.clients:
            stalled.stop_reading(client)
        publisher.publish(TOO_MANY)
        away.port = server.port
        away.wait_for(lambda client: client.is_open, "all streams")
        for client in stalled.clients:
            stalled.go_on_reading(client)
        for clients in (away, stalled):
            clients.wait_for(lambda client: bool(client.resyncs), "a resync")
        publisher.publish(3)
        last = publisher.acknowledged[-1]
        for clients in everyone:
            clients.wait_for(lambda client: client.numbers[-1] == last, "the last event")
            assert [client.problems_of(1, last) for client in clients.clients] == [[]] * 5
        assert [client.resyncs for client in steady.clients] == [[]] * 5
        assert [client.resyncs for client in away.clients] == [["too_old"]] * 5
        assert [client.resyncs for client in stalled.clients] == [["lagging"]] * 5
        received = [len(client.numbers) for clients in everyone for client in clients.clients]
    tally(
        "10 of 15 clients come back later than SSE_REPLAY_BYTES allows",
        15 * last,
        sum(received),
        "the oldest events, and each of the 10 clients got one `resync`",
    )
