"""Clients that are broken or hostile do not disturb other clients."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import gevent
import pytest

from tests.faults.conftest import Tally
from tests.faults.undisturbed import undisturbed
from tests.support.backend_client import active_streams, connect, metric
from tests.support.http.client import Connection, request, request_bytes
from tests.support.http.message import Response
from tests.support.processes.server import GunicornServer
from tests.support.timing import TIME_LIMIT, wait_until

KILOBYTE = 1024
ENV = {
    "FLASK_ENV": "testing",
    "HEARTBEAT_INTERVAL_SECONDS": "1",
    "SSE_MAX_BUFFER_BYTES": str(256 * KILOBYTE),
}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Provide an exit stack that is closed after the test."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def server() -> Iterator[GunicornServer]:
    """Start a backend with small stream buffers that the tests of this module share."""
    with GunicornServer(env=ENV) as running:
        # Memory that the first request allocates once is not growth.
        request(running.port, "GET", "/metrics")
        yield running


@pytest.fixture
def server_without_replay() -> Iterator[GunicornServer]:
    """Start a backend that keeps no events, so it has to end the streams of slow consumers."""
    with GunicornServer(env={**ENV, "SSE_REPLAY": "off"}) as running:
        request(running.port, "GET", "/metrics")
        yield running


def code_of(response: Response) -> tuple[int, str]:
    """Return the status and the error code of a response, which must be JSON."""
    assert response.head.get("Content-Type") == "application/json; charset=utf-8"
    return response.status, json.loads(response.body)["error"]["code"]


def test_slow_requests_are_cut_off(server: GunicornServer, stack: ExitStack, tally: Tally) -> None:
    """Heads and bodies that do not come, or come byte by byte, have time limits."""
    silent = [stack.enter_context(Connection(server.port)) for _ in range(100)]
    dribbling = [stack.enter_context(Connection(server.port)) for _ in range(50)]
    bodies = [stack.enter_context(Connection(server.port)) for _ in range(20)]
    with undisturbed(server, steps=500, seconds=5):
        for connection in silent[:50]:
            connection.send(b"GET /api/sse/stream?request_id=a HTTP/1.1\r\nHost")
        for connection in bodies:
            head = request_bytes("POST", "/api/tasks", [("Content-Length", "1000")])
            connection.send(head + b'{"task')

        def dribble(connection: Connection) -> None:
            try:
                for byte in request_bytes("GET", "/healthz", [("X-Long", "y" * 1000)]):
                    connection.send(bytes([byte]))
                    gevent.sleep(0.25)
            except OSError:
                return

        # Without a time limit, each greenlet would run for four minutes.
        writers = [gevent.spawn(dribble, connection) for connection in dribbling]
        gevent.joinall(writers, timeout=TIME_LIMIT, raise_error=True)
        assert all(writer.ready() for writer in writers)
        for connection in silent:
            connection.wait_closed()
        answers = Counter(code_of(connection.read_response("POST")) for connection in bodies)
        assert answers == {(408, "REQUEST_TIMEOUT"): 20}
        for connection in [*silent, *dribbling, *bodies]:
            connection.close()
    tally("150 slow request heads, 20 slow bodies", 502, 502, "nothing")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (
            b"GET /" + b"a" * 17 * KILOBYTE + b" HTTP/1.1\r\nHost: a\r\n\r\n",
            (431, "BAD_REQUEST"),
        ),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 17 * KILOBYTE + b"\r\n\r\n",
            (431, "BAD_REQUEST"),
        ),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 2500 + b"\r\n", (431, "BAD_REQUEST")),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n\r\n", (400, "BAD_REQUEST")),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            (400, "BAD_REQUEST"),
        ),
        (b"GET / HTTP/1.1\r\nX: a\r\n\r\n", (400, "BAD_REQUEST")),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", (400, "BAD_REQUEST")),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", (400, "BAD_REQUEST")),
        (
            b"POST /api/tasks HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
            (413, "PAYLOAD_TOO_LARGE"),
        ),
    ],
    ids=[
        "line",
        "headers",
        "many headers",
        "TLS",
        "two lengths",
        "no host",
        "two hosts",
        "NUL",
        "body",
    ],
)
def test_broken_requests_are_answered(
    server: GunicornServer, sent: bytes, expected: tuple[int, str], tally: Tally
) -> None:
    """Broken requests get a JSON response, and their connections are closed."""
    with undisturbed(server, steps=20, seconds=0.2):
        for _ in range(100):
            with Connection(server.port) as connection:
                connection.send(sent)
                answer = connection.read_response()
                assert code_of(answer) == expected
                assert answer.head.get("Connection") == "close"
    tally(f"100 broken requests, answer {expected[0]} {expected[1]}", 22, 22, "nothing")


def test_a_chunked_body_without_end(server: GunicornServer, tally: Tally) -> None:
    """A chunked body without end is read only up to the limit."""
    with undisturbed(server), Connection(server.port) as connection:
        head = [("Transfer-Encoding", "chunked")]
        connection.send(request_bytes("POST", "/api/tasks", head))
        with pytest.raises(OSError, match=r"Broken pipe|reset"):  # noqa: PT012 - any of the sends
            for _ in range(10_000):
                connection.send(b"4000\r\n" + b"a" * 0x4000 + b"\r\n")
    tally("a body without end", 102, 102, "the request")


def test_garbage_after_the_request(server: GunicornServer, stack: ExitStack, tally: Tally) -> None:
    """Streams whose clients send megabytes of garbage discard it and get their events."""
    with undisturbed(server, steps=200, seconds=2) as bystander:
        streams = [stack.enter_context(connect(server)) for _ in range(10)]

        def talk(index: int) -> None:
            garbage = b"GET /healthz HTTP/1.1\r\n\r\n\x00\xff" * 40_000
            for _ in range(5):
                streams[index].connection.send(garbage)

        gevent.joinall([gevent.spawn(talk, index) for index in range(10)], raise_error=True)
        seen = len(bystander.poll().events)
        assert seen > 1
        for stream in streams:
            # The stream is still open, and its events and heartbeats come.
            stream.wait_for("task_event")
            assert stream.ended is None
            stream.close()
    wait_until(lambda: active_streams(server) == 0, "all streams to be gone")
    tally("10 streams that send 50 MB of garbage", 202, 202, "nothing")


def test_a_storm_of_connects_from_one_address(stack: ExitStack, tally: Tally) -> None:
    """Of 2,000 streams from one address, 100 open, 1,900 are refused, and others still open.

    The addresses come from a proxy's header, because the limit does not apply to loopback.
    """
    env = {"FLASK_ENV": "testing", "SSE_MAX_CONNECTIONS_PER_ADDRESS": "100"}
    with GunicornServer(env=env) as server, connect(server) as first:
        first.wait_for("version")
        # The refused connections are kept alive: 2,000 handlers at a time, about 12 KB each.
        with undisturbed(server, megabytes=48):
            connections = [stack.enter_context(Connection(server.port)) for _ in range(2000)]
            for number, connection in enumerate(connections):
                target = f"/api/sse/stream?request_id=storm-{number}"
                connection.send(request_bytes("GET", target, [("X-Forwarded-For", "192.0.2.1")]))
            heads = [connection.read_head() for connection in connections]
            assert Counter(head.status for head in heads) == {200: 100, 503: 1900}
            refused = next(head for head in heads if head.status == 503)
            assert refused.get("Retry-After") == "5"
            assert metric(server, "sse_gateway_streams_refused_total") == 1900
            with connect(server, headers=[("X-Forwarded-For", "192.0.2.2")]):
                pass
            for connection in connections:
                connection.close()
        wait_until(lambda: active_streams(server) == 1, "the storm to be over")
        with connect(server) as again:  # the end of the other streams has made room
            again.wait_for("version")
    tally("2,000 connects from one address, limit 100", 102, 102, "1,900 connects refused, 503")


def test_clients_that_stop_reading(
    server_without_replay: GunicornServer, stack: ExitStack, tally: Tally
) -> None:
    """Without a replay, streams that are not read are ended, counted and logged.

    All other streams get every event.
    """
    server = server_without_replay
    events = 400
    size = 20_000
    before = metric(server, "sse_gateway_slow_consumers_total")
    with undisturbed(server) as bystander:
        readers = [stack.enter_context(connect(server)) for _ in range(5)]
        stalled = [
            stack.enter_context(connect(server, f"stalled-{n}", receive_buffer=4096))
            for n in range(10)
        ]
        bodies = []
        for number in range(events):
            body = {
                "request_id": "nobody",
                "version": str(number),
                "changelog": "x" * size,
            }
            answer = request(
                server.port, "POST", "/api/testing/deployments/version", json_body=body
            )
            assert answer.status == 202
            for reader in [*readers, bystander]:
                reader.poll()
            bodies.append(str(number))
        wait_until(
            lambda: metric(server, "sse_gateway_slow_consumers_total") == before + 10,
            "all slow consumers to be ended",
        )
        for reader in readers:
            reader.wait_for(lambda event: f'"version":"{events - 1}"' in event.data)
            received = [
                json.loads(event.data)["version"]
                for event in reader.events
                if event.type == "version"
            ]
            assert received[1:] == bodies
            reader.close()
        assert metric(server, "sse_gateway_bytes_buffered") == 0
        for stream in stalled:
            stream.close()
    # The metric of an end may be read before the line about it has come through the pipe.
    wait_until(lambda: server.log.count("slow consumer ended") >= 10, "the lines about all ends")
    for number in range(10):
        lines = [
            line
            for line in server.log.splitlines()
            if "slow consumer ended" in line and f'request_id=stalled-{number}"' in line
        ]
        assert len(lines) == 1
        assert "WARNING" in lines[0]
        assert "address=127.0.0.1" in lines[0]
    tally(
        "10 clients that stop reading, SSE_REPLAY=off",
        events * 5,
        events * 5,
        "the stalled streams themselves",
    )


def test_connects_that_are_dropped_at_once(server: GunicornServer, tally: Tally) -> None:
    """Clients that disconnect before, while or after their stream opens leave nothing behind."""
    with undisturbed(server):
        for number in range(500):
            connection = Connection(server.port)
            if number % 5:
                connection.send(
                    request_bytes("GET", f"/api/sse/stream?request_id=drop-{number}")[
                        : None if number % 5 > 1 else 30
                    ]
                )
            if number % 5 == 4:
                connection.read_head()
            (connection.reset if number % 2 else connection.close)()
        wait_until(lambda: active_streams(server) == 1, "only one stream to be left")
    tally("500 clients that hang up while they connect", 102, 102, "nothing")


def test_the_same_request_id_again_and_again(server: GunicornServer, stack: ExitStack) -> None:
    """Of 200 streams with one request id, each replaces the one before, and one is left."""
    with undisturbed(server):
        streams = [stack.enter_context(connect(server, "thief")) for _ in range(200)]
        for stream in streams[:-1]:
            assert stream.wait_for_end() == "clean"
        assert active_streams(server) == 2
        for stream in streams:
            stream.close()
