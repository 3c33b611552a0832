"""The decoder accepts and refuses the same bodies as gunicorn's reader, in bounded steps."""

from __future__ import annotations

import pytest
from gunicorn.config import Config
from gunicorn.http import errors
from gunicorn.http.body import ChunkedReader
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from hypothesis import example, given
from hypothesis import strategies as st

from gateway_shim.server.requests.chunked_body import (
    FREE_FRAMING_BYTES,
    MAX_EXTENSION_BYTES,
    MAX_LINE_BYTES,
    MAX_TRAILER_BYTES,
    ChunkedBody,
)

REFUSED = (errors.ParseException, errors.NoMoreData)


def decode(wire: bytes, step: int = 8192) -> tuple[bytes, bytes, bytes]:
    """Decode a body in pieces; return the body, the trailers, and the following bytes."""
    decoder, body = ChunkedBody(), b""
    at = 0
    while not decoder.finished:
        body += decoder.feed(wire[at : at + step])
        at += step
    return body, decoder.trailers, decoder.rest + wire[at:]


def gunicorn_decode(wire: bytes, step: int = 8192) -> tuple[bytes, bytes]:
    """Decode a body with gunicorn; return the body and the following bytes."""
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [head, *(wire[at : at + step] for at in range(0, len(wire), step))]
    request = Request(Config(), IterUnreader(pieces), ("192.0.2.1", 1))
    assert isinstance(request.body.reader, ChunkedReader)
    body = request.body.read()
    rest = b""
    while piece := request.unreader.read():
        rest += piece
    return body, rest


def test_a_body_is_joined_from_its_chunks() -> None:
    """A chunk size is hexadecimal in either case; bytes after the body are not consumed."""
    wire = b"3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\nGET /next"
    for step in (1, 2, 3, 8192):
        assert decode(wire, step) == (b"abc0123456789", b"", b"GET /next")


def test_extensions_and_trailers() -> None:
    """Extensions and trailers are accepted; trailers are returned unchanged."""
    wire = b'1;a;b=c ; d="e\\"f"\r\nx\r\n0;z\r\nA: b\r\nC: d\r\n\r\nrest'
    for step in (1, 7, 8192):
        assert decode(wire, step) == (b"x", b"A: b\r\nC: d", b"rest")


@pytest.mark.parametrize(
    ("wire", "error"),
    [
        (b"x\r\n", errors.InvalidChunkSize),
        (b"\r\n", errors.InvalidChunkSize),
        (b"+1\r\na\r\n0\r\n\r\n", errors.InvalidChunkSize),
        (b"0x1\r\na\r\n0\r\n\r\n", errors.InvalidChunkSize),
        (b" 1\r\na\r\n0\r\n\r\n", errors.InvalidChunkSize),
        (b"1 \r\na\r\n0\r\n\r\n", errors.InvalidChunkSize),
        (b"1_0\r\n", errors.InvalidChunkSize),
        (b"1\na\r\n0\r\n\r\n", errors.InvalidChunkSize),
        (b"1\r\nab\r\n0\r\n\r\n", errors.ChunkMissingTerminator),
        (b"1\r\na\n0\r\n\r\n", errors.ChunkMissingTerminator),
        (b"1\r\na\r0\r\n\r\n", errors.ChunkMissingTerminator),
        (b"1;\r\na\r\n0\r\n\r\n", errors.InvalidChunkExtension),
        (b"1;a\rb\r\na\r\n0\r\n\r\n", errors.InvalidChunkExtension),
        (b"1;a=\x00\r\na\r\n0\r\n\r\n", errors.InvalidChunkExtension),
        (b"0\r\nA: b\n\r\n", errors.InvalidHeader),
        (b"0\r\n", errors.ChunkMissingTerminator),
        (b"0\r\nA: b\r\n", errors.ChunkMissingTerminator),
        (b"5\r\nab", errors.NoMoreData),
        (b"1\r\na", errors.NoMoreData),
        (b"", errors.NoMoreData),
    ],
)
@pytest.mark.parametrize("step", [1, 8192])
def test_what_is_malformed_is_refused(wire: bytes, error: type[Exception], step: int) -> None:
    """A malformed body raises gunicorn's error."""
    with pytest.raises(error):
        decode(wire, step)


def test_no_line_without_end() -> None:
    """The line with a chunk's size is limited, even before its end has arrived."""
    fits = b"0" * (MAX_LINE_BYTES - 1) + b"1\r\na\r\n0\r\n\r\n"
    assert decode(fits)[0] == b"a"
    for wire in (b"0" + fits, b"0" * (MAX_LINE_BYTES + 2)):
        with pytest.raises(errors.InvalidChunkSize):
            ChunkedBody().feed(wire)


def test_extensions_of_all_chunks_together() -> None:
    """The size of all chunk extensions together is limited."""
    chunk = b"1;" + b"a" * 127 + b"\r\nx\r\n"
    most = MAX_EXTENSION_BYTES // 128
    assert decode(chunk * most + b"0\r\n\r\n")[0] == b"x" * most
    with pytest.raises(errors.InvalidChunkExtension, match="more than 1024 bytes"):
        decode(chunk * (most + 1))


def test_framing_costs_no_more_than_the_body() -> None:
    """A body in chunks of one byte is refused; in chunks of eight bytes it is accepted."""
    assert len(decode(b"8\r\n12345678\r\n" * 100_000 + b"0\r\n\r\n")[0]) == 800_000
    most = FREE_FRAMING_BYTES // 4
    assert len(decode(b"1\r\na\r\n" * (most - 1) + b"0\r\n\r\n")[0]) == most - 1
    with pytest.raises(errors.InvalidChunkSize):
        decode(b"1\r\na\r\n" * (most + 1))


def test_trailers_are_bounded() -> None:
    """The size of the trailers is limited."""
    line = b"A: " + b"b" * (MAX_TRAILER_BYTES - 3)
    assert decode(b"0\r\n" + line + b"\r\n\r\n")[1] == line
    for wire in (b"0\r\n" + line + b"c\r\n\r\n", b"0\r\n" + line + b"cccc"):
        with pytest.raises(errors.LimitRequestHeaders):
            decode(wire)


def test_a_size_is_announced_before_it_arrives() -> None:
    """The announced size of a chunk counts at once, so that a large body is refused early."""
    decoder = ChunkedBody()
    assert decoder.feed(b"2\r\nab\r\nffffff\r\ncd") == b"abcd"
    assert decoder.announced == 2 + 0xFFFFFF
    assert not decoder.finished


CHUNKS = st.lists(st.binary(min_size=1, max_size=40), max_size=20)
EXTENSIONS = st.sampled_from([b"", b";a", b" ; a=b", b';q="x;y"'])


@given(CHUNKS, EXTENSIONS, st.binary(max_size=30), st.integers(1, 50))
def test_a_valid_body_is_what_gunicorn_reads(
    chunks: list[bytes], extension: bytes, rest: bytes, step: int
) -> None:
    """A body can be split at any position."""
    wire = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    wire += b"0\r\n\r\n" + rest
    body, trailers, left = decode(wire, step)
    assert (body, trailers, left) == (b"".join(chunks), b"", rest)
    assert (body, left) == gunicorn_decode(wire, step)


@given(
    st.lists(
        st.sampled_from(
            [b"0", b"1", b"a", b"\r", b"\n", b"\r\n", b";", b"=", b'"', b" ", b":", b"x", b"\x00"]
        ),
        max_size=24,
    ),
    st.integers(1, 4),
)
@example([b"0", b"\r\n", b"x", b":", b"\r\n", b"\r\n"], 1)
def test_nothing_is_accepted_that_gunicorn_refuses(parts: list[bytes], step: int) -> None:
    """The decoder agrees with gunicorn's reader on generated bodies."""
    wire = b"".join(parts)
    try:
        expected: object = gunicorn_decode(wire)
    except REFUSED:
        expected = None
    try:
        body, trailers, rest = decode(wire, step)
        if trailers:  # gunicorn reads the lines, too; here whoever asked for the body does that
            head = b"POST / HTTP/1.1\r\n\r\n"
            request = Request(Config(), IterUnreader([head]), ("192.0.2.1", 1))
            request.parse_headers(trailers, from_trailer=True)
        actual: object = (body, rest)
    except REFUSED:
        actual = None
    assert actual == expected
