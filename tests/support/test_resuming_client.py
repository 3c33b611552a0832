"""Tests of the clients that resume, with a scripted server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from tests.support.http.scripted_server import SSE_HEAD, Script, ScriptedServer, answer, chunk
from tests.support.http.sse_parser import SSEEvent
from tests.support.resuming_client import Received, ResumingClient, ResumingClients
from tests.support.timing import TIME_LIMIT, wait_until


def numbered(number: int) -> bytes:
    """Return a chunk with a numbered event, which has its number as its id."""
    return chunk(b"id: e-%d\ndata: %d\n\n" % (number, number))


def number_of(event: SSEEvent) -> int | None:
    """Return the number of a numbered event."""
    return int(event.data) if event.data.isdigit() else None


RESYNC = chunk(b'id: e-9\nevent: resync\ndata: {"reason":"too_old"}\n\n')
END = chunk(b"")
REFUSAL = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"


def play(
    *scripts: Script,
    until: Callable[[ResumingClient], bool],
    hold: threading.Event,
    during: Callable[[ResumingClients], None] = lambda _: None,
    receive_buffer: int | None = None,
) -> tuple[ResumingClient, list[bytes]]:
    """Return a client after it has played the scripts, and the requests that it sent."""
    with ScriptedServer(*scripts) as server:
        try:
            with ResumingClients(
                server.port, 1, number_of, receive_buffer=receive_buffer
            ) as clients:
                during(clients)
                clients.wait_for(until, "the events")
        finally:
            hold.set()
    return clients.clients[0], server.requests


def test_resumes_after_each_end() -> None:
    """A client reconnects after a clean end, a reset and a refusal, with its last id."""
    hold = threading.Event()
    client, requests = play(
        answer(SSE_HEAD, numbered(1), END),
        answer(REFUSAL),
        answer(SSE_HEAD, chunk(b": heartbeat\nid: e-5\n\n"), chunk(b"event: version\ndata: a\n\n")),
        answer(SSE_HEAD, numbered(6), hold=hold),
        until=lambda client: len(client.received) == 3,
        hold=hold,
    )
    assert client.received == [
        Received("e-1", "message", "1", 1),
        Received("e-5", "version", "a", 2),
        Received("e-6", "message", "6", 3),
    ]
    assert [b"Last-Event-ID: e-1\r\n" in request for request in requests] == [0, 1, 1, 0]
    assert b"Last-Event-ID: e-5\r\n" in requests[3]
    assert all(f"request_id={client.request_id} ".encode() in request for request in requests)
    assert client.ends == {"clean": 1, "eof": 1, "test": 1}
    assert client.refused == {503: 1}


@pytest.mark.parametrize(
    ("frames", "problems"),
    [
        ([numbered(1), numbered(2), numbered(3)], []),
        ([numbered(1), numbered(3)], ["2 to 2 are missing"]),
        ([numbered(1), RESYNC, numbered(3)], []),
        ([RESYNC, numbered(3)], []),
        ([numbered(1), RESYNC], []),
        ([RESYNC], []),
        ([numbered(2), numbered(3)], ["1 to 1 are missing"]),
        ([numbered(1)], ["2 to 3 are missing"]),
        ([numbered(1), numbered(2), numbered(2), numbered(3)], ["2 after 2"]),
        ([numbered(2), numbered(1)], ["1 after 2", "1 to 1 are missing", "2 to 3 are missing"]),
        ([numbered(1), numbered(2), numbered(3), numbered(4)], ["numbers beyond 1 to 3"]),
        ([], ["1 to 3 are missing"]),
    ],
)
def test_problems(frames: list[bytes], problems: list[str]) -> None:
    """Doubles, a wrong order, and gaps without a ``resync`` are problems."""
    hold = threading.Event()
    client, _ = play(
        answer(SSE_HEAD, *frames, chunk(b"data: end\n\n"), hold=hold),
        until=lambda client: any(each.data == "end" for each in client.received),
        hold=hold,
    )
    assert client.problems_of(1, 3) == problems
    assert client.resyncs == ["too_old"] * frames.count(RESYNC)


def test_failure() -> None:
    """Bytes that no correct server writes stop the client and fail the wait."""
    hold = threading.Event()
    with pytest.raises(AssertionError, match="unknown field"):
        play(answer(SSE_HEAD, chunk(b"fish\n\n"), hold=hold), until=lambda _: False, hold=hold)


def test_cut() -> None:
    """A test can reset a client's connection; the client then resumes."""
    hold = threading.Event()
    ends: list[object] = []

    def until_reset(connection: socket.socket) -> None:
        connection.sendall(SSE_HEAD + numbered(1))
        connection.settimeout(TIME_LIMIT)
        try:
            ends.append(connection.recv(1))
        except ConnectionResetError as exc:
            ends.append(type(exc))

    def cut(clients: ResumingClients) -> None:
        (client,) = clients.clients
        clients.wait_for(lambda client: client.numbers == [1], "the first event")
        clients.cut(client)

    client, _ = play(
        until_reset,
        answer(SSE_HEAD, numbered(2), hold=hold),
        until=lambda client: client.numbers == [1, 2],
        hold=hold,
        during=cut,
    )
    assert ends == [ConnectionResetError]
    assert client.ends == {"cut": 1, "test": 1}
    assert client.problems == []


def test_stop_reading() -> None:
    """A client that stops reading fills the buffers, and gets everything when it goes on."""
    hold = threading.Event()
    stopped = threading.Event()
    full = threading.Event()
    count = 40

    def fill(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        connection.sendall(SSE_HEAD + numbered(1))
        stopped.wait(TIME_LIMIT)  # or the client might have read everything by then
        connection.settimeout(0.1)
        padding = chunk(b": %b\n\n" % (b"x" * 65536))
        data = b"".join(numbered(number) + padding for number in range(2, count + 1))
        while data:
            try:
                data = data[connection.send(data) :]
            except TimeoutError:
                full.set()
        hold.wait(TIME_LIMIT)

    def stop_and_go_on(clients: ResumingClients) -> None:
        (client,) = clients.clients
        clients.stop_reading(client)
        stopped.set()
        wait_until(full.is_set, "full buffers")
        assert len(client.numbers) < count
        clients.go_on_reading(client)

    client, _ = play(
        fill,
        until=lambda client: client.numbers[-1:] == [count],
        hold=hold,
        during=stop_and_go_on,
        receive_buffer=16384,
    )
    assert client.problems_of(1, count) == []


def test_many_clients() -> None:
    """One thread serves many clients."""
    hold = threading.Event()
    scripts = [answer(SSE_HEAD, numbered(1), hold=hold)] * 100
    with ScriptedServer(*scripts) as server:
        try:
            with ResumingClients(server.port, 100, number_of) as clients:
                clients.wait_for(lambda client: client.numbers == [1], "the event")
        finally:
            hold.set()
    assert len({client.request_id for client in clients.clients}) == 100
