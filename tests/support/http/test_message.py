"""Tests of the strict HTTP parser, with messages that are whole and messages that are cut."""

from __future__ import annotations

import pytest

from tests.support.http.message import (
    Body,
    BrokenHTTP,
    ChunkedResponseBody,
    Ended,
    Head,
    LengthBody,
    UntilCloseBody,
)


def test_head_is_exact() -> None:
    """The order, case and repetition of headers are kept, without the space around values."""
    head = Head.parse(b"HTTP/1.1 200 OK\r\nX-a: 1\r\nx-A:  2 3 \r\nEmpty:\r\nB: \xe9")
    assert head == Head(
        "1.1", 200, "OK", [("X-a", "1"), ("x-A", "2 3"), ("Empty", ""), ("B", "\xe9")]
    )
    assert head.all("x-a") == ["1", "2 3"]
    assert head.get("b") == "\xe9"
    assert head.get("missing") is None
    with pytest.raises(BrokenHTTP, match="X-A occurs 2 times"):
        head.get("X-A")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/2 200 OK",
        b"HTTP/1.1 200",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 200 OK\nA: b",
        b"HTTP/1.1 200 OK\r\nA : b",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded",
        b"HTTP/1.1 200 OK\r\nno colon",
        b"HTTP/1.1 200 OK\r\nA: b\nB: c",
    ],
)
def test_malformed_head(raw: bytes) -> None:
    """A head that a correct server never writes raises an error."""
    with pytest.raises(BrokenHTTP):
        Head.parse(raw)


@pytest.mark.parametrize(
    ("lines", "method", "kind"),
    [
        ("", "GET", UntilCloseBody),
        ("Content-Length: 3", "GET", LengthBody),
        ("Transfer-Encoding: chunked", "GET", ChunkedResponseBody),
        ("Transfer-Encoding: chunked", "HEAD", LengthBody),
    ],
)
def test_framing(lines: str, method: str, kind: type[Body]) -> None:
    """The framing depends on the head and on the method of the request."""
    head = Head.parse("\r\n".join(filter(None, ["HTTP/1.1 200 OK", lines])).encode())
    assert type(Body.of(head, method)) is kind


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
        b"HTTP/1.1 200 OK\r\nContent-Length: -3",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3",
    ],
)
def test_contradictory_framing(raw: bytes) -> None:
    """A head with contradictory or invalid framing raises an error."""
    with pytest.raises(BrokenHTTP):
        Body.of(Head.parse(raw), "GET")


def test_answer_without_body() -> None:
    """The body of a 204 is complete without any bytes."""
    assert Body.of(Head.parse(b"HTTP/1.1 204 No Content"), "GET").complete


CHUNKED = b"3\r\nabc\r\n0A\r\n\r\n23456789\r\n0\r\n\r\n"


@pytest.mark.parametrize("cut", range(len(CHUNKED) + 1))
def test_chunks_cut_anywhere(cut: int) -> None:
    """Chunks do not depend on how their bytes arrive, and bytes after the last chunk are kept."""
    body = ChunkedResponseBody()
    payload = body.feed(CHUNKED[:cut]) + body.feed(CHUNKED[cut:] + b"HTTP")
    assert (payload, body.chunks, body.complete, body.rest) == (
        b"abc\r\n23456789",
        [b"abc", b"\r\n23456789"],
        True,
        b"HTTP",
    )
    assert body.eof() is Ended.CLEAN


@pytest.mark.parametrize(
    "raw",
    [
        b"x",
        b"\r\n",
        b"3;a=b\r\n",
        b" 3\r\n",
        b"-1\r\n",
        b"3\nabc",
        b"3\r\nabcd\r\n",
        b"3\r\nabc0\r\n",
        b"0\r\nTrailer: 1\r\n\r\n",
        b"123456789\r\n",
        b"0" * 16,
    ],
)
def test_malformed_chunks(raw: bytes) -> None:
    """Wrong chunk framing raises an error, whole or byte by byte."""
    with pytest.raises(BrokenHTTP):
        ChunkedResponseBody().feed(raw)
    single = ChunkedResponseBody()
    with pytest.raises(BrokenHTTP):  # noqa: PT012 - any of the bytes
        for i in range(len(raw)):
            single.feed(raw[i : i + 1])


@pytest.mark.parametrize("cut", range(len(CHUNKED)))
def test_missing_final_chunk(cut: int) -> None:
    """A connection that ends before the last byte of the final chunk has not ended cleanly."""
    body = ChunkedResponseBody()
    body.feed(CHUNKED[:cut])
    assert body.eof() is Ended.EOF


def test_length_body() -> None:
    """A body of known length ends with its last byte, and the rest belongs to the next response."""
    body = LengthBody(3)
    assert (body.feed(b"ab"), body.complete, body.eof()) == (b"ab", False, Ended.EOF)
    assert (body.feed(b"cde"), body.complete, body.rest) == (b"c", True, b"de")
    assert body.eof() is Ended.CLEAN


def test_close_delimited_body() -> None:
    """A body without framing ends cleanly with the connection."""
    body = UntilCloseBody()
    assert (body.feed(b"ab"), body.complete) == (b"ab", False)
    assert (body.eof(), body.complete) == (Ended.CLEAN, True)
