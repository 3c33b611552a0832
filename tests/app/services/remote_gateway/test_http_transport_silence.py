"""Callers do not wait long for a gateway that does not answer."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from app.services.gateway_transport import BroadcastResult, TransportError
from app.services.remote_gateway import http_transport
from app.services.remote_gateway.http_transport import HttpTransport
from gateway_shim.protocol.event_stream import Event
from tests.app.services.remote_gateway.conftest import (
    EVENT,
    LIMIT,
    UNKNOWN,
    assert_idle,
    tokens,
)
from tests.app.services.remote_gateway.http_gateway import OK, HttpGateway
from tests.support.timing import TIME_LIMIT, Stopwatch, wait_until

pytestmark = pytest.mark.slow


def test_a_hung_gateway_costs_one_time_limit(gateway: HttpGateway, hasty: HttpTransport) -> None:
    """A gateway that hangs costs one time limit, for all waiting sends together."""
    gateway.respond = lambda send: Signal().wait()  # type: ignore[return-value]
    with Stopwatch() as watch:
        sends = [gevent.spawn(hasty.send, "T", EVENT) for _ in range(5)]
        gevent.joinall(sends)
    assert watch.elapsed > LIMIT * 0.9
    assert watch.seconds < 3 * LIMIT  # five sends one after the other take five limits
    assert [type(send.exception) for send in sends] == [TransportError] * 5
    assert_idle(hasty)


def test_a_time_limit_of_the_caller_is_passed_on(
    gateway: HttpGateway, transport: HttpTransport
) -> None:
    """A timeout that the caller has set is raised, not a TransportError."""
    gateway.respond = lambda send: Signal().wait()  # type: ignore[return-value]
    with pytest.raises(gevent.Timeout) as raised, gevent.Timeout(0.05) as mine:
        transport.send("T", EVENT)
    assert raised.value is mine


def test_close_waits_for_nothing(gateway: HttpGateway, hasty: HttpTransport) -> None:
    """A close returns at once, because its caller is a connect callback."""
    gateway.respond = lambda send: Signal().wait()  # type: ignore[return-value]
    others: list[str] = []
    gevent.spawn(others.append, "ran")
    hasty.close("T")
    assert others == []  # no other greenlet has run, so the call did not wait


def test_drain_at_a_hung_gateway(
    gateway: HttpGateway, transport: HttpTransport, caplog: pytest.LogCaptureFixture
) -> None:
    """A drain ends in its time, and logs how many streams were not ended."""
    gateway.respond = lambda send: UNKNOWN if send["token"] == "T1" else Signal().wait()  # type: ignore[return-value]
    with Stopwatch() as watch:
        transport.drain(tokens(3), EVENT, LIMIT)
    assert LIMIT * 0.9 < watch.elapsed < TIME_LIMIT
    (record,) = caplog.records
    assert (record.getMessage(), vars(record)["missing"]) == (
        f"the gateway did not end every stream: no answer within {LIMIT} s",
        2,
    )


def test_a_hung_gateway_costs_a_broadcast_one_time_limit(
    gateway: HttpGateway, hasty: HttpTransport
) -> None:
    """A broadcast to hundreds of streams costs one time limit; the next one succeeds.

    Where the machine itself stands still for the time limit, one after that does.
    """
    go = Signal()
    gateway.respond = lambda send: go.wait() and OK  # type: ignore[return-value]
    with Stopwatch() as watch:
        assert hasty.broadcast(tokens(500), EVENT) == BroadcastResult(0, ())
    assert watch.elapsed > LIMIT * 0.9
    assert watch.seconds < 5 * LIMIT  # 500 sends, sixteen at a time, take 32 limits
    assert_idle(hasty)
    go.set()
    everyone = BroadcastResult(50, ())
    wait_until(lambda: hasty.broadcast(tokens(50), EVENT) == everyone, "a broadcast to everyone")


def test_broadcasts_at_a_hung_gateway_do_not_wait_for_each_other(
    gateway: HttpGateway, hasty: HttpTransport
) -> None:
    """Ten broadcasts at the same time all end after one time limit."""
    gateway.respond = lambda send: Signal().wait()  # type: ignore[return-value]
    with Stopwatch() as watch:
        broadcasts = [gevent.spawn(hasty.broadcast, tokens(100), EVENT) for _ in range(10)]
        gevent.joinall(broadcasts)
    assert watch.seconds < 5 * LIMIT  # ten broadcasts one after the other take ten limits
    assert [broadcast.value for broadcast in broadcasts] == [BroadcastResult(0, ())] * 10
    assert_idle(hasty)


def test_a_gateway_that_has_been_silent_is_not_waited_for(
    gateway: HttpGateway, hasty: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a silence, callers wait only briefly, until the gateway has answered again."""
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
    assert watch.seconds < 5 * LIMIT  # twenty waits for the whole limit take twenty limits
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
    """After one answer, callers wait for the whole time limit again."""
    monkeypatch.setattr(http_transport, "_GRACE_SECONDS", LIMIT)
    transport._lanes._is_silent = True

    def respond(send: dict[str, Any]) -> bytes:
        gevent.sleep(LIMIT / 4)
        return OK

    gateway.respond = respond
    with Stopwatch() as watch:
        assert transport.broadcast(tokens(96), EVENT) == BroadcastResult(96, ())
    assert watch.seconds > LIMIT


def test_silence_on_one_stream_is_no_silence(gateway: HttpGateway, hasty: HttpTransport) -> None:
    """A gateway that answers for other streams does not count as silent."""

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
    assert not hasty._lanes.is_silent
