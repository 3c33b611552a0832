"""Connections that stay open between two requests."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.live.tasks.gated_task import GATED_TASK
from tests.support.backend_client import connect, start_task
from tests.support.http.client import Connection, request, request_bytes
from tests.support.http.message import Ended
from tests.support.processes.server import GunicornServer, Server, ServerFailed
from tests.support.timing import TIME_LIMIT

HEALTH = request_bytes("GET", "/healthz")

PATIENT = {
    "FLASK_ENV": "testing",
    "APP_TASKS": GATED_TASK,
    "GRACEFUL_SHUTDOWN_TIMEOUT": "3600",
}
"""Settings of a server that waits for its tasks longer than any test."""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Provide an exit stack that is closed after the test."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def three_requests() -> Iterator[GunicornServer]:
    """Start a server that closes a connection after three requests."""
    with GunicornServer(env={"MAX_REQUESTS_PER_CONNECTION": "3"}) as running:
        yield running


def kept(server: Server, stack: ExitStack) -> Connection:
    """Return a connection that has served one request."""
    connection = stack.enter_context(Connection(server.port))
    send_request(connection)
    return connection


def send_request(connection: Connection) -> None:
    """Send one more request, and check that the response is a 200 with keep-alive."""
    connection.send(HEALTH)
    answer = connection.read_response()
    assert (answer.status, answer.head.get("Connection")) == (200, "keep-alive")


def is_open(connection: Connection) -> bool:
    """Return True if another request on a connection gets a response."""
    try:
        send_request(connection)
    except (OSError, AssertionError):
        return False
    return True


def test_idle_time_and_the_time_for_a_head_are_two_limits(
    server: GunicornServer, stack: ExitStack
) -> None:
    """A slow head is cut after 5 s, and an idle connection lives longer."""
    idle, slow = kept(server, stack), kept(server, stack)
    never = stack.enter_context(Connection(server.port))
    slow.send(HEALTH[:10])
    assert slow.wait_closed() is not None
    assert never.wait_closed() is Ended.EOF
    send_request(idle)


def test_idle_too_long(stack: ExitStack) -> None:
    """A connection is closed after KEEP_ALIVE_SECONDS of idle time."""
    with GunicornServer(env={"KEEP_ALIVE_SECONDS": "1"}) as server:
        assert kept(server, stack).wait_closed() is Ended.EOF
        with pytest.raises(ServerFailed, match=r"--keep-alive 0: a request's head would have no"):
            GunicornServer("--keep-alive", "0").__enter__()


def test_idle_connections_make_room(stack: ExitStack) -> None:
    """If handlers are scarce, the connections that were idle longest are closed first."""
    with GunicornServer("--worker-connections", "20") as server:
        connections = [kept(server, stack) for _ in range(50)]
        # Half of the handlers may be idle. Wait for the last connection that is closed.
        assert connections[39].wait_closed() is Ended.EOF
        assert [is_open(connection) for connection in connections] == [False] * 40 + [True] * 10


def test_idle_connections_leave_descriptors_for_streams(stack: ExitStack) -> None:
    """Idle connections do not reduce the number of streams."""
    gunicorn = f"{sys.executable} -m gunicorn -c gunicorn.conf.py -b 127.0.0.1:{{port}}"
    with Server(["sh", "-c", f"ulimit -n 300 && exec {gunicorn} 'app:create_app()'"]) as server:
        first = [kept(server, stack) for _ in range(200)]
        streams = [stack.enter_context(connect(server)) for _ in range(150)]
        for stream in streams:
            stream.wait_for("version")
        assert not is_open(first[0])
        for stream in streams:
            stream.close()


def start_endless_task(server: Server, folder: Path) -> None:
    """Start a task that waits for a file that no test creates."""
    start_task(server, "gated_task", steps=1, gate=str(folder / "never"))


def test_reload(stack: ExitStack, tmp_path: Path) -> None:
    """A worker that is being replaced closes its idle connections before its task ends."""
    with GunicornServer(env=PATIENT) as server:
        idle = kept(server, stack)
        start_endless_task(server, tmp_path)
        server.send_signal(signal.SIGHUP)
        assert idle.wait_closed() is Ended.EOF
        # A request on a new connection reaches the new worker.
        send_request(stack.enter_context(Connection(server.port)))


def test_shutdown(stack: ExitStack, tmp_path: Path) -> None:
    """A stopping server closes idle connections, and its last responses have Connection: close."""
    with GunicornServer(env=PATIENT) as server:
        idle = kept(server, stack)
        start_endless_task(server, tmp_path)
        server.send_signal(signal.SIGTERM)
        assert idle.wait_closed() is Ended.EOF
        for target in ("/healthz", "/api/sse/stream"):
            late = stack.enter_context(Connection(server.port))
            late.send(request_bytes("GET", target))
            assert late.read_response().head.get("Connection") == "close"
            assert late.wait_closed() is Ended.EOF
        server.send_signal(signal.SIGTERM)
        assert server.wait() == 0


@pytest.mark.parametrize(
    ("headers", "body", "open_after"),
    [
        ([], b"12345", True),
        ([("Transfer-Encoding", "chunked")], b"5\r\n12345\r\n0\r\n\r\n", True),
        # The client need not send the body, so the server cannot know what the next bytes are.
        ([("Expect", "100-continue"), ("Content-Length", "5")], b"", False),
        ([("Content-Length", "2000000")], b"", False),
    ],
    ids=["length", "chunked", "not sent", "too large"],
)
def test_body_of_a_refused_stream(
    server: GunicornServer,
    stack: ExitStack,
    headers: list[tuple[str, str]],
    body: bytes,
    open_after: bool,
) -> None:
    """The body of a refused stream request is skipped, or the connection is closed."""
    connection = stack.enter_context(Connection(server.port))
    connection.send(request_bytes("GET", "/api/sse/stream", headers, body))
    assert connection.read_response().status == 400
    assert is_open(connection) is open_after


def test_many_requests_at_once(stack: ExitStack) -> None:
    """Pipelined requests get responses in order, and do not delay another client."""
    with GunicornServer(env={"MAX_REQUESTS_PER_CONNECTION": "2000"}) as server:
        connection = stack.enter_context(Connection(server.port))
        connection.send(HEALTH * 2000)
        assert request(server.port, "GET", "/healthz").status == 200
        for _ in range(2000):
            assert connection.read_response().status == 200


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/api/sse/stream", 400),
        ("HEAD", "/api/sse/stream?request_id=a", 200),
        ("OPTIONS", "/api/sse/stream", 200),
    ],
)
def test_the_last_request_of_a_connection(
    three_requests: GunicornServer, stack: ExitStack, method: str, target: str, status: int
) -> None:
    """The last response of a connection has Connection: close, and all earlier ones arrive."""
    for sent in (3, 500):
        connection = stack.enter_context(Connection(three_requests.port))
        connection.send(request_bytes(method, target) * sent)
        values = []
        for _ in range(3):
            answer = connection.read_response(method)
            assert answer.status == status
            values.append(answer.head.get("Connection"))
        assert values == ["keep-alive", "keep-alive", "close"]
        assert connection.wait_closed() is Ended.EOF


def test_a_stream_may_be_the_last_request(three_requests: GunicornServer, stack: ExitStack) -> None:
    """A stream may be the last request of a connection."""
    connection = kept(three_requests, stack)
    send_request(connection)
    connection.send(request_bytes("GET", "/api/sse/stream?request_id=a"))
    assert connection.read_head().status == 200
    assert b"version" in connection.receive(time.monotonic() + TIME_LIMIT)


def test_one_request_a_connection_where_handlers_are_scarce(stack: ExitStack) -> None:
    """If handlers are scarce, a client that pipelines requests loses its connection early."""
    with GunicornServer(env={"MAX_REQUEST_CONNECTIONS": "10"}) as server:
        headers = [("Content-Type", "application/json"), ("Content-Length", "2")]
        head = request_bytes("POST", "/api/tasks", [*headers, ("Expect", "100-continue")])
        for _ in range(9):
            slow = stack.enter_context(Connection(server.port))
            slow.send(head)
            # Only a connection that has a handler counts. A head that comes after the accept waits
            # in the lobby, and a later connection may get a handler first.
            assert slow.read_head().status == 100
            slow.send(b"{")
        connection = stack.enter_context(Connection(server.port))
        connection.send(HEALTH * 5)
        answers = [connection.read_response() for _ in range(2)]
        values = [answer.head.get("Connection") for answer in answers]
        assert values == ["keep-alive", "close"]
        assert connection.wait_closed() is Ended.EOF
