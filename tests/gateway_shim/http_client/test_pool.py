"""Tests of the pool: the connection that each request uses, over real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import gevent
import pytest

from gateway_shim.http_client.answer import HttpAnswer
from gateway_shim.http_client.certificates import default_context
from gateway_shim.http_client.pool import HttpPool
from gateway_shim.http_client.request import HttpRequest
from gateway_shim.http_client.web_url import parse_web_url
from tests.support.http.scripted_server import Script, ScriptedServer, answer
from tests.support.timing import TIME_LIMIT, wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time, seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Make the clock of the pool."""
    return Clock()


@pytest.fixture
def pool(clock: Clock) -> Iterator[HttpPool]:
    """Make a pool that keeps two connections to a server."""
    pool = HttpPool(2, default_context, clock=clock)
    yield pool
    pool.close()


def ask(pool: HttpPool, server: ScriptedServer, text: str = "http://127.0.0.1:{}/") -> HttpAnswer:
    """Make a request; the body of the answer is not read."""
    url = parse_web_url(text.format(server.port))
    return pool.request(HttpRequest("POST", url, {}, b"{}", TIME_LIMIT, TIME_LIMIT))


def serve(times: int, done: threading.Event) -> Script:
    """Return a script that answers some requests on one connection, and holds the connection."""

    def script(connection: socket.socket) -> None:
        for number in range(times):
            connection.sendall(OK)
            if number < times - 1:
                connection.recv(65536)
        done.wait(TIME_LIMIT)

    return script


def test_the_request(pool: HttpPool) -> None:
    """The target is sent unchanged; given headers replace the usual ones."""
    url = "http://u:p@127.0.0.1:{}/%41%2f%zz?a|b#c"
    with ScriptedServer(answer(OK)) as server:
        target = parse_web_url(url.format(server.port))
        headers: dict[str, str | bytes] = {"accept": "text/plain", "X-Own": b"\xc3\xa9"}
        request = HttpRequest("POST", target, headers, b"{}", TIME_LIMIT, TIME_LIMIT)
        pool.request(request).discard()
    head = server.requests[0].partition(b"\r\n\r\n")[0]
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /%41%2f%zz?a|b HTTP/1.1"
    assert {line.lower() for line in lines[1:]} == {
        f"host: 127.0.0.1:{server.port}",
        "authorization: basic dtpw",
        "accept: text/plain",
        "accept-encoding: gzip, deflate",
        "user-agent: sse-monolith",
        "x-own: é",
        "content-length: 2",
    }


def test_a_connection_is_used_again(pool: HttpPool) -> None:
    """A connection is used again when the last answer was read to its end."""
    done = threading.Event()
    with ScriptedServer(serve(3, done)) as server:
        for _ in range(3):
            with ask(pool, server) as got:
                assert got.read(10) == b"{}"
        done.set()
    assert len(server.requests) == 1  # the script itself reads the further requests


def test_an_unread_body_ends_its_connection(pool: HttpPool) -> None:
    """After an unread body, the next request uses another connection."""
    with ScriptedServer(answer(OK), answer(OK)) as server:
        for _ in range(2):
            ask(pool, server).close()
    assert len(server.requests) == 2


def test_an_idle_connection_is_not_used_for_long(pool: HttpPool, clock: Clock) -> None:
    """A connection that was idle for too long is not used, because its server may close it."""
    done = threading.Event()
    with ScriptedServer(serve(1, done), serve(1, done)) as server:
        ask(pool, server).discard()
        clock.now += 4
        ask(pool, server).discard()
        done.set()
    assert len(server.requests) == 2


def test_idle_connections_are_closed(pool: HttpPool, clock: Clock) -> None:
    """Idle connections are closed without a further request, each after its own time."""
    done = threading.Event()
    with ScriptedServer(serve(1, done), serve(1, done)) as server:
        first, second = ask(pool, server), ask(pool, server)
        first.discard()
        clock.now += 3
        second.discard()
        assert pool.close_idle() == 2
        clock.now += 1
        assert pool.close_idle() == 1
        ((kept,),) = pool._kept.values()
        assert kept.sock is not None
        clock.now += 3
        assert pool.close_idle() == 0
        assert kept.sock is None
        done.set()


@pytest.mark.parametrize(
    ("keep_alive", "seconds"), [(b"timeout=3", 2), (b"max=5, Timeout=60", 4), (b"timeout=x", 4)]
)
def test_a_server_says_how_long_it_keeps_a_connection(
    pool: HttpPool, clock: Clock, keep_alive: bytes, seconds: int
) -> None:
    """A connection is given up 1 s before its server closes it, and after 4 s in any case."""
    head = b"HTTP/1.1 200 OK\r\nKeep-Alive: %b\r\nContent-Length: 0\r\n\r\n" % keep_alive
    done = threading.Event()

    def script(connection: socket.socket) -> None:
        while not done.is_set():
            connection.sendall(head)
            connection.recv(65536)

    with ScriptedServer(script, script) as server:
        for wait, connections in ((0, 1), (seconds - 0.1, 1), (seconds, 2)):
            clock.now += wait
            ask(pool, server).discard()
            assert len(server.requests) == connections
        done.set()
        pool.close()


def test_a_connection_that_is_about_to_be_closed_is_not_kept(pool: HttpPool) -> None:
    """A connection that its server closes within 1 s is not kept."""
    head = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n"
    with ScriptedServer(answer(head), answer(OK)) as server:
        for _ in range(2):
            ask(pool, server).discard()
    assert len(server.requests) == 2


@pytest.mark.parametrize("after", [b"", b"xx", OK])
def test_unexpected_bytes_end_a_connection(pool: HttpPool, after: bytes) -> None:
    """A connection that is closed, or has bytes after an answer, is not used again."""
    with ScriptedServer(answer(OK + after), answer(OK)) as server:
        ask(pool, server).discard()
        closed = pool._kept and next(iter(pool._kept.values()))[0]
        if closed:
            wait_until(lambda: closed.sock.recv(1, socket.MSG_PEEK) == b"", "the close")
        with ask(pool, server) as got:
            assert got.read(10) == b"{}"
    assert len(server.requests) == 2


def test_late_bytes_end_a_connection(pool: HttpPool) -> None:
    """Bytes that arrive between two requests end the connection before the second request."""
    go, done = threading.Event(), threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(OK)
        go.wait(TIME_LIMIT)
        connection.sendall(b"HTTP/1.1 403 Late\r\nContent-Length: 0\r\n\r\n")
        done.wait(TIME_LIMIT)

    with ScriptedServer(script, answer(OK)) as server:
        ask(pool, server).discard()
        ((kept,),) = pool._kept.values()
        go.set()
        wait_until(lambda: kept.sock.recv(1, socket.MSG_PEEK), "the late bytes")
        with ask(pool, server) as got:
            assert got.status == 200
        done.set()


def test_two_connections_are_kept(pool: HttpPool) -> None:
    """Two of three simultaneous connections are kept."""
    done = threading.Event()
    with ScriptedServer(*[serve(1, done)] * 3) as server:
        for each in [ask(pool, server) for _ in range(3)]:
            each.discard()
        assert [len(kept) for kept in pool._kept.values()] == [2]
        done.set()


def test_four_servers(pool: HttpPool) -> None:
    """Connections to the four servers that were asked last are kept."""
    done = threading.Event()
    servers = [ScriptedServer(serve(1, done)) for _ in range(5)]
    for server in servers:
        with server:
            ask(pool, server).discard()
            done.set()
    ports = [port for _, _, port in pool._kept]
    assert ports == [server.port for server in servers[1:]]


def test_close(pool: HttpPool) -> None:
    """After a close no connection is kept, not even one in use."""
    done = threading.Event()
    with ScriptedServer(serve(2, done)) as server:
        ask(pool, server).discard()
        in_use = ask(pool, server)
        pool.close()
        in_use.discard()
        assert not pool._kept
        done.set()


def test_close_before_the_answer(pool: HttpPool) -> None:
    """A connection whose answer arrives after a close is not kept: it is older than the close."""
    may_answer, done = threading.Event(), threading.Event()

    def script(connection: socket.socket) -> None:
        may_answer.wait(TIME_LIMIT)
        serve(1, done)(connection)

    with ScriptedServer(script) as server:
        asking = gevent.spawn(ask, pool, server)
        wait_until(lambda: server.requests, "the request to arrive")
        pool.close()
        may_answer.set()
        asking.get(timeout=TIME_LIMIT).discard()
        assert not pool._kept
        done.set()


def test_connections_are_closed_with_their_pool() -> None:
    """A pool that is garbage-collected closes its sockets."""
    done = threading.Event()
    with ScriptedServer(serve(1, done)) as server:
        pool = HttpPool(1, default_context)
        ask(pool, server).discard()
        ((kept,),) = pool._kept.values()
        del pool
        assert kept.sock is None
        done.set()


def test_an_early_answer(pool: HttpPool) -> None:
    """A server may answer before it has read the whole request."""
    head = b"HTTP/1.1 413 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with ScriptedServer(answer(head)) as server:
        url = parse_web_url(f"http://127.0.0.1:{server.port}/")
        request = HttpRequest("POST", url, {}, b"x" * 60_000_000, TIME_LIMIT, TIME_LIMIT)
        got = pool.request(request)
        with got:
            assert got.status == 413


def test_a_name_is_looked_up(pool: HttpPool) -> None:
    """A host name is looked up."""
    with ScriptedServer(answer(OK)) as server:
        ask(pool, server, "http://localhost:{}/").discard()
    assert len(server.requests) == 1


def test_an_address_is_not_looked_up(pool: HttpPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """An IP address is not looked up, so that only the backend can delay a callback."""

    def look_up(*args: object) -> None:
        raise AssertionError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with ScriptedServer(answer(OK)) as server:
        ask(pool, server).discard()
    assert len(server.requests) == 1
