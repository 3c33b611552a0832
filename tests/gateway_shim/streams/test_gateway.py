"""The gateway: its check, its tokens, and its counters."""

from __future__ import annotations

import re
import socket

from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.http import Refusal
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.config import GatewayConfig
from gateway_shim.streams.gateway import Gateway
from tests.gateway_shim.fakes import FakeBackend
from tests.gateway_shim.running_gateway import RunningGateway
from tests.gateway_shim.sockets import tcp_pair


def test_every_stream_has_a_token(running: RunningGateway) -> None:
    """Two requests for the same path are two streams with different tokens."""
    (first, _), (second, other) = running.open(), running.open()
    running.gateway.send(first, Event(None, "1"))
    running.gateway.send(second, Event(None, "2"))
    assert other.next_event().data == "2"
    assert running.stats.active == 2


def test_tokens_are_uuids() -> None:
    """A token is a random UUID by default."""
    backend = FakeBackend()
    backend.answer = CallbackAnswer(404)
    gateway = Gateway(backend, GatewayConfig())
    client, server = socket.socketpair()
    with client, server:
        for _ in range(2):
            gateway.open(StreamRequest("/", {}), server)
    first, second = [call["token"] for call in backend.calls]
    pattern = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(pattern, first)
    assert re.fullmatch(pattern, second)
    assert first != second


def test_holds(running: RunningGateway) -> None:
    """A token is held from before its callback until its stream ends or is refused."""
    held: list[bool] = []
    running.backend.during = lambda token: held.append(running.gateway.holds(token))
    token, _ = running.open()
    assert (held, running.gateway.holds(token), running.gateway.holds("T")) == ([True], True, False)
    running.gateway.close(token)
    assert not running.gateway.holds(token)
    running.backend.answer = CallbackAnswer(403)
    visit = running.visit()
    visit.refusal()
    assert not running.gateway.holds(visit.token)


def test_a_check_comes_before_the_backend() -> None:
    """A request that the check refuses is answered as the check says; the backend is not asked."""
    refusal = Refusal(403, "C", "m")
    backend = FakeBackend()
    asked: list[StreamRequest] = []

    def check(request: StreamRequest) -> Refusal | None:
        asked.append(request)
        return refusal

    gateway = Gateway(backend, GatewayConfig(), check=check)
    gateway.start()
    ours, theirs = tcp_pair()
    request = StreamRequest("/x", {}, listener="127.0.0.1")
    assert gateway.open(request, ours) is refusal
    assert (asked, backend.calls, gateway.active) == ([request], [], 0)
    assert gateway.read_stats().refused == 1
    gateway.stop()
    ours.close()
    theirs.close()


def test_read_stats_returns_a_copy(running: RunningGateway) -> None:
    """Counters that were read do not change later."""
    before = running.gateway.read_stats()
    token, _ = running.open()
    running.gateway.close(token)
    after = running.gateway.read_stats()
    assert (before.opened, before.closed["server_closed"]) == (0, 0)
    assert (after.opened, after.closed["server_closed"]) == (1, 1)
