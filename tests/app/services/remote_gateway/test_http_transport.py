"""The transport to a gateway behind HTTP: sends, broadcasts, closes and the drain."""

from __future__ import annotations

import json
import logging

import gevent
import pytest
from gevent.event import Event as Signal

from app.services.gateway_transport import BroadcastResult, TransportError
from app.services.remote_gateway.http_transport import HttpTransport
from gateway_shim.protocol.event_stream import Event
from tests.app.services.remote_gateway.conftest import (
    EVENT,
    UNKNOWN,
    assert_idle,
    tokens,
)
from tests.app.services.remote_gateway.http_gateway import OK, HttpGateway, http_answer
from tests.support.timing import TIME_LIMIT


def test_send(gateway: HttpGateway, transport: HttpTransport) -> None:
    """A send that is taken returns True; an event without a name is sent with an empty name."""
    assert transport.send("T", EVENT) is True
    assert transport.send("T", Event(None, "")) is True
    assert gateway.sends == [
        {"token": "T", "event": {"name": "n", "data": "d"}},
        {"token": "T", "event": {"name": "", "data": ""}},
    ]


def test_send_to_an_unknown_token(gateway: HttpGateway, transport: HttpTransport) -> None:
    """An answer of 404 returns False, without an error."""
    gateway.respond = lambda send: UNKNOWN
    assert transport.send("T", EVENT) is False


@pytest.mark.parametrize("status", [201, 204, 302, 400, 401, 413, 500, 503])
def test_any_other_answer_is_an_error(
    gateway: HttpGateway, transport: HttpTransport, status: int
) -> None:
    """Any other status than 200 is an error."""
    gateway.respond = lambda send: http_answer(status, b"")
    with pytest.raises(TransportError, match=rf"^the gateway answered {status}$"):
        transport.send("T", EVENT)
    assert_idle(transport)


@pytest.mark.parametrize("reply", [b"", b"\0\xff garbage\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_garbage_is_an_error(gateway: HttpGateway, transport: HttpTransport, reply: bytes) -> None:
    """An answer that is not HTTP is an error; the next send is tried again."""
    gateway.respond = lambda send: reply
    with pytest.raises(TransportError, match=r"^no answer from the gateway: "):
        transport.send("T", EVENT)
    gateway.respond = lambda send: OK
    assert transport.send("T", EVENT) is True


def test_a_gateway_that_restarts(gateway: HttpGateway, transport: HttpTransport) -> None:
    """While the gateway is away, sends fail at once; after that they succeed again."""
    assert transport.send("T", EVENT) is True
    gateway.stop()
    with pytest.raises(TransportError, match=r"Connection refused"):
        transport.send("T", EVENT)
    gateway.start()
    assert transport.send("T", EVENT) is True
    assert_idle(transport)


def test_a_send_is_carried_out_without_its_caller(
    gateway: HttpGateway, transport: HttpTransport
) -> None:
    """The send of a caller that was killed is still posted, in its place."""
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


@pytest.mark.parametrize(("status", "lines"), [(200, 0), (404, 0), (500, 1)])
def test_only_a_failed_close_is_logged(
    gateway: HttpGateway,
    transport: HttpTransport,
    caplog: pytest.LogCaptureFixture,
    status: int,
    lines: int,
) -> None:
    """A close of a stream that is already gone is not logged; a failed close is."""
    gateway.respond = lambda send: http_answer(status)
    transport.close("T")
    assert_idle(transport)
    records = [vars(record) for record in caplog.records]
    assert [record["token"] for record in records] == ["T"] * lines


def test_drain(gateway: HttpGateway, transport: HttpTransport) -> None:
    """Each stream gets the last event and its end in one send, after earlier events."""
    transport.broadcast(tokens(3), EVENT)
    gateway.bodies.clear()
    transport.drain(tokens(3), Event("bye", "1"), TIME_LIMIT)
    assert sorted(gateway.sends, key=lambda send: send["token"]) == [
        {"token": token, "event": {"name": "bye", "data": "1"}, "close": True}
        for token in tokens(3)
    ]
    assert_idle(transport)


def test_drain_without_streams(transport: HttpTransport) -> None:
    """Without streams, a drain returns at once."""
    transport.drain([], EVENT, TIME_LIMIT)


def test_broadcast(gateway: HttpGateway, transport: HttpTransport) -> None:
    """A broadcast is one POST for each stream, all with the same event."""
    assert transport.broadcast(tokens(50), EVENT) == BroadcastResult(50, ())
    assert sorted(gateway.bodies) == sorted(
        json.dumps(
            {"token": token, "event": {"name": "n", "data": "d"}}, separators=(",", ":")
        ).encode()
        for token in tokens(50)
    )
    assert_idle(transport)


def test_broadcast_without_streams(gateway: HttpGateway, transport: HttpTransport) -> None:
    """A broadcast without streams posts nothing."""
    assert transport.broadcast([], EVENT) == BroadcastResult(0, ())
    assert gateway.bodies == []


def test_broadcast_with_some_gone_and_some_failing(
    gateway: HttpGateway, transport: HttpTransport, caplog: pytest.LogCaptureFixture
) -> None:
    """A broadcast names unknown tokens, and logs failures in one line; the others get the event."""
    answers = {"T3": UNKNOWN, "T7": UNKNOWN, "T5": http_answer(500), "T6": b"garbage\r\n\r\n"}
    gateway.respond = lambda send: answers.get(send["token"], OK)
    result = transport.broadcast(tokens(10), EVENT)
    assert (result.delivered, sorted(result.unknown)) == (6, ["T3", "T7"])
    (record,) = caplog.records
    assert {
        name: vars(record)[name] for name in ("levelno", "event_name", "streams", "missing")
    } == {"levelno": logging.WARNING, "event_name": "n", "streams": 10, "missing": 2}


def test_no_retries(gateway: HttpGateway, transport: HttpTransport) -> None:
    """A failed send is not repeated."""
    gateway.respond = lambda send: b"" if send["token"] == "T0" else http_answer(500)
    assert transport.broadcast(tokens(2), EVENT) == BroadcastResult(0, ())
    assert sorted(send["token"] for send in gateway.sends) == ["T0", "T1"]


def test_half_a_surrogate_pair(gateway: HttpGateway, transport: HttpTransport) -> None:
    """Text that UTF-8 cannot encode arrives unchanged."""
    assert transport.broadcast(["T"], Event("n", "é\ud800")).delivered == 1
    assert gateway.data_of("T") == ["é\ud800"]
