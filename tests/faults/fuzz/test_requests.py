"""Any bytes for the request parser and the chunk reader get a response with bounded work.

Hypothesis generates the bytes, so each run tests others, and shows a failure in its smallest form.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import errors
from gunicorn.http.unreader import Unreader
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway_shim.protocol import routes
from gateway_shim.protocol.http import MAX_REQUEST_BYTES, Refusal
from gateway_shim.protocol.stream_request import pack_request
from gateway_shim.server.options import base_options
from gateway_shim.server.requests.bad_request import bad_request
from gateway_shim.server.requests.body import read_body
from gateway_shim.server.requests.header_rules import MAX_HEAD_BYTES
from gateway_shim.server.requests.request import ServerRequest, stream_request_of

fuzz = settings(max_examples=300, suppress_health_check=list(HealthCheck))

READ_AHEAD = 64 * 1024
"""The bytes that a reader may read beyond what it needs: the size of one read."""

MAX_RESPONSE_BYTES = 16 * 1024
"""The limit of a response to a refused request, in bytes."""


class Source(Unreader):
    """The bytes of a client, in pieces.

    Args:
        data: the bytes.
        sizes: the sizes of the pieces, in turn.
        endless: the bytes that are repeated without end after ``data``.

    Attributes:
        taken: the number of bytes that the reader has read so far.
    """

    def __init__(self, data: bytes, sizes: Sequence[int], endless: bytes = b"") -> None:
        super().__init__()
        self._data = io.BytesIO(data)
        self._sizes = list(sizes) or [1000]
        self._endless = endless
        self._turn = 0
        self.taken = 0

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next piece, and after the end of the data the endless bytes."""
        self._turn += 1
        piece = self._data.read(self._sizes[self._turn % len(self._sizes)]) or self._endless
        self.taken += len(piece)
        if self.taken > 16 * MAX_REQUEST_BYTES:
            raise AssertionError("the reader does not stop")
        return piece


class Socket:
    """A socket that accepts only ``100 Continue``."""

    def sendall(self, data: bytes) -> None:
        """Check that the bytes are ``100 Continue``."""
        assert data == b"HTTP/1.1 100 Continue\r\n\r\n"


def config() -> Config:
    """Return gunicorn's configuration with our options."""
    made = Config()
    for name, value in base_options("127.0.0.1", 1, drain_seconds=1).items():
        made.set(name, value)
    return made


CONFIG = config()


def assert_refused(exc: Exception) -> None:
    """Check that an exception is an error of the client, and that its response is short JSON."""
    if isinstance(exc, errors.NoMoreData):  # the client has hung up
        return
    refusal = bad_request(exc)
    assert refusal is not None, repr(exc)
    assert_is_contract_error(refusal)


def assert_is_contract_error(refusal: Refusal) -> None:
    """Check that a refusal has the form that the contract requires."""
    assert 400 <= refusal.status < 600
    assert set(json.loads(refusal.body)["error"]) == {"code", "message"}
    assert len(refusal.body) <= MAX_RESPONSE_BYTES


# ------------------------------------------------------------------ heads

LINES = st.one_of(
    st.sampled_from(
        [
            b"GET / HTTP/1.1",
            b"GET /api/sse/stream?request_id=a HTTP/1.1",
            b"POST /api/tasks HTTP/1.1",
            b"GET http://x/y HTTP/1.1",
            b"OPTIONS * HTTP/1.1",
            b"CONNECT a:1 HTTP/1.1",
            b"GET / HTTP/1.0",
            b"GET /",
            b"PRI * HTTP/2.0",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2",
            b"Host: localhost",
            b"host: second",
            b"Host:",
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: gzip, chunked",
            b"Transfer-Encoding: chunked, chunked",
            b"Content-Length: 5",
            b"Content-Length: +5",
            b"Content-Length: " + b"9" * 5000,
            b"Expect: 100-continue",
            b"Expect: everything",
            b"Connection: keep-alive, Upgrade",
            b"Upgrade: h2c",
            b"X-Forwarded-Proto: https",
            b"X-Forwarded-For: 192.0.2.1, unknown, [::1]:5",
            b"Forwarded: for=" + b'"' * 50,
            b"SCRIPT_NAME: /x",
            b" folded",
            b": no name",
            b"No-Colon",
            b"Tab:\ta\tb\t",
            b"Latin: \xe9\xff",
            b"NUL: a\0b",
            b"Cookie: " + b"a=b; " * 500,
        ]
    ),
    st.binary(max_size=40),
    st.builds(lambda part, times: part * times, st.binary(max_size=4), st.integers(0, 20_000)),
)
ENDS = st.sampled_from([b"\r\n"] * 6 + [b"\n", b"\r", b"", b"\r\n\r\n", b"\n\n", b"\r\r\n"])
HEADS = st.lists(st.tuples(LINES, ENDS).map(b"".join), max_size=12).map(b"".join)
SIZES = st.lists(st.integers(1, 5000), max_size=4)
GOOD_STARTS = st.sampled_from(
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n",
        b"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\n",
    ]
)


@fuzz
@example(
    b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"\xff" * 15_000 + b"\r\n\r\n", [1000], b"a"
)
@example(b"", b"GET /" + b"a" * 8190, [8192], b"a")
@example(b"", b"GET / HTTP/1.1\r\n", [100], b"a: b\r\n")
@given(GOOD_STARTS, HEADS, SIZES, st.sampled_from([b"", b"a", b"\n", b"a: b\r\n", b"\r\n"]))
def test_any_head(start: bytes, rest: bytes, sizes: list[int], endless: bytes) -> None:
    """Any head is parsed or refused, and no more is read than the limit of a head."""
    source = Source(start + rest, sizes, endless * 1000)
    try:
        request: Any = ServerRequest(CONFIG, source, ("192.0.2.1", 1))
    except StopIteration:
        assert not source.taken  # the client has sent nothing
    except (errors.ParseException, errors.NoMoreData) as exc:
        assert_refused(exc)
    else:
        assert sum(len(name) + len(value) for name, value in request.headers) <= MAX_HEAD_BYTES
        routes.route(request.method, request.uri)
        packed = pack_request(stream_request_of(request, ("192.0.2.1", 1), ("127.0.0.1", 80)))
        assert len(packed) <= 8 * MAX_HEAD_BYTES
        assert request.declared_length >= 0
    assert source.taken <= 2 * MAX_HEAD_BYTES + READ_AHEAD


# ------------------------------------------------------------------ bodies


def body_of(
    data: bytes, sizes: Sequence[int], endless: bytes = b""
) -> tuple[Refusal | Exception | bytes, Source]:
    """Read a chunked body as the worker does, and return the outcome and the rest of the source."""
    head = b"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    source = Source(head + data, sizes, endless)
    request: Any = ServerRequest(CONFIG, source, ("192.0.2.1", 1))
    try:
        refusal = read_body(request, Socket())
    except (errors.ParseException, errors.NoMoreData) as exc:
        return exc, source
    return (request.body.read() if refusal is None else refusal), source


SPELLINGS: list[Callable[[int], bytes]] = [
    lambda size: b"%x" % size,
    lambda size: b"%X" % size,
    lambda size: b"000%x" % size,
]
CHUNKS = st.lists(
    st.tuples(
        st.one_of(
            st.binary(min_size=1, max_size=300),
            st.integers(1, 40_000).map(lambda size: b"\r\n0\r\n\r\n" * (size // 7 + 1)),
        ),
        st.sampled_from(SPELLINGS),
        st.sampled_from([b"", b";a", b";name=value", b';q="x y"']),
    ),
    max_size=8,
)


def encoded(chunks: list[tuple[bytes, Callable[[int], bytes], bytes]]) -> bytes:
    """Encode chunks as in RFC 9112, with the last chunk."""
    return b"".join(
        spell(len(data)) + extension + b"\r\n" + data + b"\r\n" for data, spell, extension in chunks
    ) + (b"0\r\n\r\n")


@fuzz
@given(CHUNKS, SIZES)
def test_any_chunked_body(
    chunks: list[tuple[bytes, Callable[[int], bytes], bytes]], sizes: list[int]
) -> None:
    """A chunked body is read unchanged however it is cut, without bytes of the next request."""
    body, source = body_of(encoded(chunks) + b"GET /next", sizes, endless=b"")
    assert body == b"".join(data for data, _, _ in chunks)
    rest = source.take_buffered() + source._data.read()
    assert rest == b"GET /next"


BROKEN = st.one_of(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    *(b"1", b"\r\n", b"\n", b"\r", b"0", b"a", b";", b"-1", b"0x1", b"+1", b" "),
                    *(b"\0", b"f" * 20, b"1\r\na\r\n", b"0\r\n\r\n", b"0\r\nTrailer: x\r\n"),
                    *(b"5\r\nab", b"1;" + b"x" * 8000 + b"\r\na\r\n", b"100001\r\n"),
                ]
            ),
            st.binary(max_size=6),
        ),
        max_size=20,
    ).map(b"".join),
    st.tuples(CHUNKS.map(encoded), st.integers(0, 1000), st.binary(min_size=1, max_size=2)).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :]
    ),
)


@fuzz
@example(b"", [1000], b"1\r\na\r\n" * 500)
@example(b"1;", [1000], b"x" * 8000)
@example(b"", [1000], b"1;" + b"x" * 8000 + b"\r\na\r\n")
@example(b"0\r\n", [1000], b"Trailer: " + b"x" * 1000 + b"\r\n")
@example(b"f" * 5000 + b"\r\n", [5000], b"")
@given(BROKEN, SIZES, st.sampled_from([b"", b"1\r\na\r\n" * 200, b"x" * 1000, b"\r\n" * 500]))
def test_any_bytes_as_a_chunked_body(data: bytes, sizes: list[int], endless: bytes) -> None:
    """Any bytes as a chunked body are refused, or are a body within its limit."""
    body, source = body_of(data, sizes, endless)
    if isinstance(body, bytes):
        assert len(body) <= MAX_REQUEST_BYTES
    elif isinstance(body, Refusal):
        assert_is_contract_error(body)
    else:
        assert_refused(body)
    # A megabyte in chunks of one byte is seven megabytes on the wire.
    assert source.taken <= 8 * MAX_REQUEST_BYTES


@pytest.mark.parametrize("length", [0, 1, MAX_REQUEST_BYTES, MAX_REQUEST_BYTES + 1])
def test_a_body_with_a_length(length: int) -> None:
    """No more is read than Content-Length says."""
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % length
    source = Source(head, [len(head)], b"x" * 1000)
    request: Any = ServerRequest(CONFIG, source, ("192.0.2.1", 1))
    refusal = read_body(request, Socket())
    assert source.taken <= len(head) + length + 1000
    if length > MAX_REQUEST_BYTES:
        assert refusal is not None
        assert refusal.status == 413
    else:
        assert (refusal, len(request.body.read())) == (None, length)
