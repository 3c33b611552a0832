"""The lanes of sends: their order, their limits, and the sends that are given up."""

from __future__ import annotations

import gc
import random
import time
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from app.services.gateway_transport import BroadcastResult, TransportError
from app.services.remote_gateway import lanes
from app.services.remote_gateway.http_transport import HttpTransport
from gateway_shim.protocol.event_stream import Event
from tests.app.services.remote_gateway.conftest import (
    EVENT,
    LIMIT,
    MakeTransport,
    assert_idle,
    tokens,
)
from tests.app.services.remote_gateway.http_gateway import OK, HttpGateway, http_answer
from tests.support.timing import TIME_LIMIT, wait_until

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("concurrency", [1, 5, 16])
def test_the_posts_at_a_time_are_bounded(
    gateway: HttpGateway, make_transport: MakeTransport, concurrency: int
) -> None:
    """There are as many POSTs at a time as configured, on as many kept connections."""

    def respond(send: dict[str, Any]) -> bytes:
        gevent.sleep(0.002)
        return OK

    gateway.respond = respond
    transport = make_transport(concurrency=concurrency)
    for _ in range(3):
        assert transport.broadcast(tokens(40), EVENT).delivered == 40
    assert (gateway.most_at_once, gateway.connections) == (concurrency, concurrency)


def test_a_slow_gateway_gets_everything_in_order(
    gateway: HttpGateway, make_transport: MakeTransport
) -> None:
    """A slow gateway gets all sends in order, though their callers stop waiting.

    The limit is so long that a busy machine never stops this process for a whole limit: then no
    answer would come in time, and sends would be given up.
    """
    limit = 2 * LIMIT

    def respond(send: dict[str, Any]) -> bytes:
        gevent.sleep(limit / 8)
        return OK

    gateway.respond = respond
    patient = make_transport(time_limit=limit)
    broadcasts = [
        gevent.spawn(patient.broadcast, tokens(80), Event("n", str(number))) for number in range(4)
    ]
    gevent.joinall(broadcasts, raise_error=True)
    assert sum(broadcast.value.delivered for broadcast in broadcasts) < 320
    assert_idle(patient)
    assert [gateway.data_of(token) for token in tokens(80)] == [["0", "1", "2", "3"]] * 80


def test_order_of_each_stream(gateway: HttpGateway, transport: HttpTransport) -> None:
    """Each stream gets sends, broadcasts and its close in order, however long answers take."""
    chance = random.Random(1)

    def respond(send: dict[str, Any]) -> bytes:
        gevent.sleep(chance.random() * 0.004)
        return OK

    gateway.respond = respond
    expected: dict[str, list[str]] = {token: [] for token in tokens(20)}
    calls = []
    for number in range(200):
        event = Event("n", str(number))
        token = f"T{chance.randrange(20)}"
        if number % 10 == 0:
            calls.append(gevent.spawn(transport.broadcast, tokens(20), event))
            for lane in expected.values():
                lane.append(event.data)
        else:
            calls.append(gevent.spawn(transport.send, token, event))
            expected[token].append(event.data)
    for token in tokens(20)[:5]:
        calls.append(gevent.spawn(transport.close, token))
        expected[token].append("close")
    gevent.joinall(calls, raise_error=True)
    assert_idle(transport)
    assert {token: gateway.data_of(token) for token in expected} == expected
    assert gateway.most_at_once > 8


def test_one_stream_never_has_two_posts_at_once(
    gateway: HttpGateway, transport: HttpTransport
) -> None:
    """The next send of a stream is posted when the one before is answered."""

    def respond(send: dict[str, Any]) -> bytes:
        gevent.sleep(0.001)
        return OK

    gateway.respond = respond
    sends = [gevent.spawn(transport.send, "T", EVENT) for _ in range(20)]
    gevent.joinall(sends, raise_error=True)
    assert gateway.most_at_once == 1


@pytest.mark.slow
def test_a_stream_that_is_never_answered_does_not_pile_up(
    gateway: HttpGateway, hasty: HttpTransport
) -> None:
    """The lane of a stream that is never answered stays short; other streams go on."""
    gateway.respond = lambda send: (
        Signal().wait() if send["token"] == "hung" else OK  # type: ignore[return-value]
    )
    longest = 0
    in_a_limit = 20  # fewer if the machine is busy
    for number in range(5 * in_a_limit):
        gevent.spawn(hasty.broadcast, ["hung", "fine"], Event("n", str(number)))
        gevent.sleep(LIMIT / in_a_limit)
        longest = max(longest, len(hasty._lanes._lanes.get("hung", ())))
    wait_until(lambda: len(gateway.data_of("fine")) >= 5 * in_a_limit, "the last sends")
    assert gateway.data_of("fine") == [str(number) for number in range(5 * in_a_limit)]
    assert longest <= 2.5 * in_a_limit + 2
    assert_idle(hasty)


def test_the_queue_is_bounded(
    gateway: HttpGateway, transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A send beyond the limit is refused at once; queued sends are still posted."""
    monkeypatch.setattr(lanes, "MAX_QUEUED", 10)
    go = Signal()
    gateway.respond = lambda send: go.wait() and OK  # type: ignore[return-value]
    broadcast = gevent.spawn(transport.broadcast, tokens(12), EVENT)
    gevent.sleep(0.02)
    with pytest.raises(TransportError, match=r"^too many sends already wait for the gateway$"):
        transport.send("T0", EVENT)
    go.set()
    assert broadcast.get(timeout=TIME_LIMIT) == BroadcastResult(10, ())
    assert_idle(transport)
    assert transport.send("T0", EVENT) is True


def test_the_queued_data_is_bounded(
    gateway: HttpGateway, transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data of a broadcast counts once, however many streams it has."""
    monkeypatch.setattr(lanes, "MAX_QUEUED_CHARACTERS", 1000)
    go = Signal()
    gateway.respond = lambda send: go.wait() and OK  # type: ignore[return-value]
    first, second = Event("n", "x" * 600), Event("n", "y" * 400)
    broadcasts = [gevent.spawn(transport.broadcast, tokens(50), event) for event in (first, second)]
    gevent.sleep(0.02)
    with pytest.raises(TransportError, match=r"^too many sends"):
        transport.send("T0", EVENT)
    go.set()
    gevent.joinall(broadcasts)
    assert [broadcast.value.delivered for broadcast in broadcasts] == [50, 50]
    assert_idle(transport)


def test_a_send_without_any_answer_is_given_up(
    gateway: HttpGateway, make_transport: MakeTransport
) -> None:
    """A send is given up if the gateway answers nothing at all for a time limit."""
    now = [0.0]
    transport = make_transport(concurrency=1, time_limit=5.0, clock=lambda: now[0])

    def respond(send: dict[str, Any]) -> bytes:
        now[0] += 5.1  # the gateway is slow, but answers
        return http_answer(500) if send["token"] == "T1" else OK

    gateway.respond = respond
    assert transport.broadcast(tokens(3), EVENT) == BroadcastResult(2, ())

    def fail(send: dict[str, Any]) -> bytes:
        now[0] += 5.1
        return b""

    gateway.respond = fail
    assert transport.broadcast(tokens(3), EVENT) == BroadcastResult(0, ())
    assert [send["token"] for send in gateway.sends] == ["T0", "T1", "T2", "T0"]


def test_giving_up_lets_others_run(gateway: HttpGateway, make_transport: MakeTransport) -> None:
    """Other greenlets run between two sends that are given up."""
    now = [0.0]
    transport = make_transport(concurrency=1, time_limit=5.0, clock=lambda: now[0])

    def fail(send: dict[str, Any]) -> bytes:
        now[0] += 5.1
        return b""

    # Opens the connection first: while this greenlet spins below, the native thread that looks up
    # the host's name would hardly ever get the interpreter.
    assert transport.send("T0", EVENT) is True
    gateway.bodies.clear()
    gateway.respond = fail
    broadcast = gevent.spawn(transport.broadcast, tokens(1000), EVENT)
    gevent.sleep(0)
    most, queued = 0, transport._lanes._queued
    while not broadcast.ready():
        gevent.sleep(0)
        most, queued = max(most, queued - transport._lanes._queued), transport._lanes._queued
    assert (most, len(gateway.bodies)) == (1, 1)


def test_a_sender_survives_an_unexpected_error(
    gateway: HttpGateway, transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected error of a library costs one send, not the sender."""
    client = transport._lanes._post._client
    request = client.request
    surprises = [RuntimeError("surprise"), MemoryError(), UnicodeError("x"), OverflowError()]

    def surprise(*args: Any, **kwargs: Any) -> Any:
        if surprises:
            raise surprises.pop()
        return request(*args, **kwargs)

    monkeypatch.setattr(client, "request", surprise)
    assert transport.broadcast(tokens(10), EVENT) == BroadcastResult(6, ())
    assert transport.broadcast(tokens(10), EVENT) == BroadcastResult(10, ())
    assert_idle(transport)


def test_nothing_happens_before_the_first_send(gateway: HttpGateway) -> None:
    """Before the first send there are no greenlets and no connections, because workers fork."""
    transport = HttpTransport(gateway.url)
    gevent.sleep(0)
    assert (transport._lanes._senders, gateway.connections) == ([], 0)


def test_ten_thousand_streams(gateway: HttpGateway, transport: HttpTransport) -> None:
    """The time to queue a broadcast is proportional to the number of streams."""
    gateway.respond = lambda send: Signal().wait()  # type: ignore[return-value]
    costs = []
    gc.collect()
    gc.disable()  # a collection would check the objects of all tests
    try:
        for count in (1_000, 10_000):
            before = time.process_time()
            broadcast = gevent.spawn(transport.broadcast, tokens(count), EVENT)
            wait_until(lambda count=count: transport._lanes._queued >= count, "all to be queued")  # type: ignore[misc]
            costs.append(time.process_time() - before)
            broadcast.kill()
    finally:
        gc.enable()
    wait_until(lambda: gateway.most_at_once == 16, "every sender to be connected")
    assert costs[1] < 40 * costs[0]  # linear: ten times; quadratic: a hundred times
