"""Sockets that are used by one thread after another."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

import gevent
import pytest
import requests
from gevent.hub import get_hub
from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

from tests.support.timing import TIME_LIMIT, wait_until

native_sleep = get_original("time", "sleep")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Connect two sockets."""
    one, two = socket.socketpair()
    one.settimeout(TIME_LIMIT)
    two.settimeout(TIME_LIMIT)
    with one, two:
        yield one, two


def test_another_thread_reads_and_writes(
    pool: ThreadPool, pair: tuple[socket.socket, socket.socket]
) -> None:
    """A socket of the loop waits in the thread that uses it, and later in the loop again."""
    one, two = pair
    large = b"x" * 4_000_000
    reading = pool.spawn(one.recv, 10)
    native_sleep(0.01)
    two.sendall(b"hello")
    assert reading.get(timeout=TIME_LIMIT) == b"hello"

    def read(sock: socket.socket) -> int:
        count = 0
        while count < len(large):
            count += len(sock.recv(65536))
        return count

    writing = pool.spawn(one.sendall, large)
    assert read(two) == len(large)
    writing.get(timeout=TIME_LIMIT)
    reader = gevent.spawn(read, one)
    pool.spawn(two.sendall, large).get(timeout=TIME_LIMIT)
    assert reader.get(timeout=TIME_LIMIT) == len(large)


def test_both_directions_at_once(
    pool: ThreadPool, pair: tuple[socket.socket, socket.socket]
) -> None:
    """The loop reads from a socket while a thread writes to it."""
    one, two = pair
    large = b"x" * 4_000_000
    reading = gevent.spawn(one.recv, 10)
    gevent.sleep(0)
    writing = pool.spawn(one.sendall, large)
    got = 0
    while got < len(large):
        got += len(two.recv(65536))
    writing.get(timeout=TIME_LIMIT)
    assert not reading.ready()
    two.sendall(b"hello")
    assert reading.get(timeout=TIME_LIMIT) == b"hello"


def test_time_limits_hold(pool: ThreadPool, pair: tuple[socket.socket, socket.socket]) -> None:
    """A thread that gets nothing in time gets an error, in either way of waiting."""
    one, _ = pair
    one.settimeout(0.01)
    with pytest.raises(TimeoutError):
        pool.spawn(one.recv, 1).get(timeout=TIME_LIMIT)
    with pytest.raises(TimeoutError):
        one.recv(1)


def test_a_thread_closes_what_the_loop_waits_for(
    pool: ThreadPool, pair: tuple[socket.socket, socket.socket]
) -> None:
    """A wait of the loop ends at once when a thread closes the socket."""
    one, _ = pair
    reading = gevent.spawn(one.recv, 1)
    gevent.sleep(0)

    def close() -> None:
        native_sleep(0.01)
        one.close()

    pool.spawn(close)
    reading.join(TIME_LIMIT)
    assert isinstance(reading.exception, OSError)


def test_the_loop_closes_what_a_thread_has_made(pool: ThreadPool) -> None:
    """The loop frees the descriptor of a thread's socket at once."""

    def make() -> tuple[socket.socket, socket.socket]:
        made = socket.socketpair()
        made[1].sendall(b"x")
        made[0].recv(1)
        return made

    one, two = pool.spawn(make).get(timeout=TIME_LIMIT)
    two.settimeout(TIME_LIMIT)
    one.close()
    assert two.recv(1) == b""
    two.close()


def test_a_socket_outlives_its_threads_loop(pool: ThreadPool) -> None:
    """A socket whose thread and loop are gone moves to its next user."""

    def make() -> tuple[socket.socket, socket.socket]:
        made = socket.socketpair()
        gevent.sleep(0)
        get_hub().destroy(True)
        return made

    one, two = pool.spawn(make).get(timeout=TIME_LIMIT)
    one.settimeout(TIME_LIMIT)
    with one, two:
        reading = gevent.spawn(one.recv, 1)
        gevent.sleep(0)
        two.sendall(b"x")
        assert reading.get(timeout=TIME_LIMIT) == b"x"


def test_a_socket_outlives_one_loop_of_its_thread(pool: ThreadPool) -> None:
    """A socket moves to a new loop of its thread, and to a later thread with the same id."""

    def make() -> bytes:
        one, two = socket.socketpair()
        unused = socket.socketpair()
        gevent.sleep(0)
        get_hub().destroy(True)
        for sock in unused:
            sock.close()
        two.settimeout(TIME_LIMIT)
        with one, two:
            gevent.spawn(one.sendall, b"x")
            return two.recv(1)

    assert pool.spawn(make).get(timeout=TIME_LIMIT) == b"x"


class Echo(BaseHTTPRequestHandler):
    """A request handler that answers with the path and keeps the connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: two would wait for each other

    def do_GET(self) -> None:
        """Answer with the path."""
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


class Server(ThreadingHTTPServer):
    """A server that does not ask a name server for its own name, which may take seconds."""

    def server_bind(self) -> None:
        """Bind without looking up the server's name."""
        TCPServer.server_bind(self)


def test_a_session_of_requests_serves_both_sides(pool: ThreadPool) -> None:
    """Both sides share a session of requests, and each gets the right answers."""
    server = Server(("127.0.0.1", 0), Echo)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        with requests.Session() as session:
            session.trust_env = False

            def ask(name: str) -> int:
                paths = [f"/{name}/{number}" for number in range(100)]
                return sum(session.get(url + p, timeout=TIME_LIMIT).text == p for p in paths)

            threads = [pool.spawn(ask, f"thread{n}") for n in range(2)]
            greenlets = [gevent.spawn(ask, f"greenlet{n}") for n in range(2)]
            assert [task.get(timeout=TIME_LIMIT * 2) for task in greenlets + threads] == [100] * 4
    finally:
        server.shutdown()
        server.server_close()
        wait_until(lambda: not serving.is_alive(), "the server to end")
