"""Who is connected, and how events reach them."""

from __future__ import annotations

import functools
import json
import logging
import random
import socket
from collections.abc import Callable, Sequence
from typing import Any

import gevent
import pytest
from gevent.monkey import get_original
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.services.connection_manager import ConnectionManager, HeldByAnotherUser, ServiceType
from app.services.gateway_transport import BroadcastResult, TransportError
from app.services.metrics_service import NullMetrics
from gateway_shim.event_loop.turns import SLICE_SECONDS
from gateway_shim.protocol.event_stream import Event
from tests.support.timing import TIME_LIMIT

URL = "/api/sse/stream?request_id="

native_sleep = get_original("time", "sleep")


class Transport:
    """Stands for a gateway: knows the tokens it is told, and remembers what it is asked."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Event]] = []
        self.broadcasts: list[tuple[list[str], Event]] = []
        self.closed: list[str] = []
        self.drained: list[tuple[tuple[str, ...], Event, float]] = []
        self.unknown: set[str] = set()
        self.failing: set[str] = set()
        self.meanwhile: Callable[[], object] = lambda: None

    def send(self, token: str, event: Event) -> bool:
        """Send to one stream."""
        self.meanwhile()
        self.sent.append((token, event))
        if token in self.failing:
            raise TransportError("down")
        return token not in self.unknown

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Send to many streams."""
        self.meanwhile()
        self.broadcasts.append((list(tokens), event))
        unknown = tuple(token for token in tokens if token in self.unknown)
        failing = [token for token in tokens if token in self.failing]
        return BroadcastResult(len(tokens) - len(unknown) - len(failing), unknown)

    def drain(self, tokens: Sequence[str], farewell: Event, seconds: float) -> None:
        """End all streams."""
        self.drained.append((tuple(tokens), farewell, seconds))

    def close(self, token: str) -> None:
        """End a stream."""
        self.meanwhile()
        self.closed.append(token)
        if token in self.failing:
            raise TransportError("down")


class Metrics(NullMetrics):
    """Remembers what is counted, without the durations."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.seconds: list[float] = []

    def connection_opened(self) -> None:
        """Remember."""
        self.calls.append(("opened",))

    def connection_closed(self) -> None:
        """Remember."""
        self.calls.append(("closed",))

    def set_active_connections(self, count: int) -> None:
        """Remember."""
        self.calls.append(("active", count))

    def event_sent(self, service: str, status: str, seconds: float) -> None:
        """Remember."""
        self.calls.append(("sent", service, status))
        self.seconds.append(seconds)

    def broadcast_finished(self, streams: int, seconds: float) -> None:
        """Remember."""
        self.calls.append(("broadcast", streams))
        self.seconds.append(seconds)


@pytest.fixture
def transport() -> Transport:
    """What the events go through."""
    return Transport()


@pytest.fixture
def metrics() -> Metrics:
    """What is counted."""
    return Metrics()


@pytest.fixture
def manager(transport: Transport, metrics: Metrics) -> ConnectionManager:
    """The object under test."""
    return ConnectionManager(transport, metrics)


def maps(manager: ConnectionManager) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """Both maps as they are."""
    return dict(manager._connections), dict(manager._token_to_request_id)


def assert_consistent(manager: ConnectionManager) -> None:
    """Each map is the other one's inverse, and the lock is free."""
    connections, tokens = maps(manager)
    assert tokens == {token: request_id for request_id, (token, _) in connections.items()}
    assert len(tokens) == len(connections)
    assert manager._users.keys() <= connections.keys()
    assert manager._tokens in (None, tuple(tokens))
    assert not manager._lock.locked()


def send(manager: ConnectionManager, request_id: str | None, **data: Any) -> bool:
    """Send an event as the task service does."""
    return manager.send_event(request_id, data, "n", ServiceType.TASK)


# ------------------------------------------------------------------ connecting


def test_registration(manager: ConnectionManager) -> None:
    """A connect enters both maps."""
    manager.on_connect("me", "T1", URL + "me")
    assert maps(manager) == ({"me": ("T1", URL + "me")}, {"T1": "me"})
    assert (manager.has_connection("me"), manager.has_connection("you")) == (True, False)


def test_disconnect(manager: ConnectionManager) -> None:
    """A disconnect leaves neither map anything."""
    manager.on_connect("me", "T1", URL)
    manager.on_disconnect("T1")
    assert maps(manager) == ({}, {})
    assert manager.has_connection("me") is False


def test_holder_of(manager: ConnectionManager) -> None:
    """A request id's stream is known by its token, the newest one's, until it ends."""
    assert manager.holder_of("me") is None
    manager.on_connect("me", "T1", URL)
    manager.on_connect("me", "T2", URL)
    assert (manager.holder_of("me"), manager.holder_of("T2")) == ("T2", None)
    manager.on_disconnect("T2")
    assert manager.holder_of("me") is None


def test_replacement(manager: ConnectionManager, transport: Transport) -> None:
    """A second stream of the same request id takes the first one's place, which is closed."""
    manager.on_connect("me", "T1", "/1")
    manager.on_connect("me", "T2", "/2")
    assert maps(manager) == ({"me": ("T2", "/2")}, {"T2": "me"})
    assert transport.closed == ["T1"]


@pytest.mark.parametrize("other", ["bob", "Ann", None])
def test_another_user_cannot_replace_a_stream(
    manager: ConnectionManager, transport: Transport, metrics: Metrics, other: str | None
) -> None:
    """While a user's stream lives, its request id is refused to all others; nothing changes."""
    manager.on_connect("me", "T1", "/1", "ann")
    before, told = maps(manager), list(metrics.calls)
    observed: list[str] = []
    manager.register_on_connect(observed.append)
    with pytest.raises(HeldByAnotherUser):
        manager.on_connect("me", "T2", "/2", other)
    assert (maps(manager), metrics.calls, transport.closed, observed) == (before, told, [], [])
    manager.on_connect("me", "T3", "/3", "ann")
    assert (transport.closed, manager.holder_of("me"), observed) == (["T1"], "T3", ["me"])
    manager.on_disconnect("T3")
    manager.on_connect("me", "T4", "/4", other)
    assert (manager.holder_of("me"), transport.closed) == ("T4", ["T1"])
    assert_consistent(manager)


def test_a_stream_without_a_user_can_be_replaced(manager: ConnectionManager) -> None:
    """Where the hook names no user, whoever knows the request id may replace its stream."""
    manager.on_connect("me", "T1", "/1")
    manager.on_connect("me", "T2", "/2", "ann")
    assert manager.holder_of("me") == "T2"
    with pytest.raises(HeldByAnotherUser):
        manager.on_connect("me", "T3", "/3")


def test_a_token_that_is_given_out_again_takes_no_user_along(manager: ConnectionManager) -> None:
    """The request id that a repeated token had before belongs to nobody any more."""
    manager.on_connect("me", "T1", "/1", "ann")
    manager.on_connect("you", "T1", "/1", "bob")
    assert_consistent(manager)
    manager.on_connect("me", "T2", "/2", "bob")
    assert maps(manager)[1] == {"T1": "you", "T2": "me"}


def test_a_stream_that_never_opened_keeps_nobody_out(transport: Transport) -> None:
    """A browser that leaves during its callback is not reported: the gateway is asked."""
    alive = {"T1", "T2"}
    manager = ConnectionManager(transport, NullMetrics(), holds=alive.__contains__)
    manager.on_connect("me", "T1", "/1", "ann")
    with pytest.raises(HeldByAnotherUser):
        manager.on_connect("me", "T2", "/2", "bob")
    alive.remove("T1")
    manager.on_connect("me", "T2", "/2", "bob")
    assert manager.holder_of("me") == "T2"


def test_a_stream_that_left_while_it_connected_is_forgotten(
    transport: Transport, metrics: Metrics
) -> None:
    """Also one whose token a caller has made up: nobody would report the end of either."""
    living = {"leaves", "stays"}
    manager = ConnectionManager(transport, metrics, holds=living.__contains__)
    told: list[str] = []
    manager.register_on_connect(told.append)
    manager.register_on_connect(lambda request_id: living.discard("leaves"))
    manager.register_on_connect(told.append)
    for token in ("leaves", "stays", "forged"):
        manager.on_connect(f"of-{token}", token, URL)
    assert told == ["of-leaves", "of-stays", "of-stays"]
    known = [manager.has_connection(f"of-{token}") for token in ("leaves", "stays", "forged")]
    assert known == [False, True, False]
    assert metrics.calls.count(("closed",)) == 2


def test_many_streams_of_one_user(manager: ConnectionManager) -> None:
    """A user's name is kept once, however many streams the user has."""
    for number in range(3):
        manager.on_connect(f"r{number}", f"T{number}", URL, "".join(["a", "nn", str(7)]))
    assert len({id(user) for user in manager._users.values()}) == 1


def test_the_replaced_stream_is_closed_outside_the_lock(
    manager: ConnectionManager, transport: Transport
) -> None:
    """By then the new one is registered, and the gateway may call back."""
    manager.on_connect("me", "T1", URL)

    def call_back() -> None:
        transport.meanwhile = lambda: None
        assert manager.has_connection("me")
        manager.on_disconnect("T1")
        manager.on_connect("you", "T3", URL)

    transport.meanwhile = call_back
    manager.on_connect("me", "T2", URL)
    assert maps(manager)[1] == {"T2": "me", "T3": "you"}


@pytest.mark.parametrize("failure", [TransportError("down"), RuntimeError("surprise")])
def test_closing_is_best_effort(
    manager: ConnectionManager,
    transport: Transport,
    caplog: pytest.LogCaptureFixture,
    failure: Exception,
) -> None:
    """A close that fails is a WARNING; the new stream is connected and observed all the same."""
    connected: list[str] = []
    manager.register_on_connect(connected.append)
    manager.on_connect("me", "T1", URL)

    def fail() -> None:
        raise failure

    transport.meanwhile = fail
    manager.on_connect("me", "T2", URL)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [(vars(record)["request_id"], vars(record)["token"]) for record in warnings] == [
        ("me", "T1")
    ]
    assert (connected, maps(manager)[1]) == (["me", "me"], {"T2": "me"})


def test_a_stale_disconnect_is_ignored(manager: ConnectionManager) -> None:
    """The end of a replaced stream, told late, leaves the new one alone."""
    manager.on_connect("me", "T1", "/1")
    manager.on_connect("me", "T2", "/2")
    manager.on_disconnect("T1")
    assert maps(manager) == ({"me": ("T2", "/2")}, {"T2": "me"})


def test_an_unknown_disconnect_is_ignored(manager: ConnectionManager, metrics: Metrics) -> None:
    """Nothing happens, nothing is counted."""
    manager.on_disconnect("nobody")
    assert (maps(manager), metrics.calls) == (({}, {}), [])


def test_the_same_stream_told_twice(manager: ConnectionManager, transport: Transport) -> None:
    """It stays registered and is not closed: it would be closing itself."""
    manager.on_connect("me", "T1", "/1")
    manager.on_connect("me", "T1", "/2")
    assert maps(manager) == ({"me": ("T1", "/2")}, {"T1": "me"})
    assert transport.closed == []


def test_a_token_given_out_twice(manager: ConnectionManager) -> None:
    """A gateway that repeats a token leaves the maps consistent: the later stream has it."""
    manager.on_connect("me", "T1", URL)
    manager.on_connect("you", "T1", URL)
    assert maps(manager) == ({"you": ("T1", URL)}, {"T1": "you"})


# ------------------------------------------------------------------ observers


def test_observers_are_called_in_order(manager: ConnectionManager) -> None:
    """Serially, as they were registered, with the request id; also for a replacement."""
    calls: list[tuple[str, str]] = []
    for name in "abc":
        manager.register_on_connect(lambda who, name=name: calls.append((name, who)))  # type: ignore[misc]
    manager.on_connect("me", "T1", URL)
    manager.on_connect("me", "T2", URL)
    assert calls == [("a", "me"), ("b", "me"), ("c", "me")] * 2


def test_observers_are_not_called_for_a_disconnect(manager: ConnectionManager) -> None:
    """They observe connects."""
    manager.on_connect("me", "T1", URL)
    calls: list[str] = []
    manager.register_on_connect(calls.append)
    manager.on_disconnect("T1")
    assert calls == []


def test_an_observer_is_called_when_all_is_done(
    manager: ConnectionManager, transport: Transport
) -> None:
    """The stream is registered and the earlier one closed; no lock is held."""
    seen: list[Any] = []

    def observe(request_id: str) -> None:
        assert_consistent(manager)
        seen.append((manager.has_connection(request_id), list(transport.closed)))

    manager.on_connect("me", "T1", URL)
    manager.register_on_connect(observe)
    manager.on_connect("me", "T2", URL)
    assert seen == [(True, ["T1"])]


def failing_observer(request_id: str) -> None:
    """An observer with a mistake."""
    raise ValueError(request_id)


def timed_out_observer(request_id: str) -> None:
    """An observer whose own time limit escapes."""
    raise gevent.Timeout


@pytest.mark.parametrize("observer", [failing_observer, timed_out_observer])
def test_an_observer_that_raises(
    manager: ConnectionManager,
    caplog: pytest.LogCaptureFixture,
    observer: Callable[[str], None],
) -> None:
    """It is logged with its name, and disturbs neither the others nor the connection."""
    calls: list[str] = []
    manager.register_on_connect(calls.append)
    manager.register_on_connect(observer)
    manager.register_on_connect(calls.append)
    manager.on_connect("me", "T1", URL)
    assert (calls, manager.has_connection("me")) == (["me", "me"], True)
    (record,) = caplog.records
    assert (record.levelno, observer.__qualname__ in record.getMessage()) == (logging.WARNING, True)
    assert (vars(record)["request_id"], record.exc_info is not None) == ("me", True)


def test_an_observer_without_a_name(
    manager: ConnectionManager, caplog: pytest.LogCaptureFixture
) -> None:
    """Not every callable has one."""
    manager.register_on_connect(functools.partial(failing_observer))
    manager.on_connect("me", "T1", URL)
    (record,) = caplog.records
    assert "failing_observer" in record.getMessage()


def test_an_observer_that_cannot_be_named(
    manager: ConnectionManager, caplog: pytest.LogCaptureFixture
) -> None:
    """It costs neither the stream nor the observers after it."""

    class Observer:
        def __call__(self, request_id: str) -> None:
            raise ValueError

        def __repr__(self) -> str:
            raise ZeroDivisionError

    told: list[str] = []
    manager.register_on_connect(Observer())
    manager.register_on_connect(told.append)
    manager.on_connect("me", "T1", URL)
    assert (told, manager.has_connection("me")) == (["me"], True)
    (record,) = caplog.records
    assert "<Observer that cannot be shown: ZeroDivisionError>" in record.getMessage()


def test_an_observer_registered_during_a_notification(manager: ConnectionManager) -> None:
    """It is called from the next connect on."""
    calls: list[str] = []
    manager.register_on_connect(lambda _: manager.register_on_connect(calls.append))
    manager.on_connect("a", "T1", URL)
    assert calls == []
    manager.on_connect("b", "T2", URL)
    assert calls == ["b"]


def test_an_observer_may_call_back(manager: ConnectionManager, transport: Transport) -> None:
    """Into any method: no lock is held."""

    def observe(request_id: str) -> None:
        assert manager.has_connection(request_id)
        assert send(manager, request_id)
        assert send(manager, None)
        if request_id == "me":
            manager.on_connect("you", "T2", URL)
            manager.on_disconnect("T1")

    manager.register_on_connect(observe)
    manager.on_connect("me", "T1", URL)
    assert [token for token, _ in transport.sent] == ["T1", "T2"]
    assert maps(manager)[1] == {"T2": "you"}


# ------------------------------------------------------------------ sending


def test_send_to_one(manager: ConnectionManager, transport: Transport) -> None:
    """The event goes to that stream only, its data as compact JSON."""
    manager.on_connect("me", "T1", URL)
    manager.on_connect("you", "T2", URL)
    data = {"text": 'é"\n', "value": 0.5, "nested": [None, True]}
    assert manager.send_event("me", data, "task_event", ServiceType.TASK) is True
    text = '{"text":"é\\"\\n","value":0.5,"nested":[null,true]}'
    assert transport.sent == [("T1", Event("task_event", text))]
    assert transport.broadcasts == []


def test_send_to_nobody(manager: ConnectionManager, transport: Transport) -> None:
    """A request id without a stream: False, and nothing is sent."""
    manager.on_connect("me", "T1", URL)
    assert send(manager, "you") is False
    assert transport.sent == []


def test_send_goes_to_the_current_stream(manager: ConnectionManager, transport: Transport) -> None:
    """After a replacement, to the new one."""
    manager.on_connect("me", "T1", URL)
    manager.on_connect("me", "T2", URL)
    assert send(manager, "me") is True
    assert [token for token, _ in transport.sent] == ["T2"]


def test_an_unknown_token_is_removed(manager: ConnectionManager, transport: Transport) -> None:
    """The gateway does not know the stream: False, and it is forgotten."""
    manager.on_connect("me", "T1", URL)
    transport.unknown = {"T1"}
    assert send(manager, "me") is False
    assert (maps(manager), len(transport.sent)) == (({}, {}), 1)


def test_an_unknown_token_is_removed_only_if_current(
    manager: ConnectionManager, transport: Transport
) -> None:
    """A stream that came while the gateway was asked about the earlier one stays."""
    manager.on_connect("me", "T1", URL)
    transport.unknown = {"T1"}

    def replace() -> None:
        transport.meanwhile = lambda: None
        manager.on_connect("me", "T2", URL)

    transport.meanwhile = replace
    assert send(manager, "me") is False
    assert maps(manager)[1] == {"T2": "me"}


def test_a_failed_send_is_not_retried(
    manager: ConnectionManager, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    """False, one WARNING; the stream stays, as it may be there again."""
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


def test_broadcast(manager: ConnectionManager, transport: Transport) -> None:
    """One call of the transport for all streams."""
    for number in range(3):
        manager.on_connect(f"r{number}", f"T{number}", URL)
    assert send(manager, None, a=1) is True
    assert transport.broadcasts == [(["T0", "T1", "T2"], Event("n", '{"a":1}'))]
    assert transport.sent == []


def test_broadcast_to_nobody(
    manager: ConnectionManager, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    """False, no error, and the gateway is not bothered."""
    assert send(manager, None) is False
    assert (transport.broadcasts, caplog.records) == ([], [])


def test_broadcast_with_one_gone(manager: ConnectionManager, transport: Transport) -> None:
    """It is forgotten, the others have the event: True."""
    for number in range(3):
        manager.on_connect(f"r{number}", f"T{number}", URL)
    transport.unknown = {"T1"}
    assert send(manager, None) is True
    assert maps(manager)[1] == {"T0": "r0", "T2": "r2"}


def test_broadcast_with_all_gone(manager: ConnectionManager, transport: Transport) -> None:
    """Nobody took it: False, and nobody is left."""
    manager.on_connect("me", "T1", URL)
    transport.unknown = {"T1"}
    assert send(manager, None) is False
    assert maps(manager) == ({}, {})


def test_drain(manager: ConnectionManager, transport: Transport) -> None:
    """Every stream that is known is ended; each is forgotten when the gateway says so."""
    manager.on_connect("a", "T1", URL + "a")
    manager.on_connect("b", "T2", URL + "b")
    manager.drain(Event("bye", "1"), 5.0)
    assert transport.drained == [(("T1", "T2"), Event("bye", "1"), 5.0)]
    assert manager.has_connection("a")
    assert_consistent(manager)


def test_whoever_connects_during_a_drain_is_sent_away(
    manager: ConnectionManager, transport: Transport
) -> None:
    """The drain did not see the stream; nothing would ever be sent to it."""
    manager.drain(Event("bye", "1"), 5.0)
    manager.on_connect("a", "T1", URL + "a")
    assert (transport.sent, transport.closed) == ([("T1", Event("bye", "1"))], ["T1"])
    transport.failing.add("T2")
    manager.on_connect("b", "T2", URL + "b")
    assert manager.has_connection("b")
    assert_consistent(manager)


def test_the_tokens_of_a_broadcast_are_one_tuple(
    manager: ConnectionManager, transport: Transport
) -> None:
    """As long as nobody comes or goes, broadcasts have the same tuple, which is looked up once."""
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


def test_broadcast_that_fails(manager: ConnectionManager, transport: Transport) -> None:
    """What failed stays connected, and was tried once."""
    manager.on_connect("me", "T1", URL)
    transport.failing = {"T1"}
    assert send(manager, None) is False
    assert (len(transport.broadcasts), manager.has_connection("me")) == (1, True)


def test_broadcast_while_a_stream_is_replaced(
    manager: ConnectionManager, transport: Transport
) -> None:
    """The old token is unknown by the time its turn comes; the new stream stays."""
    manager.on_connect("me", "T1", URL)
    transport.unknown = {"T1"}

    def replace() -> None:
        transport.meanwhile = lambda: None
        manager.on_connect("me", "T2", URL)

    transport.meanwhile = replace
    assert send(manager, None) is False
    assert maps(manager)[1] == {"T2": "me"}


def test_sending_holds_no_lock(manager: ConnectionManager, transport: Transport) -> None:
    """Streams come and go while a send or a broadcast waits for the gateway."""
    manager.on_connect("me", "T1", URL)

    def come_and_go() -> None:
        manager.on_connect("you", "T2", URL)
        manager.on_disconnect("T2")

    transport.meanwhile = come_and_go
    assert (send(manager, "me"), send(manager, None)) == (True, True)


def test_data_that_is_no_json(manager: ConnectionManager, transport: Transport) -> None:
    """The caller's mistake is the caller's exception, and nothing was sent."""
    manager.on_connect("me", "T1", URL)
    with pytest.raises(TypeError):
        send(manager, None, a=object())
    assert transport.broadcasts == []
    assert_consistent(manager)


# ------------------------------------------------------------------ metrics


def test_connections_are_counted(manager: ConnectionManager, metrics: Metrics) -> None:
    """Connects, disconnects and how many there are; a stale disconnect is none."""
    manager.on_connect("me", "T1", URL)
    manager.on_connect("you", "T2", URL)
    manager.on_connect("me", "T3", URL)
    manager.on_disconnect("T1")
    manager.on_disconnect("T2")
    assert metrics.calls == [
        ("opened",),
        ("active", 1),
        ("opened",),
        ("active", 2),
        ("opened",),
        ("active", 2),
        ("closed",),
        ("active", 1),
    ]


@pytest.mark.parametrize(
    ("unknown", "failing", "status"),
    [(set(), set(), "success"), ({"T1"}, set(), "no_stream"), (set(), {"T1"}, "error")],
)
@pytest.mark.parametrize("request_id", ["me", None])
def test_sends_are_counted(
    manager: ConnectionManager,
    transport: Transport,
    metrics: Metrics,
    request_id: str | None,
    unknown: set[str],
    failing: set[str],
    status: str,
) -> None:
    """Once each, by service and outcome; a broadcast with how many streams took it."""
    manager.on_connect("me", "T1", URL)
    metrics.calls.clear()
    transport.unknown, transport.failing = unknown, failing
    manager.send_event(request_id, {}, "version", ServiceType.VERSION)
    gone = [("closed",), ("active", 0)] if unknown else []
    broadcast = [] if request_id else [("broadcast", int(status == "success"))]
    assert metrics.calls == [*gone, *broadcast, ("sent", "version", status)]
    assert all(0 <= seconds < TIME_LIMIT for seconds in metrics.seconds)


def test_sends_to_nobody_are_counted(manager: ConnectionManager, metrics: Metrics) -> None:
    """As what they are; a broadcast to nobody is none."""
    send(manager, "me"), send(manager, None)
    assert metrics.calls == [("sent", "task", "no_stream")] * 2


def test_service_types() -> None:
    """Two, and each is the text of its label."""
    assert [str(service) for service in ServiceType] == ["task", "version"]


@pytest.mark.parametrize("request_id", ["me", None])
@pytest.mark.parametrize("service_type", ["task", "version"])
def test_a_service_type_may_be_its_bare_string(
    manager: ConnectionManager, metrics: Metrics, request_id: str | None, service_type: str
) -> None:
    """It is sent and counted as the member is."""
    manager.on_connect("me", "T1", URL)
    assert manager.send_event(request_id, {}, "x", service_type)
    assert metrics.calls[-1] == ("sent", service_type, "success")


@pytest.mark.parametrize("service_type", ["tasks", "", "TASK", None, 5, []])
def test_an_unknown_service_type(
    manager: ConnectionManager, transport: Transport, service_type: Any
) -> None:
    """The caller's mistake is named, with what is allowed, and nothing was sent."""
    manager.on_connect("me", "T1", URL)
    transport.broadcasts.clear()
    with pytest.raises(ValueError, match=r"service_type is .*; allowed: task, version$"):
        manager.send_event(None, {}, "x", service_type)
    assert transport.broadcasts == []


# ------------------------------------------------------------------ always consistent


class Comings(RuleBasedStateMachine):
    """Any sequence of connects, disconnects and sends, against the simplest model there is."""

    ids = st.sampled_from("abcd")

    @initialize()
    def begin(self) -> None:
        """Nobody is connected."""
        self.transport = Transport()
        self.metrics = Metrics()
        self.manager = ConnectionManager(self.transport, self.metrics)
        self.model: dict[str, str] = {}
        self.tokens: list[str] = ["never"]

    @rule(request_id=ids)
    def connect(self, request_id: str) -> None:
        """A stream opens."""
        token = f"T{len(self.tokens)}"
        self.tokens.append(token)
        closed = [self.model[request_id]] if request_id in self.model else []
        self.transport.closed.clear()
        self.manager.on_connect(request_id, token, URL)
        assert self.transport.closed == closed
        self.model[request_id] = token

    @rule(data=st.data())
    def connect_again(self, data: st.DataObject) -> None:
        """A gateway repeats a token, for whichever request id."""
        token = data.draw(st.sampled_from(self.tokens))
        request_id = data.draw(self.ids)
        self.manager.on_connect(request_id, token, URL)
        self.model = {who: other for who, other in self.model.items() if other != token}
        self.model[request_id] = token

    @rule(data=st.data())
    def disconnect(self, data: st.DataObject) -> None:
        """A stream ends, or is said to have ended, once more or never having been."""
        token = data.draw(st.sampled_from(self.tokens))
        self.manager.on_disconnect(token)
        self.model = {who: other for who, other in self.model.items() if other != token}

    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        """The gateway loses a stream and says so at the next broadcast."""
        lost = data.draw(st.sets(st.sampled_from(self.tokens)))
        self.transport.unknown = lost
        took = [who for who, token in self.model.items() if token not in lost]
        assert send(self.manager, None) is bool(took)
        self.transport.unknown = set()
        self.model = {who: self.model[who] for who in took}

    @rule(request_id=ids)
    def send(self, request_id: str) -> None:
        """An event for one."""
        assert send(self.manager, request_id) is (request_id in self.model)

    @invariant()
    def consistent(self) -> None:
        """Both maps say the same, and what the model says."""
        assert_consistent(self.manager)
        connections, _ = maps(self.manager)
        assert {who: token for who, (token, _) in connections.items()} == self.model
        active = [call[1] for call in self.metrics.calls if call[0] == "active"]
        assert active[-1:] in ([], [len(self.model)])


TestComings = Comings.TestCase
TestComings.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_many_greenlets_at_once() -> None:
    """Streams that come, go and are sent to all at once leave both maps consistent."""
    chance = random.Random(7)
    transport = Transport()
    transport.meanwhile = lambda: gevent.sleep(0)
    manager = ConnectionManager(transport, NullMetrics())
    last: dict[str, str] = {}

    def observe(request_id: str) -> None:
        gevent.sleep(0)
        assert_consistent(manager)
        send(manager, request_id)

    manager.register_on_connect(observe)

    def browser(number: int) -> None:
        for attempt in range(20):
            request_id, token = f"r{chance.randrange(10)}", f"T{number}-{attempt}"
            last[request_id] = token
            manager.on_connect(request_id, token, URL)
            if chance.random() < 0.3:
                transport.unknown.add(token)
            send(manager, None)
            if chance.random() < 0.5:
                manager.on_disconnect(token)
            assert_consistent(manager)

    gevent.joinall([gevent.spawn(browser, number) for number in range(30)], raise_error=True)
    assert_consistent(manager)
    connections, tokens = maps(manager)
    assert {who: token for who, (token, _) in connections.items()}.items() <= last.items()
    for token in list(tokens):
        manager.on_disconnect(token)
    assert maps(manager) == ({}, {})
    assert json.loads(transport.broadcasts[0][1].data) == {}


@pytest.mark.parametrize("request_id", ["r", None])
def test_whoever_sends_without_pause_lets_others_be_served(request_id: str | None) -> None:
    """Before a socket is read only as many events are sent as one slice of time allows."""
    transport = Transport()
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
