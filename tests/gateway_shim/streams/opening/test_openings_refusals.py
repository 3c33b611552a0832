"""Streams that do not open: refused by the backend, or by a limit."""

from __future__ import annotations

import socket
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.errors import UnknownToken
from gateway_shim.protocol.callbacks import CallbackAnswer, CallbackFailure
from gateway_shim.protocol.client_address import TrustedProxies
from gateway_shim.protocol.event_stream import BodyFraming, Dialect, Event
from gateway_shim.protocol.results import OpenResult
from gateway_shim.streams.opening.admission import RETRY_AFTER_SECONDS
from tests.gateway_shim.running_gateway import RunningGateway
from tests.gateway_shim.sockets import fill
from tests.support.http.message import Ended
from tests.support.http.sse_parser import SSEEvent
from tests.support.timing import wait_until

REFUSED = [
    (CallbackAnswer(401), 401, b"BACKEND_AUTH_FAILED"),
    (CallbackAnswer(409), 409, b"BACKEND_ERROR"),
    (CallbackFailure.TIMEOUT, 504, b"GATEWAY_TIMEOUT"),
    (CallbackFailure.UNAVAILABLE, 503, b"BACKEND_UNAVAILABLE"),
    (CallbackFailure.NOT_CONFIGURED, 503, b"SERVICE_NOT_CONFIGURED"),
]


def names_and_data(events: list[SSEEvent]) -> list[tuple[str, str]]:
    """Return the names and the data of events, without ids."""
    return [(event.type, event.data) for event in events]


@pytest.mark.parametrize(("answer", "status", "code"), REFUSED)
def test_refused(
    running: RunningGateway, answer: CallbackAnswer | CallbackFailure, status: int, code: bytes
) -> None:
    """The worker answers a refused stream, and the stream gets no disconnect callback."""
    running.backend.answer = answer
    visit = running.visit()
    refusal = visit.refusal()
    assert (refusal.status, refusal.in_stream) == (status, None)
    assert code in refusal.body
    with pytest.raises(UnknownToken):
        running.gateway.send(visit.token, Event(None, "late"))
    stats = running.stats
    assert (stats.active, stats.opened, stats.refused) == (0, 0, 1)
    assert running.backend.reasons == {}


def test_refused_socket_goes_back_untouched(running: RunningGateway) -> None:
    """The next request on a refused stream's connection is still there to be read."""
    running.backend.answer = CallbackAnswer(404)
    running.backend.during = lambda token: gevent.sleep(0.02)
    pair = socket.socketpair()
    pair[0].sendall(b"GET /next HTTP/1.1\r\n")
    visit = running.visit(pair=pair)
    visit.client.send(b"Host: x\r\n\r\n")
    visit.refusal()
    assert visit.server.recv(100) == b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
    visit.server.sendall(b"answer")
    assert visit.client.socket.recv(100) == b"answer"

    running.backend.answer = CallbackAnswer(200)
    again = running.visit(pair=(visit.client.socket, visit.server))
    running.gateway.send(again.token, Event(None, "kept alive"))
    assert again.stream().next_event().data == "kept alive"


@pytest.mark.parametrize("framing", BodyFraming)
@pytest.mark.parametrize(
    ("answer", "data"),
    [
        (CallbackAnswer(400), '{"status":400,"message":"Bad Request"}'),
        (CallbackAnswer(401, "No"), '{"status":401,"message":"No"}'),
        (CallbackAnswer(403), '{"status":403,"message":"Forbidden"}'),
    ],
)
def test_rejected_in_stream(answer: CallbackAnswer, data: str, framing: BodyFraming) -> None:
    """The envelope dialect refuses inside a stream of one event, which ends cleanly."""
    with RunningGateway(dialect=Dialect.ENVELOPE) as running:
        running.backend.answer = answer
        running.backend.during = lambda token: running.gateway.send(token, Event(None, "dropped"))
        visit = running.visit(framing=framing)
        stream = visit.stream(OpenResult.REJECTED)
        assert stream.wait_for_end() is Ended.CLEAN
        assert names_and_data(stream.events) == [("rejected", data)]
        stats = running.stats
        assert (stats.active, stats.opened, stats.refused) == (0, 0, 1)
        assert running.backend.reasons == {}


def test_rejected_client_is_gone() -> None:
    """A client that leaves in the instant of its rejection causes no error."""
    with RunningGateway(dialect=Dialect.ENVELOPE) as running:
        running.backend.answer = CallbackAnswer(403)
        pair = socket.socketpair()
        # Shut down from inside the callback, and no switch before its answer.
        running.backend.during = lambda token: pair[0].shutdown(socket.SHUT_RDWR)
        assert running.visit(pair=pair).outcome() is OpenResult.REJECTED
        assert running.stats.refused == 1


def test_rejected_client_does_not_read() -> None:
    """A rejected client with full buffers is cut after one heartbeat interval to read."""
    with RunningGateway(dialect=Dialect.ENVELOPE, heartbeat_interval=0.1) as running:
        running.backend.answer = CallbackAnswer(403)
        client, server = socket.socketpair()
        fill(server)
        visit = running.visit(pair=(client, server))
        assert visit.outcome() is OpenResult.REJECTED
        received = bytearray()
        wait_until(lambda: not running.gateway._heartbeats._due, "the client to be cut")
        while data := client.recv(65536):
            received += data
        assert received.strip(b"x") == b""


# ------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"max_connections": 1}, "Too many connections"),
        ({"max_connections_per_address": 1}, "Too many connections from this address"),
    ],
)
def test_limits(config: dict[str, Any], message: str) -> None:
    """A stream above a limit is refused without asking the backend, until another has ended."""
    with RunningGateway(**config) as running:
        token, stream = running.open(address="192.0.2.1")
        refusal = running.visit(address="192.0.2.1").refusal()
        assert refusal.status == 503
        assert message.encode() in refusal.body
        assert refusal.headers == (("Retry-After", str(RETRY_AFTER_SECONDS)),)
        assert len(running.backend.calls) == 1
        stream.close()
        running.wait_reason(token)
        running.open(address="192.0.2.1")
        stats = running.stats
        assert (stats.active, stats.opened, stats.refused) == (1, 2, 1)


def test_addresses_that_are_not_counted() -> None:
    """A trusted proxy that names no client, and loopback, may have any number of streams."""
    with RunningGateway(
        max_connections_per_address=1, proxies=TrustedProxies.parse("192.0.2.1")
    ) as running:
        for address in ("192.0.2.1", "127.0.0.1", ""):
            for _ in range(2):
                running.open(address=address)
        running.open(address="2001:db8::1")
        running.visit(address="2001:db8::2").refusal()
        assert running.gateway.limit_key("192.0.2.1") == ""
        assert running.gateway.limit_key("192.0.2.2") == "192.0.2.2"


def test_limits_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Each refusal by a limit is logged with URL, address and status."""
    with RunningGateway(max_connections=1) as running:
        running.open()
        running.visit("/two").refusal()
        running.visit("/three", address="192.0.2.9").refusal()
    lines = [vars(r) for r in caplog.records if r.message == "stream refused by a limit"]
    assert [(line["url"], line["address"], line["answer"]) for line in lines] == [
        ("/two", "192.0.2.1", 503),
        ("/three", "192.0.2.9", 503),
    ]


def test_limit_counts_the_connecting() -> None:
    """A connecting stream counts against the limit until it is refused or its client leaves."""
    with RunningGateway(max_connections_per_address=1) as running:
        gate = Signal()
        running.backend.during = lambda token: gate.wait()
        first = running.visit()
        running.visit().refusal()
        first.client.close()
        wait_until(lambda: running.stats.active == 0, "the first to be gone")
        running.backend.answer = CallbackAnswer(404)
        second = running.visit()
        assert second.token
        gate.set()
        second.refusal()
        assert running.visit().token


def test_pending_connects_are_bounded() -> None:
    """While the backend does not answer, a limited number of connects wait for it.

    A refused connect reaches neither the backend nor the streams. Each answer makes room for one.
    """
    gate = Signal()
    with RunningGateway(max_pending_connects=2) as running:
        running.backend.during = lambda token: gate.wait()
        waiting = [running.visit(), running.visit(address="192.0.2.2")]
        assert running.stats.pending_connects == 2
        refusal = running.visit(address="192.0.2.3").refusal()
        assert (refusal.status, refusal.headers) == (503, (("Retry-After", "5"),))
        assert (
            len(running.backend.calls),
            running.gateway.active,
            running.stats.refused,
        ) == (2, 2, 1)
        assert running.gateway.refusals.by_reason["pending_connects"] == 1
        assert running.gateway.refusals.by_reason["stream_limit"] == 0
        gate.set()
        for visit in waiting:
            visit.stream()
        running.open(address="192.0.2.3")
        assert running.stats.pending_connects == 0


def test_a_connect_that_is_killed_waits_no_more(running: RunningGateway) -> None:
    """A connect whose greenlet is killed gives its place back."""
    running.backend.during = lambda token: Signal().wait()
    visit = running.visit()
    assert running.stats.pending_connects == 1
    visit.opening.kill()
    assert running.stats.pending_connects == 0
