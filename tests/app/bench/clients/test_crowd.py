"""The clients, against a server that the test controls."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from app.bench.bursts import CROWD
from app.bench.clients.helper import Helper
from app.bench.clients.payload import progress_text
from app.bench.errors import BenchFailed
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.slow

IDENTIFIED = b"id: ab-%d\ndata: {}\n\n"
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b"event: version\ndata: {}\n\n"


def chunk(data: bytes) -> bytes:
    """Encode one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Scripted:
    """A server whose every step the test makes."""

    def __init__(self, listener: socket.socket) -> None:
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self.clients: list[socket.socket] = []

    def accept(self, count: int = 1) -> None:
        """Accept connections."""
        for _ in range(count):
            client = self._listener.accept()[0]
            client.settimeout(TIME_LIMIT)
            self.clients.append(client)

    def read_request(self, client: socket.socket) -> bytes:
        """Read the head of a request."""
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            data += client.recv(65536)
        return data

    def serve(self, answer: bytes) -> bytes:
        """Accept a connection, answer its request, and return the request."""
        self.accept()
        asked = self.read_request(self.clients[-1])
        self.clients[-1].sendall(answer)
        return asked


@pytest.fixture
def server() -> Iterator[Scripted]:
    """Run a server on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIME_LIMIT)
        scripted = Scripted(listener)
        yield scripted
        for client in scripted.clients:
            client.close()


@pytest.fixture
def crowd() -> Iterator[Helper]:
    """Start the process of the clients."""
    with Helper(CROWD) as helper:
        yield helper


def open_one(crowd: Helper, server: Scripted) -> socket.socket:
    """Open a stream, and return the server's end of it."""
    crowd.begin("open", port=server.port, count=1, at_once=4, seconds=10)
    server.serve(HEAD + chunk(EVENT))
    crowd.finish()
    return server.clients[-1]


def test_open(crowd: Helper, server: Scripted) -> None:
    """A stream is open when its version event has arrived, however the answer is split."""
    crowd.begin("open", port=server.port, count=2, at_once=1, seconds=10)
    asked = server.serve(HEAD)
    server.clients[0].sendall(chunk(EVENT)[:-4])
    server.clients[0].sendall(chunk(EVENT)[-4:])
    assert b"-000000000000 HTTP/1.1" in asked
    assert b"-000000000001 HTTP/1.1" in server.serve(HEAD + chunk(EVENT))
    answer = crowd.finish()
    assert answer["started_ns"] > 0
    assert answer["seconds"] > 0
    assert answer["cpu_seconds"] > 0


def test_refused(crowd: Helper, server: Scripted) -> None:
    """A refused stream ends the measurement, and the error shows the answer."""
    crowd.begin("open", port=server.port, count=1, at_once=1, seconds=10)
    server.serve(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
    with pytest.raises(BenchFailed, match=r"refused: b'HTTP/1\.1 503 Service Unavailable"):
        crowd.finish()


def test_never_opened(crowd: Helper, server: Scripted) -> None:
    """A stream that is not open in time ends the measurement."""
    with pytest.raises(BenchFailed, match=r"1 of 1 streams not open after 0\.05 s"):
        crowd.call("open", port=server.port, count=1, at_once=1, seconds=0.05)


def test_read_counts(crowd: Helper, server: Scripted) -> None:
    """Events are counted over all streams, plain connections included."""
    first = open_one(crowd, server)
    crowd.call("attach", port=server.port, count=1)
    server.accept()
    first.sendall(chunk(EVENT) * 2)
    server.clients[1].sendall(chunk(EVENT))
    seen = crowd.call("read", frames=3, seconds=10)
    assert (seen["frames"], seen["bytes"]) == (3, 3 * len(chunk(EVENT)))
    assert seen["first_ns"] <= seen["last_ns"]
    assert seen["latencies_ns"] == []


def test_read_counts_what_is_cut(crowd: Helper, server: Scripted) -> None:
    """An event whose blank line arrives in two pieces is counted once."""
    client = open_one(crowd, server)
    before, after = chunk(EVENT)[:-3], chunk(EVENT)[-3:]
    assert before.endswith(b"{}\n")
    client.sendall(chunk(EVENT) + before)
    crowd.call("read", frames=1, seconds=10)
    client.sendall(after)
    assert crowd.call("read", frames=1, seconds=10)["frames"] == 1


def test_read_in_time(crowd: Helper, server: Scripted) -> None:
    """Events that are late end the measurement; with 0 events, reading ends with the time limit."""
    open_one(crowd, server)
    with pytest.raises(BenchFailed, match=r"0 of 1 events had arrived after 0\.05 s"):
        crowd.call("read", frames=1, seconds=0.05)
    assert crowd.call("read", frames=0, seconds=0.05)["frames"] == 0


def test_samples(crowd: Helper, server: Scripted) -> None:
    """A latency is the time from an event's stamp to its arrival."""
    client = open_one(crowd, server)
    client.sendall(chunk(b"data: %b\n\n" % progress_text(1000).encode()))
    seen = crowd.call("read", frames=1, seconds=10, sample=True, rest=0.001)
    assert (len(seen["latencies_ns"]), seen["sent_ns"]) == (1, [1000])
    assert 0 <= seen["last_ns"] - 1000 - seen["latencies_ns"][0] < 10**9


def test_end(crowd: Helper, server: Scripted) -> None:
    """A stream that the server ends is an error."""
    client = open_one(crowd, server)
    client.close()
    with pytest.raises(BenchFailed, match="the server ended a stream"):
        crowd.call("read", frames=1, seconds=10)


def test_cut(crowd: Helper, server: Scripted) -> None:
    """``cut`` resets the connections, and the clients return with the same request IDs."""
    client = open_one(crowd, server)
    crowd.call("cut")
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    crowd.begin("open", port=server.port, count=1, at_once=1, seconds=10)
    assert b"-000000000000 HTTP/1.1" in server.serve(HEAD + chunk(EVENT))
    crowd.finish()


def test_stalled(crowd: Helper, server: Scripted) -> None:
    """A stalled client opens its stream and then reads nothing."""
    crowd.begin("open", port=server.port, count=1, at_once=1, seconds=10, stalled=True)
    server.serve(HEAD + chunk(EVENT))
    crowd.finish()
    client = server.clients[0]
    client.sendall(chunk(EVENT))
    assert crowd.call("read", frames=0, seconds=0.05)["frames"] == 0


def test_wake(crowd: Helper, server: Scripted) -> None:
    """A stalled client that is woken reads what has waited."""
    crowd.begin("open", port=server.port, count=1, at_once=1, seconds=10, stalled=True)
    server.serve(HEAD + chunk(EVENT))
    crowd.finish()
    server.clients[0].sendall(chunk(EVENT))
    crowd.call("wake")
    assert crowd.call("read", frames=1, seconds=10)["frames"] == 1


def reopened(crowd: Helper, server: Scripted, resume: bool) -> tuple[bytes, int]:
    """Cut a client and open it again; return its request and the number of events that it got."""
    crowd.call("cut")
    crowd.begin("open", port=server.port, count=1, at_once=1, seconds=10, resume=resume)
    asked = server.serve(HEAD + chunk(IDENTIFIED % 5) + chunk(IDENTIFIED % 6) + chunk(EVENT))
    return asked, crowd.finish()["fewest_ids"]


def test_resume(crowd: Helper, server: Scripted) -> None:
    """A client that resumes sends its last event ID, and counts the events before the version."""
    crowd.begin("open", port=server.port, count=1, at_once=1, seconds=10)
    server.serve(HEAD + chunk(b": heartbeat\nid: ab-3\n\n") + chunk(EVENT))
    assert crowd.finish()["fewest_ids"] == 0
    asked, events = reopened(crowd, server, resume=False)
    assert (b"Last-Event-ID" in asked, events) == (False, 2)
    asked, events = reopened(crowd, server, resume=True)
    assert (b"\r\nLast-Event-ID: ab-6\r\n" in asked, events) == (True, 2)


def test_drain(crowd: Helper, server: Scripted) -> None:
    """Draining reads what has arrived, and the last event ID of each stream is kept."""
    client = open_one(crowd, server)
    client.sendall(chunk(IDENTIFIED % 8) + chunk(IDENTIFIED % 9))
    crowd.call("drain", quiet=0.05, seconds=10)
    assert crowd.call("read", frames=0, seconds=0.05)["frames"] == 0
    asked, _ = reopened(crowd, server, resume=True)
    assert b"\r\nLast-Event-ID: ab-9\r\n" in asked
    server.clients[-1].close()
    with pytest.raises(BenchFailed, match="the server ended a stream"):
        crowd.call("drain", quiet=0.05, seconds=10)
