"""Tests of the HTTP client: servers that give no answer, or no body."""

from __future__ import annotations

import gzip
import threading

import gevent
import pytest

from gateway_shim.errors import (
    AnswerTimeout,
    BadURL,
    RequestFailed,
)
from gateway_shim.http_client.client import HttpClient
from gateway_shim.parity.ports import free_port
from tests.gateway_shim.http_client.requests_to_scripts import OK, SHORT, ask
from tests.support.http.odd_answers import INTERIM
from tests.support.http.scripted_server import ScriptedServer, answer
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "url",
    [
        "",
        "no url",
        "ftp://127.0.0.1/",
        "http://",
        "http://[::1/",
        "http://\ud800/",
        "http://\0/",
        "http://h:99999/",
        "http://h:x/",
        f"http://{'a' * 70}.example/",
    ],
)
def test_an_invalid_url(url: str) -> None:
    """An invalid URL is an error that does not repeat the URL, which may contain a secret."""
    with HttpClient() as client, pytest.raises(BadURL, match="is not an http"):
        client.request("GET", url, seconds=TIME_LIMIT)


def test_a_refused_connection() -> None:
    """A refused connection is an error in the words of the operating system."""
    with HttpClient() as client, pytest.raises(RequestFailed, match=r"^Connection refused$"):
        client.request("GET", f"http://127.0.0.1:{free_port()}/?secret=s", seconds=TIME_LIMIT)


def test_a_reset() -> None:
    """A reset connection is an error in the words of the operating system."""
    with (
        ScriptedServer(answer(reset=True)) as server,
        pytest.raises(RequestFailed, match=r"^Connection reset by peer$"),
    ):
        ask(server)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX: ", INTERIM["102"]])
def test_no_answer_in_time(start: bytes) -> None:
    """A head that is not complete in time is an error, however much of it has arrived."""
    hold = threading.Event()
    with ScriptedServer(answer(start, hold=hold)) as server, HttpClient() as client:
        with pytest.raises(AnswerTimeout, match=r"^no answer in time$"):
            client.request("GET", f"http://127.0.0.1:{server.port}/", seconds=SHORT)
        hold.set()


def test_a_body_that_does_not_come() -> None:
    """The time limit applies to each read of the body."""
    hold = threading.Event()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    with ScriptedServer(answer(head, hold=hold)) as server, HttpClient() as client:
        with client.request("GET", f"http://127.0.0.1:{server.port}/", seconds=1.0) as got:
            for read in (got.read, got.read_some):
                with pytest.raises(RequestFailed):
                    read(10)
            got.discard()
        hold.set()


@pytest.mark.parametrize(
    ("head", "body", "words"),
    [
        (b"Content-Length: 10", b"short", "the answer was cut off in the middle"),
        (b"Transfer-Encoding: chunked", b"5\r\nab", "the answer was cut off in the middle"),
        (b"Transfer-Encoding: chunked", b"fish\r\n", "the answer was cut off in the middle"),
        (b"Content-Encoding: gzip\r\nContent-Length: 3", b"xyz", "Received response with content"),
    ],
)
def test_a_body_that_breaks(head: bytes, body: bytes, words: str) -> None:
    """Each broken body has its own error, which only a caller that reads the body gets."""
    raw = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body

    def read_to_end(name: str) -> None:
        with (
            ScriptedServer(answer(raw)) as server,
            HttpClient() as client,
            client.request("GET", f"http://127.0.0.1:{server.port}/", seconds=TIME_LIMIT) as got,
        ):
            while getattr(got, name)(100):
                pass

    for name in ("read", "read_some"):
        with pytest.raises(RequestFailed) as raised:
            read_to_end(name)
        assert str(raised.value).startswith(words)
    with ScriptedServer(answer(raw)) as server, HttpClient() as client:
        client.request("GET", f"http://127.0.0.1:{server.port}/", seconds=TIME_LIMIT).discard()


def test_a_compressed_body() -> None:
    """A compressed body is decompressed, up to the limit of the read."""
    body = gzip.compress(b"x" * 100_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    with ScriptedServer(answer(head + body)) as server, HttpClient() as client:
        url = f"http://127.0.0.1:{server.port}/"
        with client.request("GET", url, seconds=TIME_LIMIT) as got:
            assert got.read(1000) == b"x" * 1000


@pytest.mark.parametrize("given_up", [False, True])
def test_an_outer_time_limit(given_up: bool) -> None:
    """A caller's gevent.Timeout works at any moment, and the client can be used afterwards."""
    hold = threading.Event()
    with ScriptedServer(answer(hold=hold), answer(OK)) as server, HttpClient() as client:
        url = f"http://127.0.0.1:{server.port}/"
        if given_up:
            with pytest.raises(gevent.Timeout), gevent.Timeout(SHORT):
                client.request("GET", url, seconds=TIME_LIMIT)
        else:
            with pytest.raises(AnswerTimeout):
                client.request("GET", url, seconds=SHORT)
        hold.set()
        assert client.request("GET", url, seconds=TIME_LIMIT).read(10) == b"{}"
