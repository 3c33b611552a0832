"""The connection manager sends events: to one stream, to all, and counts them."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence

import gevent
import pytest
from gevent.monkey import get_original

from app.services.connection_manager import ConnectionManager, ServiceType
from app.services.metrics_service import NullMetrics
from gateway_shim.event_loop.turns import SLICE_SECONDS
from gateway_shim.protocol.event_stream import Event
from tests.app.services.conftest import (
    URL,
    RecordingMetrics,
    RecordingTransport,
    assert_consistent,
    maps,
    send,
)
from tests.support.timing import TIME_LIMIT

native_sleep = get_original("time", "sleep")


def test_send_to_one(manager: ConnectionManager, transport: RecordingTransport) -> None:
    """An event goes to one stream only; its data is compact JSON."""
    manager.on_connect("me", "T1", URL)
    manager.on_connect("you", "T2", URL)
    data = {"text": 'é"\n', "value": 0.5, "nested": [None, True]}
    assert manager.send_event("me", data, "task_event", ServiceType.TASK) is True
    text = '{"text":"é\\"\\n","value":0.5,"nested":[null,true]}'
    assert transport.sent == [("T1", Event("task_event", text))]
    assert transport.broadcasts == []


def test_send_without_a_stream(manager: ConnectionManager, transport: RecordingTransport) -> None:
    """Sending to a request id without a stream returns False, and sends nothing."""
    manager.on_connect("me", "T1", URL)
    assert send(manager, "you") is False
    assert transport.sent == []


def test_send_goes_to_the_current_stream(
    manager: ConnectionManager, transport: RecordingTransport
) -> None:
    """After a replacement, an event goes to the new stream."""
    manager.on_connect("me", "T1", URL)
    manager.on_connect("me", "T2", URL)
    assert send(manager, "me") is True
    assert [token for token, _ in transport.sent] == ["T2"]


def test_an_unknown_token_is_removed(
    manager: ConnectionManager, transport: RecordingTransport
) -> None:
    """A stream that the gateway does not know is removed, and the send returns False."""
    manager.on_connect("me", "T1", URL)
    transport.unknown = {"T1"}
    assert send(manager, "me") is False
    assert (maps(manager), len(transport.sent)) == (({}, {}), 1)


def test_an_unknown_token_is_removed_only_if_current(
    manager: ConnectionManager, transport: RecordingTransport
) -> None:
    """A stream that connected during the send of its predecessor is not removed."""
    manager.on_connect("me", "T1", URL)
    transport.unknown = {"T1"}

    def replace() -> None:
        transport.meanwhile = lambda: None
        manager.on_connect("me", "T2", URL)

    transport.meanwhile = replace
    assert send(manager, "me") is False
    assert maps(manager)[1] == {"T2": "me"}


def test_a_failed_send_is_not_retried(
    manager: ConnectionManager, transport: RecordingTransport, caplog: pytest.LogCaptureFixture
) -> None:
    """A failed send returns False and logs one warning; the stream stays registered."""
    manager.on_connect("me", "T1", URL)
    transport.failing = {"T1"}
    assert send(manager, "me") is False
    assert (len(transport.sent), manager.has_connection("me")) == (1, True)
    (record,) = caplog.records
    assert (record.levelno, vars(record)["request_id"], vars(record)["event_name"]) == (
        logging.WARNING,
        "me",
        "n",
    )


def test_broadcast(manager: ConnectionManager, transport: RecordingTransport) -> None:
    """A broadcast is one call of the transport for all streams."""
    for number in range(3):
        manager.on_connect(f"r{number}", f"T{number}", URL)
    assert send(manager, None, a=1) is True
    assert transport.broadcasts == [(["T0", "T1", "T2"], Event("n", '{"a":1}'))]
    assert transport.sent == []


def test_broadcast_without_streams(
    manager: ConnectionManager, transport: RecordingTransport, caplog: pytest.LogCaptureFixture
) -> None:
    """A broadcast without streams returns False, and does not call the gateway."""
    assert send(manager, None) is False
    assert (transport.broadcasts, caplog.records) == ([], [])


def test_broadcast_with_one_gone(manager: ConnectionManager, transport: RecordingTransport) -> None:
    """A broadcast removes a stream that is gone; the other streams get the event."""
    for number in range(3):
        manager.on_connect(f"r{number}", f"T{number}", URL)
    transport.unknown = {"T1"}
    assert send(manager, None) is True
    assert maps(manager)[1] == {"T0": "r0", "T2": "r2"}


def test_broadcast_with_all_gone(manager: ConnectionManager, transport: RecordingTransport) -> None:
    """A broadcast that no stream takes returns False, and removes all streams that are gone."""
    manager.on_connect("me", "T1", URL)
    transport.unknown = {"T1"}
    assert send(manager, None) is False
    assert maps(manager) == ({}, {})


def test_drain(manager: ConnectionManager, transport: RecordingTransport) -> None:
    """A drain ends every registered stream; each is removed when the gateway reports its end."""
    manager.on_connect("a", "T1", URL + "a")
    manager.on_connect("b", "T2", URL + "b")
    manager.drain(Event("bye", "1"), 5.0)
    assert transport.drained == [(("T1", "T2"), Event("bye", "1"), 5.0)]
    assert manager.has_connection("a")
    assert_consistent(manager)


def test_the_tokens_of_a_broadcast_are_one_tuple(
    manager: ConnectionManager, transport: RecordingTransport
) -> None:
    """Broadcasts get the same tuple of tokens until a stream comes or goes."""
    seen: list[Sequence[str]] = []
    broadcast = transport.broadcast
    transport.broadcast = lambda tokens, event: (seen.append(tokens), broadcast(tokens, event))[1]  # type: ignore[method-assign]
    manager.on_connect("a", "T1", URL + "a")
    send(manager, None)
    send(manager, None)
    assert seen[0] is seen[1]
    manager.on_connect("b", "T2", URL + "b")
    send(manager, None)
    manager.on_disconnect("T1")
    send(manager, None)
    manager.on_disconnect("T1")
    send(manager, None)
    assert seen[1:] == [("T1",), ("T1", "T2"), ("T2",), ("T2",)]
    assert seen[3] is seen[4], "a stale disconnect changes nothing"


def test_broadcast_that_fails(manager: ConnectionManager, transport: RecordingTransport) -> None:
    """A stream for which a broadcast fails stays registered; the send is not repeated."""
    manager.on_connect("me", "T1", URL)
    transport.failing = {"T1"}
    assert send(manager, None) is False
    assert (len(transport.broadcasts), manager.has_connection("me")) == (1, True)


def test_broadcast_while_a_stream_is_replaced(
    manager: ConnectionManager, transport: RecordingTransport
) -> None:
    """A stream that replaces another during a broadcast is not removed with it."""
    manager.on_connect("me", "T1", URL)
    transport.unknown = {"T1"}

    def replace() -> None:
        transport.meanwhile = lambda: None
        manager.on_connect("me", "T2", URL)

    transport.meanwhile = replace
    assert send(manager, None) is False
    assert maps(manager)[1] == {"T2": "me"}


def test_sending_holds_no_lock(manager: ConnectionManager, transport: RecordingTransport) -> None:
    """Streams can come and go while a send or a broadcast waits for the gateway."""
    manager.on_connect("me", "T1", URL)

    def come_and_go() -> None:
        manager.on_connect("you", "T2", URL)
        manager.on_disconnect("T2")

    transport.meanwhile = come_and_go
    assert (send(manager, "me"), send(manager, None)) == (True, True)


def test_data_that_is_not_json(manager: ConnectionManager, transport: RecordingTransport) -> None:
    """Data that JSON cannot represent raises TypeError, and nothing is sent."""
    manager.on_connect("me", "T1", URL)
    with pytest.raises(TypeError):
        send(manager, None, a=object())
    assert transport.broadcasts == []
    assert_consistent(manager)


@pytest.mark.parametrize(
    ("unknown", "failing", "status"),
    [(set(), set(), "success"), ({"T1"}, set(), "no_stream"), (set(), {"T1"}, "error")],
)
@pytest.mark.parametrize("request_id", ["me", None])
def test_sends_are_counted(
    manager: ConnectionManager,
    transport: RecordingTransport,
    metrics: RecordingMetrics,
    request_id: str | None,
    unknown: set[str],
    failing: set[str],
    status: str,
) -> None:
    """Each send is counted by service and outcome, and a broadcast with the number of streams."""
    manager.on_connect("me", "T1", URL)
    metrics.calls.clear()
    transport.unknown, transport.failing = unknown, failing
    manager.send_event(request_id, {}, "version", ServiceType.VERSION)
    gone = [("closed",), ("active", 0)] if unknown else []
    broadcast = [] if request_id else [("broadcast", int(status == "success"))]
    assert metrics.calls == [*gone, *broadcast, ("sent", "version", status)]
    assert all(0 <= seconds < TIME_LIMIT for seconds in metrics.seconds)


def test_sends_without_a_stream_are_counted(
    manager: ConnectionManager, metrics: RecordingMetrics
) -> None:
    """A send without a stream counts as no_stream; a broadcast without streams is no broadcast."""
    send(manager, "me"), send(manager, None)
    assert metrics.calls == [("sent", "task", "no_stream")] * 2


@pytest.mark.parametrize("request_id", ["r", None])
def test_sending_without_a_pause_lets_others_run(request_id: str | None) -> None:
    """A caller that sends without a pause lets a waiting reader run after one slice of time."""
    transport = RecordingTransport()
    transport.meanwhile = lambda: native_sleep(SLICE_SECONDS / 2)
    manager = ConnectionManager(transport, NullMetrics())
    manager.on_connect("r", "T", URL + "r")

    def send() -> None:
        for _ in range(500):
            manager.send_event(request_id, {}, "e", ServiceType.TASK)

    reader, writer = socket.socketpair()
    with reader, writer:
        got = gevent.spawn(reader.recv, 1)
        gevent.sleep(0.001)
        senders = [gevent.spawn(send) for _ in range(3)]
        writer.send(b"x")
        got.join()
        count = len(transport.sent) + len(transport.broadcasts)
        gevent.killall(senders)
    assert count < 20


def test_a_connect_does_not_wait_for_its_turn() -> None:
    """In a storm, each connect sends. If it waited then, all would be pending, and be refused."""
    transport = RecordingTransport()
    transport.meanwhile = lambda: native_sleep(SLICE_SECONDS * 2)
    manager = ConnectionManager(transport, NullMetrics())
    manager.register_on_connect(
        lambda request_id: manager.send_event(request_id, {}, "version", ServiceType.VERSION)
    )
    steps = []

    def connect() -> None:
        steps.append("begun")
        manager.on_connect("me", "T", URL)
        steps.append("connected")

    gevent.joinall([gevent.spawn(connect) for _ in range(3)], timeout=TIME_LIMIT)
    assert steps == ["begun", "connected"] * 3
