"""Events through the log: which events are entries, to whom they are addressed, and the outcome."""

from __future__ import annotations

import logging

import gevent
import pytest

from app.services.connection_manager import ConnectionManager, ServiceType
from app.services.connections.send_outcome import SendOutcome
from gateway_shim.protocol.event_stream import Event
from tests.app.services.conftest import (
    URL,
    RecordingMetrics,
    RecordingPublisher,
    RecordingTransport,
    maps,
    send,
)

EVENT = Event("n", '{"a":1}')


def test_a_broadcast_is_one_entry_for_everyone(
    logged: ConnectionManager,
    publisher: RecordingPublisher,
    transport: RecordingTransport,
    metrics: RecordingMetrics,
) -> None:
    """A broadcast is published once, and sent to no token; the metrics count its streams."""
    publisher.streams = 3
    assert send(logged, None, a=1) is True
    assert publisher.entries == [("*", EVENT)]
    assert (transport.broadcasts, transport.sent) == ([], [])
    assert metrics.calls == [("broadcast", 3), ("sent", "task", "success")]
    assert len(metrics.seconds) == 2


@pytest.mark.parametrize("request_id", [None, "me"])
def test_without_a_stream_an_event_is_kept(
    logged: ConnectionManager,
    publisher: RecordingPublisher,
    metrics: RecordingMetrics,
    request_id: str | None,
) -> None:
    """An event that no stream takes now is in the log all the same; the send returns False."""
    publisher.streams = 0
    assert send(logged, request_id, a=1) is False
    assert publisher.entries == [("r:me" if request_id else "*", EVENT)]
    assert metrics.calls == [("sent", "task", "no_stream")]


def test_an_event_for_one_request_id(
    logged: ConnectionManager, publisher: RecordingPublisher, transport: RecordingTransport
) -> None:
    """An event for one stream is an entry for its request id, and is not sent to its token."""
    logged.on_connect("me", "T1", URL)
    assert send(logged, "me", a=1) is True
    assert (publisher.entries, transport.sent) == ([("r:me", EVENT)], [])


@pytest.mark.parametrize("request_id", ["", "a:b", "x" * 201, "a\nb", "\ud800"])
def test_no_entry_for_what_is_not_a_request_id(
    logged: ConnectionManager, publisher: RecordingPublisher, request_id: str
) -> None:
    """A request id that no stream can have finds no stream, and is not in the log."""
    assert send(logged, request_id) is False
    assert publisher.entries == []


@pytest.mark.parametrize("request_id", [None, "me"])
def test_a_log_that_takes_no_event(
    logged: ConnectionManager,
    publisher: RecordingPublisher,
    metrics: RecordingMetrics,
    caplog: pytest.LogCaptureFixture,
    request_id: str | None,
) -> None:
    """The caller gets False and no exception; the failure is counted and logged."""
    publisher.is_full = True
    assert send(logged, request_id) is False
    assert metrics.calls == [("append failed",), ("sent", "task", "error")]
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (
        logging.WARNING,
        "event not published: no space",
    )
    assert (vars(record)["request_id"], vars(record)["event_name"]) == (request_id, "n")


# ------------------------------------------------------------------ the state of one stream


def test_an_observers_event_is_no_entry(
    logged: ConnectionManager, publisher: RecordingPublisher, transport: RecordingTransport
) -> None:
    """An observer's event for the stream that connects goes to its token."""
    logged.register_on_connect(lambda request_id: send(logged, request_id, a=1))
    logged.on_connect("me", "T1", URL)
    assert (transport.sent, publisher.entries) == ([("T1", EVENT)], [])
    assert send(logged, "me", a=1) is True  # after the connect
    assert (len(transport.sent), publisher.entries) == (1, [("r:me", EVENT)])


def test_an_observers_other_events_are_entries(
    logged: ConnectionManager, publisher: RecordingPublisher, transport: RecordingTransport
) -> None:
    """An observer's event for everyone, or for another request id, goes through the log."""

    def observe(_: str) -> None:
        send(logged, None, a=1)
        send(logged, "you", a=1)

    logged.register_on_connect(observe)
    logged.on_connect("me", "T1", URL)
    assert publisher.entries == [("*", EVENT), ("r:you", EVENT)]
    assert transport.sent == []


def test_an_event_of_another_greenlet_during_a_connect_is_an_entry(
    logged: ConnectionManager, publisher: RecordingPublisher, transport: RecordingTransport
) -> None:
    """Only the observer's own events are state: a task's event meanwhile must not be lost."""

    def observe(request_id: str) -> None:
        gevent.spawn(send, logged, request_id, a=1).join()
        send(logged, request_id, b=2)

    logged.register_on_connect(observe)
    logged.on_connect("me", "T1", URL)
    assert publisher.entries == [("r:me", EVENT)]
    assert [event.data for _, event in transport.sent] == ['{"b":2}']


def test_a_greenlet_that_an_observer_leaves_behind_sends_entries(
    logged: ConnectionManager, publisher: RecordingPublisher
) -> None:
    """A greenlet that outlives the observer, such as a task, does not send state."""
    left: list[gevent.Greenlet[..., bool]] = []
    logged.register_on_connect(lambda me: left.append(gevent.spawn(send, logged, me, a=1)))
    logged.on_connect("me", "T1", URL)
    left[0].join()
    assert publisher.entries == [("r:me", EVENT)]


def test_a_version_for_one_stream_is_no_entry(
    logged: ConnectionManager, publisher: RecordingPublisher, transport: RecordingTransport
) -> None:
    """A version goes to the token at any time; a version for everyone is an entry."""
    logged.on_connect("me", "T1", URL)
    assert logged.send_event("me", {"a": 1}, "n", ServiceType.VERSION)
    assert (transport.sent, publisher.entries) == ([("T1", EVENT)], [])
    assert logged.send_event(None, {"a": 1}, "n", "version")
    assert publisher.entries == [("*", EVENT)]


def test_state_for_a_stream_that_is_gone(
    logged: ConnectionManager, publisher: RecordingPublisher, transport: RecordingTransport
) -> None:
    """A stream that the gateway does not know is removed, as without a log."""
    logged.on_connect("me", "T1", URL)
    transport.unknown = {"T1"}
    assert logged.send_event("me", {}, "version", ServiceType.VERSION) is False
    assert (maps(logged), publisher.entries) == (({}, {}), [])


def test_streams_come_and_go_as_without_a_log(
    logged: ConnectionManager, transport: RecordingTransport
) -> None:
    """A replaced stream is closed, and a drain ends all streams, by their tokens."""
    logged.on_connect("me", "T1", URL)
    logged.on_connect("me", "T2", URL)
    logged.drain(EVENT, 1.0)
    assert (transport.closed, transport.drained) == (["T1"], [(("T2",), EVENT, 1.0)])


# ------------------------------------------------------------------ owners


def test_an_event_for_a_users_stream_is_for_this_user(
    logged: ConnectionManager, publisher: RecordingPublisher
) -> None:
    """Ann's events are addressed to her, also while she is away; Bob takes the id, and not them."""
    logged.on_connect("me", "T1", URL, "ann")
    anns = set(logged.audiences_of("T1"))
    send(logged, "me")
    logged.on_disconnect("T1")
    send(logged, "me")
    logged.on_connect("me", "T2", URL, "bob")
    bobs = set(logged.audiences_of("T2"))
    send(logged, "me")
    logged.on_disconnect("T2")
    logged.on_connect("me", "T3", URL)
    nobodys = set(logged.audiences_of("T3"))
    send(logged, "me")
    logged.on_disconnect("T3")
    logged.on_connect("me", "T4", URL, "ann")
    assert set(logged.audiences_of("T4")) == anns
    audiences = [audience for audience, _ in publisher.entries]
    assert [audience in anns for audience in audiences] == [True, True, False, True]
    assert [audience in bobs for audience in audiences] == [False, False, True, True]
    assert [audience in nobodys for audience in audiences] == [False, False, False, True]


def test_the_audiences_of_a_stream(logged: ConnectionManager) -> None:
    """A stream is addressed by its request id and its user; an unknown token by nothing."""
    logged.on_connect("me", "T1", URL)
    logged.on_connect("you", "T2", URL, "ann")
    assert logged.audiences_of("T1") == ("r:me",)
    assert {"r:you", "u:ann"} < set(logged.audiences_of("T2"))
    logged.on_connect("me", "T3", URL)
    assert (logged.audiences_of("T1"), logged.audiences_of("T9")) == ((), ())


def test_the_report_of_a_send(
    logged: ConnectionManager, publisher: RecordingPublisher, transport: RecordingTransport
) -> None:
    """A send through the log reports the event's id; one to a token has none."""
    publisher.streams = 3
    report = logged.send(None, EVENT, ServiceType.CONSOLE)
    assert (report.outcome, report.delivered, report.id) == (SendOutcome.SUCCESS, 3, "e-1")
    logged.on_connect("me", "T1", URL)
    report = logged.send("me", EVENT, ServiceType.VERSION)
    assert (report.delivered, report.id, transport.sent) == (1, "", [("T1", EVENT)])
