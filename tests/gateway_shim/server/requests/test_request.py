"""Requests as gunicorn parses them with this package's classes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import gevent
import pytest
from gunicorn.config import Config
from gunicorn.http import errors
from gunicorn.http.unreader import IterUnreader

from gateway_shim.protocol import stream_request
from gateway_shim.server.requests.header_rules import MAX_HEAD_BYTES, MissingHost, RepeatedHost
from gateway_shim.server.requests.request import (
    MAX_RECEIVED_BYTES,
    ServerRequest,
)
from tests.gateway_shim.server.requests.parsed_request import parse, settings


def test_headers_as_node_shows_them() -> None:
    """Repeated headers are joined by Node's rules; gunicorn alone would answer 400."""
    request = parse(
        "Host: first",
        "Content-Type: a/b",
        "Content-Type: c/d",
        "X-Dup: 1",
        "X-Dup: 2",
        "Cookie: a=b",
        "cookie: c=d",
        "User-Agent: u1",
        "User-Agent: u2",
        "x_under_score: kept",
        "X-Latin: \xe9",
        "X-Empty:",
    )
    assert request.uri == "/a//b?c"
    assert stream_request.join_headers(request.headers) == {
        "host": "first",
        "content-type": "a/b",
        "x-dup": "1, 2",
        "cookie": "a=b; c=d",
        "user-agent": "u1",
        "x_under_score": "kept",
        "x-latin": "\xe9",
        "x-empty": "",
    }


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        ([], 0),
        (["Content-Length: 0"], 0),
        (["content-length: 12"], 12),
        (["Transfer-Encoding: chunked"], 0),
    ],
)
def test_declared_length(lines: list[str], length: int) -> None:
    """declared_length is the Content-Length, or 0."""
    assert parse("Host: h", *lines, start="POST / HTTP/1.1").declared_length == length


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 1", "Content-Length: 1"],
        ["Content-Length: 1", "Content-Length: 2"],
        ["Content-Length: 1x"],
        ["Content-Length: -1"],
        ["Content-Length: 1", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    ],
)
def test_what_could_smuggle_a_request_is_refused(lines: list[str]) -> None:
    """A request that a proxy in front could read differently is refused."""
    with pytest.raises(errors.ParseException):
        parse("Host: h", *lines, start="POST / HTTP/1.1")


def test_expects_continue() -> None:
    """expects_continue() is true only once."""
    request = parse("Host: h", "Expect: 100-continue", "Content-Length: 1", start="POST / HTTP/1.1")
    assert [request.expects_continue(), request.expects_continue()] == [True, False]
    assert parse("Host: h").expects_continue() is False


def head_of(size: int) -> list[str]:
    """Return headers that, together with the target ``/a//b?c``, have a number of bytes."""
    lines = ["Host: h", *(f"X-{number}: " + "x" * 4000 for number in range(4))]
    rest = size - len("/a//b?c") - sum(len(line) - len(": ") for line in lines)
    return [*lines, f"Y: {'y' * (rest - 1)}"]


def test_head_is_bounded() -> None:
    """The size of target and headers together has an exact limit."""
    assert MAX_HEAD_BYTES == 16_384
    parse(*head_of(MAX_HEAD_BYTES - 1))
    with pytest.raises(errors.LimitRequestHeaders):
        parse(*head_of(MAX_HEAD_BYTES))


def test_target_is_bounded() -> None:
    """A long target has no separate limit."""
    parse("Host: h", start=f"GET /{'x' * 16_300} HTTP/1.1")
    with pytest.raises(errors.LimitRequestHeaders):
        parse("Host: h", start=f"GET /{'x' * 16_400} HTTP/1.1")


def test_number_of_headers_is_bounded() -> None:
    """As many headers as in Node are accepted."""
    assert len(parse("Host: h", *["a:"] * 1999).headers) == 2000
    with pytest.raises(errors.LimitRequestHeaders):
        parse("Host: h", *["a:"] * 2000)


@pytest.mark.parametrize("start", ["", "GET / HTTP/1.1\r\n"], ids=["line", "headers"])
def test_separators_are_bounded(start: str) -> None:
    """The bytes that do not count toward the head are limited as well."""
    endless = b"\r\n" if not start else b"a:   \r\n"
    pieces = itertools.chain([start.encode()] if start else [], itertools.repeat(endless * 100))
    taken = itertools.count()
    source = IterUnreader(piece for piece in pieces if next(taken) is not None)
    with pytest.raises(errors.LimitRequestHeaders):
        ServerRequest(settings(), source, ("192.0.2.1", 1))
    assert next(taken) * 100 * len(endless) <= MAX_RECEIVED_BYTES + 2 * 100 * len(endless)


@pytest.mark.parametrize("lines", [0, 1, 2, 7, 500])
def test_empty_lines_before_a_request(lines: int) -> None:
    """Empty lines before a request are skipped (RFC 9112, section 2.2)."""
    request = parse("Host: h", start="\r\n" * lines + "GET /x HTTP/1.1", body=b"next")
    assert (request.method, request.uri) == ("GET", "/x")
    assert request.unreader.read() == b"next"


@pytest.mark.parametrize(
    "start",
    ["}}}", "\x16\x03\x01", "get / ", " GET", "A" * 21, "GET /x\n", "GET /x\rHost", "G\0", "\n"],
)
def test_what_begins_no_request_is_refused_at_once(start: str) -> None:
    """A line that cannot become a request line is refused before its end."""

    def pieces() -> Iterator[bytes]:
        yield start.encode("latin-1")
        raise AssertionError("more was read")

    with pytest.raises(errors.ParseException):
        ServerRequest(settings(), IterUnreader(pieces()), ("192.0.2.1", 1))


@pytest.mark.parametrize("version", ["HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/0.9", "HTTP/1.10"])
def test_other_versions(version: str) -> None:
    """Only HTTP/1.0 and HTTP/1.1 are accepted."""
    with pytest.raises(errors.InvalidHTTPVersion):
        parse("Host: h", start=f"GET /x {version}")


@pytest.mark.parametrize(
    "target", ["*", "http://", "http://h", "HTTP://h:80/p?q", "ftp://h/x", "http://[::1]:80/", "//"]
)
def test_targets(target: str) -> None:
    """A target of any valid form is passed on unchanged."""
    assert parse("Host: h", start=f"GET {target} HTTP/1.1").uri == target


@pytest.mark.parametrize(
    "target",
    [
        "://x",
        ":///x",
        "1http://h/x",
        "a+b://h/x",
        "x",
        "h:80",
        "http:/x",
        "http://<h>/x",
        "**",
        "http://h\\x/",
        "http://h#f",
        "?x",
        "#x",
        "http://[::1/x",
    ],
)
def test_no_targets(target: str) -> None:
    """A target without a valid form is refused."""
    with pytest.raises(errors.InvalidRequestLine):
        parse("Host: h", start=f"GET {target} HTTP/1.1")


@pytest.mark.parametrize(
    ("start", "values", "closes"),
    [
        ("GET / HTTP/1.1", [], False),
        ("GET / HTTP/1.1", ["close"], True),
        ("GET / HTTP/1.1", ["Upgrade, Close"], True),
        ("GET / HTTP/1.1", ["keep-alive", "close"], True),
        ("GET / HTTP/1.1", ["closed, not-close"], False),
        ("GET / HTTP/1.0", [], True),
        ("GET / HTTP/1.0", ["x , Keep-Alive"], False),
        ("GET / HTTP/1.0", ["keep-alive, close"], True),
        ("CONNECT h:80 HTTP/1.1", ["keep-alive"], True),
    ],
)
def test_should_close(start: str, values: list[str], closes: bool) -> None:
    """The Connection header can be a list, and can be repeated."""
    request = parse("Host: h", *(f"Connection: {value}" for value in values), start=start)
    assert request.should_close() is closes
    request.force_close()
    assert request.should_close() is True


@pytest.mark.parametrize("coding", ["gzip, chunked", "deflate,chunked", "compress, chunked"])
def test_transfer_codings_that_are_not_undone(coding: str) -> None:
    """A body that is compressed below the chunks is refused."""
    with pytest.raises(errors.UnsupportedTransferCoding):
        parse("Host: h", f"Transfer-Encoding: {coding}", start="POST / HTTP/1.1")
    parse("Host: h", "Transfer-Encoding: Chunked", start="POST / HTTP/1.1")


def test_expectations() -> None:
    """An unknown Expect is refused; HTTP/1.0 does not define Expect."""
    with pytest.raises(errors.ExpectationFailed):
        parse("Host: h", "Expect: x")
    assert parse("Expect: x", start="GET / HTTP/1.0").headers == [("EXPECT", "x")]


@pytest.mark.parametrize("peer", ["127.0.0.1", "192.0.2.1"])
def test_contradictory_schemes(peer: str) -> None:
    """Two different X-Forwarded-Proto headers do not refuse the request."""
    lines = ["X-Forwarded-Proto: https", "X-Forwarded-Proto: http"]
    request = parse("Host: h", *lines, peer=peer)
    assert stream_request.join_headers(request.headers)["x-forwarded-proto"] == "https, http"
    assert request.scheme == ("https" if peer == "127.0.0.1" else "http")


@pytest.mark.parametrize("lines", [["Host: a", "host: b"], ["Host: a", "Host: a"]])
@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_two_hosts(lines: list[str], version: str) -> None:
    """Two Host headers are refused."""
    with pytest.raises(RepeatedHost, match=r"^there is more than one Host header$"):
        parse(*lines, start=f"POST /x {version}")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_missing_host(method: str) -> None:
    """HTTP/1.1 needs a Host header; HTTP/1.0 does not."""
    with pytest.raises(MissingHost, match=r"^HTTP/1\.1 needs a Host header$"):
        parse("X-Host: h", start=f"{method} /x HTTP/1.1")
    with pytest.raises(MissingHost):
        parse("X: y", start=f"{method} http://h/x HTTP/1.1")
    assert parse(start=f"{method} /x HTTP/1.0").version == (1, 0)
    # A target without a host has an empty one (RFC 9112, section 3.2).
    assert parse("host:", start=f"{method} /x HTTP/1.1").headers == [("HOST", "")]


def test_the_last_request_of_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last request of a connection closes it, whatever the client wants."""
    assert not parse("Host: h", "Connection: keep-alive").should_close()
    monkeypatch.setattr(ServerRequest, "max_requests", 1)
    last = parse("Host: h", "Connection: keep-alive")
    assert (last.is_last, last.should_close()) == (True, True)


def test_a_head_in_small_pieces_lets_others_run() -> None:
    """Reading a head of one-byte TLS records yields to other greenlets."""
    config = Config()
    ran: list[int] = []
    gevent.spawn(ran.append, 1)
    data = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    ServerRequest(config, IterUnreader(bytes([byte]) for byte in data), ("192.0.2.1", 1))
    assert ran == [1]
