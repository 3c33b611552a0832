"""The services, called from native threads while the event loop uses them too."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from flask import Flask

from app.errors import InvalidOperationException, NotFound, NotServing
from app.services.connection_manager import ServiceType
from app.services.gateway_transport import TransportError
from app.services.remote_gateway.http_transport import HttpTransport
from app.tasks.builtin.demo_task import DemoTask
from gateway_shim.errors import LoopNotRunning
from gateway_shim.protocol.event_stream import BodyFraming, Event
from gateway_shim.protocol.results import OpenResult
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.server.runtime import EXTENSION
from tests.app.conftest import MakeApp
from tests.app.services.conftest import RecordingTransport
from tests.gateway_shim.sockets import SocketClient
from tests.support.http.stream import Stream
from tests.support.native_threads import run_native
from tests.support.timing import TIME_LIMIT, wait_until

CALLS = 100


@pytest.fixture
def app(make_app: MakeApp) -> Iterator[Flask]:
    """Return an application that serves, without a server around it."""
    app = make_app()
    app.extensions[EXTENSION].start()
    yield app
    app.extensions["container"].loop_monitor().stop()
    app.extensions[EXTENSION].gateway.stop()


@pytest.fixture
def services(app: Flask) -> Any:
    """Return the container of the application."""
    return app.extensions["container"]


@pytest.fixture
def stream(services: Any) -> Iterator[Stream]:
    """Return a browser's stream with the request id ``me``."""
    client, server = socket.socketpair()
    # A small kernel buffer: the stream falls behind, and the loop must write the rest.
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    request = StreamRequest("/api/sse/stream?request_id=me", {}, BodyFraming.CHUNKED, "192.0.2.1")
    opening = gevent.spawn(services.gateway().open, request, server)
    connection = SocketClient(client)
    head = connection.read_head()
    assert opening.get(timeout=TIME_LIMIT) is OpenResult.OPENED
    yield Stream(connection, head, lone_ids=True)
    client.close()
    server.close()


def test_every_service_at_once(services: Any, stream: Stream) -> None:
    """Events of threads and of a greenlet all arrive, in order for each sender."""
    connections, tasks = services.connection_manager(), services.task_service()

    def send(name: str) -> None:
        for number in range(CALLS):
            target = "me" if number % 2 else None
            data = {"number": number, "filler": "x" * 200}
            assert connections.send_event(target, data, name, ServiceType.TASK)
            assert connections.has_connection("me")
            if name == "greenlet":
                gevent.sleep(0)

    def announce() -> None:
        for number in range(CALLS):
            assert services.version_service().queue_version_event("me", f"v{number}")

    def start() -> list[str]:
        begun = [tasks.start_task(DemoTask(), steps=1, delay=0.0) for _ in range(20)]
        return [answer.task_id for answer in begun]

    own = gevent.spawn(send, "greenlet")
    reader = gevent.spawn(lambda: stream.wait_for("finished"))
    ids = run_native(lambda: send("a"), lambda: send("b"), announce, start)[3]
    own.get(timeout=TIME_LIMIT)
    assert run_native(lambda: tasks.wait_for_tasks(TIME_LIMIT)) == [True]
    assert connections.send_event("me", {}, "finished", ServiceType.TASK)
    reader.get(timeout=TIME_LIMIT)

    for name in ("a", "b", "greenlet"):
        numbers = [json.loads(e.data)["number"] for e in stream.events if e.type == name]
        assert numbers == list(range(CALLS))
    versions = [json.loads(e.data)["version"] for e in stream.events if e.type == "version"]
    assert versions[1:] == [f"v{number}" for number in range(CALLS)]
    ended = [
        payload["task_id"]
        for payload in (json.loads(e.data) for e in stream.events if e.type == "task_event")
        if payload["event_type"] == "task_completed"
    ]
    assert sorted(ended) == sorted(ids)


def test_a_thread_uses_the_task_service(services: Any) -> None:
    """A native thread can use the whole TaskService, including its errors."""
    tasks = services.task_service()

    def use() -> list[str]:
        task_id = tasks.start_task(DemoTask(), steps=1, delay=60.0).task_id
        with pytest.raises(InvalidOperationException):
            tasks.remove_completed_task(task_id)
        assert tasks.cancel_task(task_id).status == "cancelled"
        with pytest.raises(InvalidOperationException):
            tasks.cancel_task(task_id)
        statuses = [tasks.get_task_status(task_id).status.value]
        assert [task.task_id for task in tasks.list_tasks().tasks] == [task_id]
        tasks.remove_completed_task(task_id)
        with pytest.raises(NotFound):
            tasks.get_task_status(task_id)
        return statuses

    assert run_native(use) == [["cancelled"]]


def test_a_thread_connects_and_disconnects(services: Any) -> None:
    """The observers of a connect run in the loop's thread, whichever thread reports it."""
    connections, loop_thread = services.connection_manager(), services.loop_thread()
    seen: list[tuple[str, bool]] = []
    run_native(
        lambda: connections.register_on_connect(
            lambda request_id: seen.append((request_id, loop_thread.here))
        )
    )
    # As if the gateway had the stream.
    connections._registry._holds = lambda token: token == "t"
    connections._transport = RecordingTransport()
    run_native(lambda: connections.on_connect("me", "t", "/?request_id=me"))
    assert seen == [("me", True)]
    run_native(lambda: connections.on_disconnect("t"))
    assert not connections.has_connection("me")


def test_a_thread_ends_the_process(services: Any, stream: Stream) -> None:
    """A shutdown that a thread starts ends the streams; later calls are refused."""
    coordinator = services.shutdown_coordinator()
    run_native(coordinator.stop_waiting, coordinator.shutdown)
    assert coordinator.is_shutting_down()
    stream.wait_for_end()
    services.gateway().stop()
    with pytest.raises(LoopNotRunning):
        run_native(services.task_service().list_tasks)


def test_over_http_too(app: Flask) -> None:
    """The transport to another gateway posts in the loop, whichever thread sends."""
    loop_thread = app.extensions["container"].loop_thread()
    transport = HttpTransport("http://gateway.invalid", loop_thread=loop_thread)
    here: list[bool] = []

    def post(send: object) -> int:
        here.append(loop_thread.here)
        return 200

    transport._lanes._post = post  # type: ignore[assignment]
    event = Event("n", "1")
    assert run_native(
        lambda: transport.send("t", event), lambda: transport.broadcast(["t", "u"], event).delivered
    ) == [True, 2]
    run_native(lambda: transport.close("t"))
    run_native(lambda: transport.drain(["t"], event, 1.0))
    wait_until(lambda: len(here) == 5, "all of them to be posted")
    assert all(here)


def test_where_no_loop_serves(make_app: MakeApp) -> None:
    """Without a running event loop, a task is refused, and a POST does not wait."""
    services = make_app().extensions["container"]
    with pytest.raises(NotServing, match="sse-monolith serve"):
        run_native(lambda: services.task_service().start_task(DemoTask()))
    transport = HttpTransport("http://gateway.invalid")
    event = Event("n", "1")
    with pytest.raises(TransportError, match="event loop"):
        run_native(lambda: transport.send("t", event))
    assert run_native(lambda: transport.broadcast(["t"], event).delivered) == [0]
