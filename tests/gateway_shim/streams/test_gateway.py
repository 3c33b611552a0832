"""The gateway: its check, its tokens, its counters, and calls from native threads."""

from __future__ import annotations

import re
import socket

import gevent
import pytest

from gateway_shim.errors import LoopNotRunning, NotAllowedHere, UnknownToken
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.http import Refusal
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.config import GatewayConfig
from gateway_shim.streams.gateway import BroadcastResult, Gateway, SendStatus
from tests.gateway_shim.fakes import FakeBackend
from tests.gateway_shim.running_gateway import BIG, RunningGateway
from tests.gateway_shim.sockets import tcp_pair
from tests.support.http.message import Ended
from tests.support.native_threads import begin_native, run_native
from tests.support.timing import TIME_LIMIT, wait_until


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


# ------------------------------------------------------------------------- native threads


def test_a_full_socket_buffer_empties_after_sends_from_a_thread(running: RunningGateway) -> None:
    """Bytes that the kernel does not take at once arrive whole and in order, the end last."""
    token, stream = running.open()

    def send() -> list[SendStatus]:
        statuses = [running.gateway.send(token, Event(str(number), BIG)) for number in range(3)]
        return [*statuses, running.gateway.send(token, Event("last", "1"), close=True)]

    assert run_native(send) == [[SendStatus.OK] * 4]
    assert stream.wait_for_end() is Ended.CLEAN
    assert [(event.type, len(event.data)) for event in stream.events] == [
        *((str(number), 300_000) for number in range(3)),
        ("last", 1),
    ]
    assert running.stats.bytes_buffered == 0


def test_every_senders_order_holds(running: RunningGateway) -> None:
    """A slow client gets the events of each of three senders in the sender's order."""
    token, stream = running.open(send_buffer=4096)
    filler = "x" * 500

    def send(name: str, broadcast: bool) -> None:
        for number in range(200):
            event = Event(name, f"{number} {filler}")
            if broadcast:
                assert running.gateway.broadcast([token], event) == BroadcastResult(1, ())
            else:
                assert running.gateway.send(token, event) is SendStatus.OK
            if name == "loop":
                gevent.sleep(0)

    own = gevent.spawn(send, "loop", False)
    threads = begin_native(lambda: send("a", False), lambda: send("b", True))
    with gevent.Timeout(TIME_LIMIT):
        for _ in range(600):
            stream.next_event()
        own.get()
        for thread in threads:
            thread.get()
    for name in ("a", "b", "loop"):
        numbers = [int(event.data.split()[0]) for event in stream.events if event.type == name]
        assert numbers == list(range(200))


def test_close_and_errors_from_a_thread(running: RunningGateway) -> None:
    """A thread gets the same results and errors as a greenlet."""
    token, stream = running.open()
    run_native(lambda: running.gateway.close(token))
    assert stream.wait_for_end() is Ended.CLEAN
    with pytest.raises(UnknownToken) as caught:
        run_native(lambda: running.gateway.close(token))
    assert caught.value.token == token
    result = run_native(lambda: running.gateway.broadcast([token], Event(None, "x")))
    assert result == [BroadcastResult(0, (token,))]
    assert run_native(lambda: running.stats.active) == [0]


def test_broadcasts_of_threads_take_turns(running: RunningGateway) -> None:
    """All streams see the broadcasts of several threads in the same order."""
    opened = [running.open() for _ in range(3)]
    tokens = tuple(token for token, _ in opened)

    def broadcast(name: str) -> None:
        for number in range(50):
            running.gateway.broadcast(tokens, Event(name, str(number)))

    run_native(lambda: broadcast("a"), lambda: broadcast("b"))
    seen = []
    for _, stream in opened:
        for _ in range(100):
            stream.next_event()
        seen.append([(event.type, event.data) for event in stream.events])
    assert seen[0] == seen[1] == seen[2]


def test_open_is_for_the_serving_thread(running: RunningGateway) -> None:
    """Another thread cannot open a stream: the stream's watchers belong to the loop."""
    client, server = tcp_pair()
    request = StreamRequest("/events", {}, address="192.0.2.1")
    with client, server, pytest.raises(NotAllowedHere, match="event loop"):
        run_native(lambda: running.gateway.open(request, server))
    assert running.backend.calls == []


def test_drain_from_a_thread(running: RunningGateway) -> None:
    """A drain from another thread ends every stream before it returns."""
    _, stream = running.open()
    run_native(lambda: running.gateway.drain(Event("bye", "1"), 5.0))
    assert stream.wait_for_end() is Ended.CLEAN
    assert stream.events[-1].type == "bye"


def test_after_the_stop_a_thread_is_told(running: RunningGateway) -> None:
    """A send that no loop will carry out raises LoopNotRunning, instead of waiting forever."""
    token, _ = running.open()

    def send_for_ever() -> None:
        while True:
            running.gateway.broadcast([token], Event(None, "x"))

    [sender] = begin_native(send_for_ever)
    wait_until(lambda: running.stats.broadcasts, "a send")
    running.gateway.stop()
    with pytest.raises(LoopNotRunning):
        sender.get()
    with pytest.raises(LoopNotRunning):
        run_native(lambda: running.gateway.send(token, Event(None, "x")))
