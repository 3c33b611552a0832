"""A head that is recognized without the parser is what the parser would have read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import IterUnreader
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bench.clients.browser import stream_request
from gateway_shim.parity.raw_steps import Raw, part_bytes
from gateway_shim.parity.scenarios import SCENARIOS
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.server.requests.ordinary_head import MAX_BYTES, MAX_HEADERS, ordinary_head
from gateway_shim.server.requests.request import ServerRequest, stream_request_of
from gateway_shim.server.requests.unwanted_body import announces_body
from tests.gateway_shim.server.requests import parsed_request

PEER = ("192.0.2.1", 1)
CONFIG = parsed_request.settings()
ORDINARY = b"GET /stream?request_id=x HTTP/1.1\r\nHost: a\r\n\r\n"

LINES = (
    "Host: a",
    "Host: a:8000",
    "host:\ta \t",
    "HOST: ",
    "Accept: text/event-stream",
    "Accept-Encoding: gzip, deflate",
    'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"',
    "Cookie: a=b; c=d",
    "Last-Event-ID: 0123-4",
    "Connection: keep-alive",
    "Connection: Close",
    "Connection: keep-alive, Upgrade",
    "Connection: Host",
    "Content-Length: 0",
    "Content-Length: 5",
    "Content-Length : 5",
    "content-length: +5",
    "Transfer-Encoding: chunked",
    "transfer-encoding: identity",
    "Transfer-Encoding:\x0bchunked",
    "Transfer_Encoding: chunked",
    "Content_Length: 5",
    "Trailer: Host",
    "TE: trailers",
    "Expect: 100-continue",
    "Expect: 200-ok",
    "Upgrade: h2c",
    "Upgrade: websocket",
    "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    "X-Forwarded-For: 192.0.2.7, 10.0.0.1",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Ssl: on",
    "SCRIPT_NAME: /x",
    "x_under_score: y",
    "Content-Type: a/b",
    "Set-Cookie: a=b",
    "X-Empty:",
    "X-Empty: \t ",
    "X-Latin: \xe9",
    "X-Nul: a\0b",
    "X-Bare: a\rb",
    "X-Bare: a\nb",
    "X-Delete: \x7f",
    " folded: yes",
    "\tfolded",
    "no colon",
    ": no name",
    "spaced name: x",
    'quoted"name: x',
    "GET / HTTP/1.1",
    "",
)
STARTS = (
    "GET /stream?request_id=x HTTP/1.1",
    "GET /a/b%20c?d=e&f#g HTTP/1.1",
    "GET /[x:y]?z=[ HTTP/1.1",
    "GET //host/path HTTP/1.1",
    "GET /\\x HTTP/1.1",
    "GET http://a/stream HTTP/1.1",
    "GET * HTTP/1.1",
    "GET  / HTTP/1.1",
    "GET /\xe9 HTTP/1.1",
    "GET /\x7f HTTP/1.1",
    "GET / HTTP/1.0",
    "GET / HTTP/2.0",
    "GET / HTTP/1.1 ",
    "GET /",
    "get / HTTP/1.1",
    "HEAD / HTTP/1.1",
    "POST / HTTP/1.1",
    "\r\nGET / HTTP/1.1",
)
ENDS = ("\r\n", "\n", "\r", " \r\n", "\r\n\r\n")


def check(data: bytes) -> bool:
    """Compare both readings of a head; return whether it was recognized without the parser."""
    head = ordinary_head(data)
    if head is None:
        return False
    parsed = ServerRequest(CONFIG, IterUnreader(iter([data])), PEER)  # raises if it refuses
    request = stream_request_of(parsed, PEER, ("127.0.0.1", 1))
    assert parsed.method == "GET"
    assert (head.target, head.headers) == (request.url, request.headers)
    assert list(head.headers) == list(request.headers)
    assert request.framing is StreamRequest("", {}).framing
    assert not announces_body(parsed)
    assert not parsed.expects_continue()
    return True


def refuses(data: bytes) -> bool:
    """Return whether the parser refuses a head."""
    try:
        ServerRequest(CONFIG, IterUnreader(iter([data])), PEER)
    except (ParseException, StopIteration):
        return True
    return False


def test_browser() -> None:
    """The heads of browsers are recognized, with a cursor and behind a proxy, too."""
    data = stream_request(8000, 7, "0123456789-4")
    assert check(data)
    head = ordinary_head(data)
    assert head is not None
    assert head.target.startswith("/api/sse/stream?request_id=")
    assert len(head.headers) == 13
    assert head.headers["last-event-id"] == "0123456789-4"
    assert check(data[:-2] + b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n\r\n")


def test_what_follows_is_ignored() -> None:
    """Bytes behind the head do not matter; a head that is not complete is not recognized."""
    assert check(ORDINARY + b"GET / HTTP/1.1\r\n")
    for size in range(len(ORDINARY)):
        assert ordinary_head(ORDINARY[:size]) is None


def test_limits() -> None:
    """Heads with very many headers or bytes are left to the parser, which accepts them."""
    filling = b"X: " + b"x" * (MAX_BYTES - len(ORDINARY) - 5) + b"\r\n\r\n"
    assert len(ORDINARY[:-2] + filling) == MAX_BYTES
    assert check(ORDINARY[:-2] + filling)
    assert not check(ORDINARY[:-2] + b"x" + filling)
    lines = [b"x-%d: 1\r\n" % number for number in range(MAX_HEADERS)]
    assert check(ORDINARY[:-2] + b"".join(lines[1:]) + b"\r\n")
    assert not check(ORDINARY[:-2] + b"".join(lines) + b"\r\n")


@pytest.mark.parametrize("line", [line for line in LINES if line])
def test_each_line(line: str) -> None:
    """A head with one special line is left to the parser, or means the same to both."""
    data = f"GET / HTTP/1.1\r\nX-First: 1\r\n{line}\r\nX-Last: 1\r\n\r\n".encode("latin-1")
    check(data)
    check(data.replace(b"X-Last", b"Host"))
    check(data.replace(b"X-First", b"Host"))


@pytest.mark.parametrize(
    "line",
    [
        "Content-Length: 0",
        "Transfer-Encoding: chunked",
        "Expect: 100-continue",
        "Upgrade: h2c",
        "Connection: upgrade",
        "Connection: close, te",
        "x_under_score: y",
        "host: b",
        "Accept: twice",
        "X-Latin: \xe9",
        "Set-Cookie: a=b",
    ],
)
def test_left_to_the_parser(line: str) -> None:
    """Lines that frame a body, change the protocol, or have a rule are left to the parser."""
    data = ORDINARY[:-2] + b"Accept: */*\r\n" + line.encode("latin-1") + b"\r\n\r\n"
    assert ordinary_head(data) is None


def scenario_requests() -> Iterator[bytes]:
    """Yield the raw requests of the contract kit."""
    for scenario in SCENARIOS:
        for step in scenario.steps:
            if isinstance(step, Raw):
                yield part_bytes(step.parts, "token")


def test_requests_of_the_contract_kit() -> None:
    """The raw requests of the kit are left to the parser, or mean the same to both."""
    data = list(scenario_requests())
    assert len(data) > 100
    recognized = [check(request) for request in data]
    assert any(recognized)
    assert not all(recognized)


@settings(max_examples=400, deadline=None)
@given(
    start=st.sampled_from(STARTS[:3]) | st.sampled_from(STARTS),
    lines=st.lists(st.sampled_from(LINES[:10]) | st.sampled_from(LINES), max_size=6),
    ends=st.lists(st.sampled_from(ENDS[:1] * 20 + ENDS), min_size=8, max_size=8),
)
def test_heads_of_such_lines(start: str, lines: list[str], ends: list[str]) -> None:
    """Any head of ordinary and special lines means the same to both, or is left to the parser."""
    text = "".join(line + end for line, end in zip([start, *lines, ""], ends, strict=False))
    check(text.encode("latin-1"))


@settings(max_examples=400, deadline=None)
@given(
    at=st.integers(0, 10_000),
    removed=st.integers(0, 3),
    added=st.binary(max_size=3) | st.sampled_from([b"\r\n", b"\n", b":", b" ", b"_", b"\r\n "]),
)
def test_damaged_heads(at: int, removed: int, added: bytes) -> None:
    """A browser's head with some bytes changed means the same to both, or is left to the parser."""
    data = stream_request(8000, 7)
    at %= len(data)
    check(data[:at] + added + data[at + removed :])


def test_what_the_parser_refuses() -> None:
    """The comparison is worth something: many of these heads are refused by the parser."""
    heads = [f"GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n".encode("latin-1") for line in LINES]
    refused = [head for head in heads if refuses(head)]
    assert len(refused) >= 15
    assert [head for head in refused if ordinary_head(head) is not None] == []
