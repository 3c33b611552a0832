"""Events go through the log: what browsers get that were away, and what others do not get."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from dependency_injector import providers

from app.config import Settings
from app.container import ServiceContainer
from app.services.connection_manager import ConnectionManager, ServiceType
from app.tasks.state_reader import TaskStateReader
from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.protocol.event_stream import BodyFraming
from gateway_shim.protocol.results import OpenResult
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.peers.peers import Answer
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.sockets import SocketClient
from tests.support.http.message import Ended
from tests.support.http.stream import Stream
from tests.support.native_threads import run_native
from tests.support.peers import PeerGroup
from tests.support.timing import TIME_LIMIT

Event = tuple[str, str]
"""The id and the data of an event."""


class SwitchableLog(MemoryLog):
    """A log that takes no events while a test says so."""

    is_full = False

    def append(self, audience: str, event: bytes) -> int:
        """Append an event, or fail."""
        if self.is_full:
            raise LogUnavailable("no space")
        return super().append(audience, event)


class Backend:
    """The services of a backend whose gateway has a log, and its browsers.

    Attributes:
        log: the log.
        services: the container.
        connections: the connection manager.
    """

    def __init__(self) -> None:
        self.log = SwitchableLog(LogLimits(size=2**20), epoch="e")
        self.services = ServiceContainer(settings=Settings(_env_file=None))
        self.services.gateway.add_kwargs(open_log=lambda: self.log)
        self.services.authorizer.override(
            providers.Object(lambda request_id, url, headers: headers.get("x-user"))
        )
        self.connections: ConnectionManager = self.services.connection_manager()
        self.services.gateway().start()
        self._sockets: list[socket.socket] = []

    def stop(self) -> None:
        """Stop the gateway, and close the browsers' sockets."""
        self.services.gateway().stop()
        for each in self._sockets:
            each.close()
        self.services.reset_singletons()

    def open(self, request_id: str, cursor: str = "", user: str = "", query: str = "") -> Stream:
        """Open a stream.

        Args:
            request_id: the browser's request id.
            cursor: its ``Last-Event-ID``.
            user: the user that the hook names; empty: it names none.
            query: more of the query.
        """
        client, server = socket.socketpair()
        self._sockets += [client, server]
        headers: dict[str, str | list[str]] = {"x-user": user} if user else {}
        if cursor:
            headers["last-event-id"] = cursor
        url = f"/api/sse/stream?request_id={request_id}{query}"
        request = StreamRequest(url, headers, BodyFraming.CHUNKED, "192.0.2.1")
        opening = gevent.spawn(self.services.gateway().open, request, server)
        connection = SocketClient(client)
        head = connection.read_head()
        assert opening.get(timeout=TIME_LIMIT) is OpenResult.OPENED
        server.close()
        return Stream(connection, head, strict=False)  # it has blocks with an id alone

    def leave(self, request_id: str, stream: Stream) -> None:
        """Close a browser's stream, and wait until the connection manager was told."""
        stream.close()
        soon(lambda: not self.connections.has_connection(request_id), "the disconnect")

    def send(self, request_id: str | None, data: str) -> bool:
        """Send an event as the task service does."""
        return self.connections.send_event(request_id, {"d": data}, "n", ServiceType.TASK)


def read(stream: Stream, count: int) -> list[Event]:
    """Wait for some events, and return all events so far; no more must have come."""
    while len(stream.events) < count:
        stream.next_event()
    assert len(stream.events) == count
    return [(event.last_event_id, event.data) for event in stream.events]


def event(position: int, data: str) -> Event:
    """Return an event of the log as :func:`read` does."""
    return (f"e-{position}", f'{{"d":"{data}"}}')


@pytest.fixture
def backend() -> Iterator[Backend]:
    """Return a running backend."""
    backend = Backend()
    yield backend
    backend.stop()


def test_a_browser_that_comes_back_gets_what_it_has_missed(backend: Backend) -> None:
    """Events for everyone and for its request id arrive once and in order, then live ones."""
    first = backend.open("me")
    assert backend.send(None, "a") is True
    assert read(first, 1) == [event(1, "a")]
    first.close()
    for request_id, data in ((None, "b"), ("me", "c"), ("you", "d"), (None, "e")):
        backend.send(request_id, data)
    again = backend.open("me", cursor="e-1")
    assert backend.send("me", "f") is True
    expected = [event(2, "b"), event(3, "c"), event(5, "e"), event(6, "f")]
    assert read(again, 4) == expected


def test_a_strangers_cursor_shows_nothing_of_others(backend: Backend) -> None:
    """A cursor is a position only: the audiences come from the connect."""
    mine = backend.open("me")
    backend.send("me", "private")
    assert read(mine, 1) == [event(1, "private")]
    stranger = backend.open("you", cursor="e-0")
    backend.send(None, "public")
    assert read(stranger, 1) == [event(2, "public")]


def test_the_next_user_of_a_request_id_gets_nothing_of_the_last(backend: Backend) -> None:
    """Bob takes the request id of Ann, who is away, with her cursor; then Ann comes back."""
    anns = backend.open("me", user="ann")
    backend.send("me", "for ann")
    assert read(anns, 1) == [event(1, "for ann")]
    backend.leave("me", anns)
    backend.send("me", "for ann, who is away")
    bobs = backend.open("me", cursor="e-0", user="bob")
    backend.send("me", "for bob")
    assert read(bobs, 1) == [event(3, "for bob")]
    backend.leave("me", bobs)
    again = backend.open("me", cursor="e-1", user="ann")
    backend.send("me", "for ann again")
    assert read(again, 2) == [event(2, "for ann, who is away"), event(4, "for ann again")]


def test_a_replaced_stream_misses_nothing_and_repeats_nothing(backend: Backend) -> None:
    """The browser's second stream goes on where it stopped to read the first one."""
    first = backend.open("me")
    for data in "abc":
        backend.send("me", data)
    second = backend.open("me", cursor="e-2")
    backend.send("me", "d")
    assert read(first, 3) == [event(1, "a"), event(2, "b"), event(3, "c")]
    assert first.wait_for_end() is Ended.CLEAN
    assert read(second, 2) == [event(3, "c"), event(4, "d")]


def test_what_an_observer_sends_is_state_between_the_replay_and_live_events(
    backend: Backend,
) -> None:
    """It has no id of its own, is no entry of the log, and reaches no other stream."""
    backend.connections.register_on_connect(lambda request_id: backend.send(request_id, "state"))
    first = backend.open("me")
    backend.send("me", "a")
    state = '{"d":"state"}'
    assert read(first, 2) == [("e-0", state), event(1, "a")]
    first.close()
    backend.send("me", "b")
    again = backend.open("me", cursor="e-1")
    backend.send("me", "c")
    assert read(again, 3) == [event(2, "b"), ("e-2", state), event(3, "c")]


@pytest.mark.parametrize("request_id", [None, "me"])
def test_an_event_during_a_connect_arrives_once(backend: Backend, request_id: str | None) -> None:
    """The stream of a browser that was never here gets what is sent while it connects."""

    def observe(_: str) -> None:
        gevent.spawn(backend.send, request_id, "meanwhile").join()

    backend.connections.register_on_connect(observe)
    stream = backend.open("me")
    backend.send(None, "live")
    assert read(stream, 2) == [event(1, "meanwhile"), event(2, "live")]


def test_a_version_that_comes_late_has_no_id(backend: Backend) -> None:
    """The version that a stream gets after the fetch is state; an announced one is an entry."""
    stream = backend.open("me")
    send = backend.connections.send_event
    assert send("me", {"d": "fetched"}, "version", ServiceType.VERSION) is True
    assert send(None, {"d": "announced"}, "version", ServiceType.VERSION) is True
    assert read(stream, 2) == [("e-0", '{"d":"fetched"}'), event(1, "announced")]


def test_a_log_that_is_full_ends_no_stream(backend: Backend) -> None:
    """The event is lost and counted; the stream goes on with the next one."""
    stream = backend.open("me")
    backend.log.is_full = True
    assert backend.send(None, "a") is backend.send("me", "b") is False
    backend.log.is_full = False
    assert backend.send(None, "c") is True
    assert read(stream, 1) == [event(1, "c")]
    metrics = backend.services.metrics_service().render()
    assert b"sse_log_appends_failed_total 2.0" in metrics


def test_nobody_is_there(backend: Backend) -> None:
    """A send returns False without a stream here; the event is there for who comes back."""
    assert [backend.send(request_id, "a") for request_id in (None, "me")] == [False, False]
    assert read(backend.open("me", cursor="e-0"), 2) == [event(1, "a"), event(2, "a")]


def test_a_page_load_has_no_gap(backend: Backend) -> None:
    """A stream that is opened with the cursor of a state gets every event after the state."""
    backend.send(None, "old")
    reader = TaskStateReader(backend.services.task_service(), backend.services.gateway())
    cursor, _ = reader.list_tasks(1, None)
    backend.send(None, "between")
    stream = backend.open("me", query=f"&last_event_id={cursor}")
    assert read(stream, 1) == [event(2, "between")]


def test_events_of_native_threads(backend: Backend) -> None:
    """Any thread may send; each event is one entry, and arrives once."""
    stream = backend.open("me")

    def send(name: str) -> Callable[[], Any]:
        return lambda: [backend.send(None, f"{name}{number}") for number in range(20)]

    results = run_native(send("a"), send("b"))
    assert results == [[True] * 20] * 2
    data = [data for _, data in read(stream, 40)]
    for name in "ab":
        expected = [f'{{"d":"{name}{number}"}}' for number in range(20)]
        assert [each for each in data if f'"{name}' in each] == expected


def test_each_service_knows_the_other_processes() -> None:
    """They answer for the streams and tasks of this process, and get the versions of others."""
    group, services = PeerGroup(), ServiceContainer(settings=Settings(_env_file=None))
    services.gateway().peers = group.join("here")
    there = group.join()
    for service in (services.connection_manager, services.version_service, services.task_service):
        service()
    stream = there.ask("stream", {"request_id": "me", "token": ""})
    assert stream == [Answer("here", {"holds": False, "user": None})]
    assert there.ask("task_cancel", "t") == [Answer("here", {"has": False})]
    there.tell("pending_version", {"request_id": "me", "event": {"version": "2"}})
    assert services.version_service()._pending.get("me") == {"version": "2"}
