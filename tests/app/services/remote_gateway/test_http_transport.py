"""A gateway behind HTTP: side by side, in order for each stream, and never for long."""

from __future__ import annotations

import gc
import json
import logging
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from app.services.gateway_transport import BroadcastResult, TransportError
from app.services.remote_gateway import http_transport
from app.services.remote_gateway.http_transport import HttpTransport
from gateway_shim.protocol.event_stream import Event
from tests.app.services.remote_gateway.http_gateway import OK, HttpGateway, http_answer
from tests.support.timing import TIME_LIMIT, Stopwatch, wait_until

LIMIT = 0.5
"""The time limit of a hasty transport, seconds: long for an answer, even on a busy machine."""
EVENT = Event("n", "d")
UNKNOWN = http_answer(404)


@pytest.fixture
def gateway() -> Iterator[HttpGateway]:
    """A gateway that takes every send, until a test says otherwise."""
    with HttpGateway() as running:
        yield running


@pytest.fixture
def make_transport(gateway: HttpGateway) -> Iterator[Callable[..., HttpTransport]]:
    """Make transports to the gateway; their senders end with the test."""
    made: list[HttpTransport] = []

    def make(**options: Any) -> HttpTransport:
        made.append(HttpTransport(gateway.url, **{"time_limit": TIME_LIMIT, **options}))
        return made[-1]

    yield make
    for transport in made:
        gevent.killall(transport._senders)


@pytest.fixture
def transport(make_transport: Callable[..., HttpTransport]) -> HttpTransport:
    """One that waits as long as live tests do."""
    return make_transport()


@pytest.fixture
def hasty(make_transport: Callable[..., HttpTransport]) -> HttpTransport:
    """One with a short time limit."""
    return make_transport(time_limit=LIMIT)


def assert_idle(transport: HttpTransport) -> None:
    """Nothing waits any more, and nothing is counted as waiting."""
    wait_until(lambda: not transport._lanes, "every lane to be empty")
    assert (transport._queued, transport._queued_characters) == (0, 0)
    assert all(not sender.dead for sender in transport._senders)


def tokens(count: int) -> list[str]:
    """So many streams."""
    return [f"T{number}" for number in range(count)]


# ------------------------------------------------------------------ one stream


def test_send(gateway: HttpGateway, transport: HttpTransport) -> None:
    """A taken send is True; an event without a name has an empty one."""
    assert transport.send("T", EVENT) is True
    assert transport.send("T", Event(None, "")) is True
    assert gateway.sends == [
        {"token": "T", "event": {"name": "n", "data": "d"}},
        {"token": "T", "event": {"name": "", "data": ""}},
    ]


def test_send_to_an_unknown_token(gateway: HttpGateway, transport: HttpTransport) -> None:
    """404 is False, no error."""
    gateway.respond = lambda send: UNKNOWN
    assert transport.send("T", EVENT) is False


@pytest.mark.parametrize("status", [201, 204, 302, 400, 401, 413, 500, 503])
def test_any_other_answer_is_an_error(
    gateway: HttpGateway, transport: HttpTransport, status: int
) -> None:
    """Only 200 says that it was taken."""
    gateway.respond = lambda send: http_answer(status, b"")
    with pytest.raises(TransportError, match=rf"^the gateway answered {status}$"):
        transport.send("T", EVENT)
    assert_idle(transport)


@pytest.mark.parametrize("reply", [b"", b"\0\xff garbage\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_garbage_is_an_error(gateway: HttpGateway, transport: HttpTransport, reply: bytes) -> None:
    """And the next send is a new try."""
    gateway.respond = lambda send: reply
    with pytest.raises(TransportError, match=r"^no answer from the gateway: "):
        transport.send("T", EVENT)
    gateway.respond = lambda send: OK
    assert transport.send("T", EVENT) is True


def test_refused_and_back_again(gateway: HttpGateway, transport: HttpTransport) -> None:
    """A gateway that restarts: errors at once while it is away, then as before."""
    assert transport.send("T", EVENT) is True
    gateway.stop()
    with pytest.raises(TransportError, match=r"Connection refused"):
        transport.send("T", EVENT)
    gateway.start()
    assert transport.send("T", EVENT) is True
    assert_idle(transport)


def test_a_hung_gateway_costs_one_time_limit(gateway: HttpGateway, hasty: HttpTransport) -> None:
    """No longer, for the send that is under way and for those behind it."""
    gateway.respond = lambda send: Signal().wait()  # type: ignore[return-value]
    with Stopwatch() as watch:
        sends = [gevent.spawn(hasty.send, "T", EVENT) for _ in range(5)]
        gevent.joinall(sends)
    assert watch.elapsed > LIMIT * 0.9
    assert watch.seconds < 3 * LIMIT  # one after the other they would take five
    assert [type(send.exception) for send in sends] == [TransportError] * 5
    assert_idle(hasty)


def test_one_callers_time_limit_is_its_own(gateway: HttpGateway, transport: HttpTransport) -> None:
    """A caller who is under a time limit of his own gets that, not a TransportError."""
    gateway.respond = lambda send: Signal().wait()  # type: ignore[return-value]
    with pytest.raises(gevent.Timeout) as raised, gevent.Timeout(0.05) as mine:
        transport.send("T", EVENT)
    assert raised.value is mine


def test_a_caller_who_leaves_takes_nothing_with_him(
    gateway: HttpGateway, transport: HttpTransport
) -> None:
    """His send is carried out all the same, and in its place."""
    go = Signal()
    gateway.respond = lambda send: go.wait() and OK  # type: ignore[return-value]
    leaver = gevent.spawn(transport.send, "T", Event("n", "1"))
    stayer = gevent.spawn(transport.send, "T", Event("n", "2"))
    gevent.sleep(0.02)
    leaver.kill()
    go.set()
    assert stayer.get(timeout=TIME_LIMIT) is True
    assert gateway.data_of("T") == ["1", "2"]
    assert_idle(transport)


def test_close(gateway: HttpGateway, transport: HttpTransport) -> None:
    """A close carries no event."""
    transport.close("T")
    assert_idle(transport)
    assert gateway.sends == [{"token": "T", "close": True}]


def test_close_waits_for_nothing(gateway: HttpGateway, hasty: HttpTransport) -> None:
    """Who closes is a connect callback: the gateway's silence is not to hold it up."""
    gateway.respond = lambda send: Signal().wait()  # type: ignore[return-value]
    others: list[str] = []
    gevent.spawn(others.append, "ran")
    hasty.close("T")
    assert others == []  # nobody else got a turn: the call did not wait


@pytest.mark.parametrize(("status", "lines"), [(200, 0), (404, 0), (500, 1)])
def test_only_a_failed_close_is_logged(
    gateway: HttpGateway,
    transport: HttpTransport,
    caplog: pytest.LogCaptureFixture,
    status: int,
    lines: int,
) -> None:
    """A stream that is gone already is what was wanted."""
    gateway.respond = lambda send: http_answer(status)
    transport.close("T")
    assert_idle(transport)
    records = [vars(record) for record in caplog.records]
    assert [record["token"] for record in records] == ["T"] * lines


# ------------------------------------------------------------------ the end


def test_drain(gateway: HttpGateway, transport: HttpTransport) -> None:
    """Every stream gets the last event and its end in one send, after what was sent before."""
    transport.broadcast(tokens(3), EVENT)
    gateway.bodies.clear()
    transport.drain(tokens(3), Event("bye", "1"), TIME_LIMIT)
    assert sorted(gateway.sends, key=lambda send: send["token"]) == [
        {"token": token, "event": {"name": "bye", "data": "1"}, "close": True}
        for token in tokens(3)
    ]
    assert_idle(transport)


def test_drain_of_nothing(transport: HttpTransport) -> None:
    """Without streams it is over at once."""
    transport.drain([], EVENT, TIME_LIMIT)


def test_drain_at_a_hung_gateway(
    gateway: HttpGateway, transport: HttpTransport, caplog: pytest.LogCaptureFixture
) -> None:
    """It takes no longer than it is given, and says what was not ended; gone is ended."""
    gateway.respond = lambda send: UNKNOWN if send["token"] == "T1" else Signal().wait()  # type: ignore[return-value]
    with Stopwatch() as watch:
        transport.drain(tokens(3), EVENT, LIMIT)
    assert LIMIT * 0.9 < watch.elapsed < TIME_LIMIT
    (record,) = caplog.records
    assert (record.getMessage(), vars(record)["missing"]) == (
        f"the gateway has not ended every stream: no answer within {LIMIT} s",
        2,
    )


# ------------------------------------------------------------------ broadcasts


def test_broadcast(gateway: HttpGateway, transport: HttpTransport) -> None:
    """One POST for each stream, all with the same event."""
    assert transport.broadcast(tokens(50), EVENT) == BroadcastResult(50, ())
    assert sorted(gateway.bodies) == sorted(
        json.dumps(
            {"token": token, "event": {"name": "n", "data": "d"}}, separators=(",", ":")
        ).encode()
        for token in tokens(50)
    )
    assert_idle(transport)


def test_broadcast_to_nobody(gateway: HttpGateway, transport: HttpTransport) -> None:
    """Returns at once."""
    assert transport.broadcast([], EVENT) == BroadcastResult(0, ())
    assert gateway.bodies == []


def test_broadcast_with_some_gone_and_some_failing(
    gateway: HttpGateway, transport: HttpTransport, caplog: pytest.LogCaptureFixture
) -> None:
    """Unknown tokens are named; failures are neither; the others go on. One log line."""
    answers = {"T3": UNKNOWN, "T7": UNKNOWN, "T5": http_answer(500), "T6": b"garbage\r\n\r\n"}
    gateway.respond = lambda send: answers.get(send["token"], OK)
    result = transport.broadcast(tokens(10), EVENT)
    assert (result.delivered, sorted(result.unknown)) == (6, ["T3", "T7"])
    (record,) = caplog.records
    assert {
        name: vars(record)[name] for name in ("levelno", "event_name", "streams", "missing")
    } == {"levelno": logging.WARNING, "event_name": "n", "streams": 10, "missing": 2}


def test_no_retries(gateway: HttpGateway, transport: HttpTransport) -> None:
    """What fails was tried once."""
    gateway.respond = lambda send: b"" if send["token"] == "T0" else http_answer(500)
    assert transport.broadcast(tokens(2), EVENT) == BroadcastResult(0, ())
    assert sorted(send["token"] for send in gateway.sends) == ["T0", "T1"]


@pytest.mark.parametrize("concurrency", [1, 5, 16])
def test_at_most_so_many_side_by_side(
    gateway: HttpGateway, make_transport: Callable[..., HttpTransport], concurrency: int
) -> None:
    """As many POSTs at a time as configured, on as many kept connections; never more."""

    def respond(send: dict[str, Any]) -> bytes:
        gevent.sleep(0.002)
        return OK

    gateway.respond = respond
    transport = make_transport(concurrency=concurrency)
    for _ in range(3):
        assert transport.broadcast(tokens(40), EVENT).delivered == 40
    assert (gateway.most_at_once, gateway.connections) == (concurrency, concurrency)


def test_a_hung_gateway_costs_a_broadcast_one_time_limit(
    gateway: HttpGateway, hasty: HttpTransport
) -> None:
    """Hundreds of streams cost no more than one; afterwards all is as before."""
    go = Signal()
    gateway.respond = lambda send: go.wait() and OK  # type: ignore[return-value]
    with Stopwatch() as watch:
        assert hasty.broadcast(tokens(500), EVENT) == BroadcastResult(0, ())
    assert watch.elapsed > LIMIT * 0.9
    assert watch.seconds < 5 * LIMIT  # sixteen at a time would take thirty-two
    assert_idle(hasty)
    go.set()
    assert hasty.broadcast(tokens(50), EVENT) == BroadcastResult(50, ())


def test_broadcasts_at_a_hung_gateway_do_not_wait_for_each_other(
    gateway: HttpGateway, hasty: HttpTransport
) -> None:
    """Ten at the same time are over after the same one time limit."""
    gateway.respond = lambda send: Signal().wait()  # type: ignore[return-value]
    with Stopwatch() as watch:
        broadcasts = [gevent.spawn(hasty.broadcast, tokens(100), EVENT) for _ in range(10)]
        gevent.joinall(broadcasts)
    assert watch.seconds < 5 * LIMIT  # one after the other they would take ten
    assert [broadcast.value for broadcast in broadcasts] == [BroadcastResult(0, ())] * 10
    assert_idle(hasty)


def test_a_gateway_that_has_been_silent_is_not_waited_for(
    gateway: HttpGateway, hasty: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it has answered again: many events in a row are held up by it only once."""
    monkeypatch.setattr(http_transport, "_GRACE_SECONDS", LIMIT / 20)
    go = Signal()
    gateway.respond = lambda send: go.wait() and OK  # type: ignore[return-value]
    with pytest.raises(TransportError, match=r"^(no answer within|the gateway did not answer)"):
        hasty.send("T", EVENT)
    with Stopwatch() as watch:
        for number in range(10):
            assert hasty.broadcast(["T", "U"], Event("n", str(number))).delivered == 0
            with pytest.raises(TransportError, match=r"^the gateway does not answer$"):
                hasty.send("V", EVENT)
    assert watch.seconds < 5 * LIMIT  # twenty waits; each for the whole limit would take twenty
    go.set()
    assert_idle(hasty)

    def respond(send: dict[str, Any]) -> bytes:
        gevent.sleep(LIMIT / 4)
        return OK

    gateway.respond = respond
    assert hasty.send("T", EVENT) is True


def test_one_answer_is_enough_to_be_waited_for_again(
    gateway: HttpGateway, transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that is back gets the whole time limit at once, for a large broadcast too."""
    monkeypatch.setattr(http_transport, "_GRACE_SECONDS", LIMIT)
    transport._silent = True

    def respond(send: dict[str, Any]) -> bytes:
        gevent.sleep(LIMIT / 4)
        return OK

    gateway.respond = respond
    with Stopwatch() as watch:
        assert transport.broadcast(tokens(96), EVENT) == BroadcastResult(96, ())
    assert watch.seconds > LIMIT


def test_silence_on_one_stream_is_no_silence(gateway: HttpGateway, hasty: HttpTransport) -> None:
    """While others are answered, they are waited for."""

    def respond(send: dict[str, Any]) -> bytes:
        if send["token"] == "hung":
            Signal().wait()
        gevent.sleep(LIMIT / 20)
        return OK

    gateway.respond = respond
    hung = gevent.spawn(hasty.broadcast, ["hung"], EVENT)
    while not hung.ready():
        assert hasty.send("fine", EVENT) is True
    assert hasty.send("fine", EVENT) is True
    assert hung.value == BroadcastResult(0, ())
    assert not hasty._silent


def test_a_slow_gateway_gets_everything_in_order(
    gateway: HttpGateway, hasty: HttpTransport
) -> None:
    """It answers, if slowly: callers stop waiting, but what they sent is not given up."""

    def respond(send: dict[str, Any]) -> bytes:
        gevent.sleep(LIMIT / 8)
        return OK

    gateway.respond = respond
    broadcasts = [
        gevent.spawn(hasty.broadcast, tokens(80), Event("n", str(number))) for number in range(4)
    ]
    gevent.joinall(broadcasts, raise_error=True)
    assert sum(broadcast.value.delivered for broadcast in broadcasts) < 320
    assert_idle(hasty)
    assert [gateway.data_of(token) for token in tokens(80)] == [["0", "1", "2", "3"]] * 80


# ------------------------------------------------------------------ order


def test_order_of_each_stream(gateway: HttpGateway, transport: HttpTransport) -> None:
    """However long each answer takes, a stream sees sends, broadcasts and close as they came."""
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
    """The next one goes when the one before is answered."""

    def respond(send: dict[str, Any]) -> bytes:
        gevent.sleep(0.001)
        return OK

    gateway.respond = respond
    sends = [gevent.spawn(transport.send, "T", EVENT) for _ in range(20)]
    gevent.joinall(sends, raise_error=True)
    assert gateway.most_at_once == 1


# ------------------------------------------------------------------ what could pile up


@pytest.mark.slow
def test_a_stream_that_is_never_answered_does_not_pile_up(
    gateway: HttpGateway, hasty: HttpTransport
) -> None:
    """The gateway hangs for one token only: its lane stays short, the others go on."""
    gateway.respond = lambda send: (
        Signal().wait() if send["token"] == "hung" else OK  # type: ignore[return-value]
    )
    longest = 0
    started = time.monotonic()
    sent = 0
    while time.monotonic() < started + 5 * LIMIT:
        gevent.spawn(hasty.broadcast, ["hung", "fine"], Event("n", str(sent)))
        sent += 1
        gevent.sleep(LIMIT / 20)
        longest = max(longest, len(hasty._lanes.get("hung", ())))
    assert gateway.data_of("fine") == [str(number) for number in range(sent)]
    per_limit = sent / 5
    assert longest <= 2.5 * per_limit + 2
    assert_idle(hasty)


def test_the_queue_is_bounded(
    gateway: HttpGateway, transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too much is refused at once; what was taken before is still sent."""
    monkeypatch.setattr(http_transport, "_MAX_QUEUED", 10)
    go = Signal()
    gateway.respond = lambda send: go.wait() and OK  # type: ignore[return-value]
    broadcast = gevent.spawn(transport.broadcast, tokens(12), EVENT)
    gevent.sleep(0.02)
    with pytest.raises(TransportError, match=r"^too much waits for the gateway already$"):
        transport.send("T0", EVENT)
    go.set()
    assert broadcast.get(timeout=TIME_LIMIT) == BroadcastResult(10, ())
    assert_idle(transport)
    assert transport.send("T0", EVENT) is True


def test_the_queued_data_is_bounded(
    gateway: HttpGateway, transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broadcast's data counts once, however many streams it is for."""
    monkeypatch.setattr(http_transport, "_MAX_QUEUED_CHARACTERS", 1000)
    go = Signal()
    gateway.respond = lambda send: go.wait() and OK  # type: ignore[return-value]
    first, second = Event("n", "x" * 600), Event("n", "y" * 400)
    broadcasts = [gevent.spawn(transport.broadcast, tokens(50), event) for event in (first, second)]
    gevent.sleep(0.02)
    with pytest.raises(TransportError, match=r"^too much waits"):
        transport.send("T0", EVENT)
    go.set()
    gevent.joinall(broadcasts)
    assert [broadcast.value.delivered for broadcast in broadcasts] == [50, 50]
    assert_idle(transport)


def test_given_up_by_the_clock(
    gateway: HttpGateway, make_transport: Callable[..., HttpTransport]
) -> None:
    """A send that has waited a time limit without any answer to anybody is not tried any more."""
    now = [0.0]
    transport = make_transport(concurrency=1, time_limit=5.0, clock=lambda: now[0])

    def respond(send: dict[str, Any]) -> bytes:
        now[0] += 5.1  # slow, but an answer
        return http_answer(500) if send["token"] == "T1" else OK

    gateway.respond = respond
    assert transport.broadcast(tokens(3), EVENT) == BroadcastResult(2, ())

    def fail(send: dict[str, Any]) -> bytes:
        now[0] += 5.1
        return b""

    gateway.respond = fail
    assert transport.broadcast(tokens(3), EVENT) == BroadcastResult(0, ())
    assert [send["token"] for send in gateway.sends] == ["T0", "T1", "T2", "T0"]


def test_giving_up_lets_others_run(
    gateway: HttpGateway, make_transport: Callable[..., HttpTransport]
) -> None:
    """However many sends are given up in a row."""
    now = [0.0]
    transport = make_transport(concurrency=1, time_limit=5.0, clock=lambda: now[0])

    def fail(send: dict[str, Any]) -> bytes:
        now[0] += 5.1
        return b""

    # The connection is there already: while this greenlet spins below, a native thread, which
    # looks up a name, would hardly ever get the interpreter.
    assert transport.send("T0", EVENT) is True
    gateway.bodies.clear()
    gateway.respond = fail
    broadcast = gevent.spawn(transport.broadcast, tokens(1000), EVENT)
    gevent.sleep(0)
    most, queued = 0, transport._queued
    while not broadcast.ready():
        gevent.sleep(0)
        most, queued = max(most, queued - transport._queued), transport._queued
    assert (most, len(gateway.bodies)) == (1, 1)


def test_a_sender_survives_any_surprise(
    gateway: HttpGateway, transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that raises what nobody expects costs one send, not the streams' senders."""
    client = transport._post._client
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


def test_half_a_surrogate_pair(gateway: HttpGateway, transport: HttpTransport) -> None:
    """Text that has no UTF-8 arrives as it was."""
    assert transport.broadcast(["T"], Event("n", "é\ud800")).delivered == 1
    assert gateway.data_of("T") == ["é\ud800"]


def test_nothing_happens_before_the_first_send(gateway: HttpGateway) -> None:
    """The worker is forked after this is made: neither greenlets nor connections before."""
    transport = HttpTransport(gateway.url)
    gevent.sleep(0)
    assert (transport._senders, gateway.connections) == ([], 0)


def test_ten_thousand_streams(gateway: HttpGateway, transport: HttpTransport) -> None:
    """Queueing a broadcast for that many does not hold up the event loop for long."""
    gateway.respond = lambda send: Signal().wait()  # type: ignore[return-value]
    costs = []
    gc.collect()
    gc.disable()  # the objects of all tests would be looked through in the middle
    try:
        for count in (1_000, 10_000):
            before = time.process_time()
            broadcast = gevent.spawn(transport.broadcast, tokens(count), EVENT)
            wait_until(lambda count=count: transport._queued >= count, "all to be queued")  # type: ignore[misc]
            costs.append(time.process_time() - before)
            broadcast.kill()
    finally:
        gc.enable()
    wait_until(lambda: gateway.most_at_once == 16, "every sender to be connected")
    assert costs[1] < 40 * costs[0]  # ten times as many; each looking at the others: a hundred
