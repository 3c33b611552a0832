"""Tests of the head of an answer; the cases were decided by Node's fetch."""

from __future__ import annotations

import pytest

from gateway_shim.http_client.response_head import (
    MAX_FIELD_BYTES,
    BadAnswer,
    BodyEnd,
    StatusLine,
    body_end,
    parse_fields,
    parse_status_line,
)

CHUNKED = BodyEnd(True, None, False)
UNTIL_THE_END = BodyEnd(False, None, True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n", StatusLine(False, 200, "OK")),
        (b"HTTP/1.1 200 OK\n", StatusLine(False, 200, "OK")),
        (b"HTTP/1.0 200 OK\r\n", StatusLine(True, 200, "OK")),
        (b"HTTP/0.9 200 OK\r\n", StatusLine(True, 200, "OK")),
        (b"HTTP/1.1 401\r\n", StatusLine(False, 401, "")),
        (b"HTTP/1.1 401 \r\n", StatusLine(False, 401, "")),
        (b"HTTP/1.1 401  a b \r\n", StatusLine(False, 401, " a b ")),
        (b"HTTP/1.1 403 \xc3\xa9\r\n", StatusLine(False, 403, "é")),
        (b"HTTP/1.1 403 \xe9\r\n", StatusLine(False, 403, "�")),
        (b"HTTP/1.1 403 \xed\xa0\x80\xc3\r\n", StatusLine(False, 403, "����")),
        (b"HTTP/1.1 403 a\x00\x1b\x7f\r\n", StatusLine(False, 403, "a\x00\x1b\x7f")),
        (b"HTTP/1.1 999 X\r\n", StatusLine(False, 999, "X")),
    ],
)
def test_status_line(line: bytes, expected: StatusLine) -> None:
    """A status line has a version, a status, and a phrase in UTF-8, which may be empty."""
    assert parse_status_line(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/1.2 200 OK\r\n",
        b"HTTP/1.9 200 OK\r\n",
        b"HTTP/2 200 OK\r\n",
        b"HTTP/3.0 200 OK\r\n",
        b"HTTP/01.1 200 OK\r\n",
        b"HTTP/1.10 200 OK\r\n",
        b"HTTP/1. 200 OK\r\n",
        b"http/1.1 200 OK\r\n",
        b" HTTP/1.1 200 OK\r\n",
        b"ICY 200 OK\r\n",
        b"HTTP/1.1  200 OK\r\n",
        b"HTTP/1.1\t200 OK\r\n",
        b"HTTP/1.1 200\tOK\r\n",
        b"HTTP/1.1 200x OK\r\n",
        b"HTTP/1.1 20 OK\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 200 O\rK\r\n",
        b"HTTP/1.1 200 OK",
        b"\r\n",
        b"",
    ],
)
def test_no_status_line(line: bytes) -> None:
    """A malformed status line is an error in one printable line."""
    with pytest.raises(BadAnswer, match=r"^the server's answer is not HTTP/1: ") as raised:
        parse_status_line(line)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        ([], []),
        ([b"X: a\r\n", b"x:b\r\n"], [("X", "a"), ("x", "b")]),
        ([b"X:\r\n"], [("X", "")]),
        ([b"X:\t \ta\r\n"], [("X", "a")]),
        ([b"X: \xe9\xc3\xa9\tb\r\n"], [("X", "\xe9\xc3\xa9\tb")]),
        ([b"X: a\r\n", b" b\r\n", b"\tc\r\n"], [("X", "a b c")]),
        ([b"X:\r\n", b" 2\r\n"], [("X", "2")]),
        ([b"X: a\r\n", b" \r\n"], [("X", "a")]),
        ([b"X : a\r\n", b"X Y: b\r\n", b": c\r\n"], [("X ", "a"), ("X Y", "b"), ("", "c")]),
        ([b"!#$%&'*+-.^_`|~09aZ: a\r\n"], [("!#$%&'*+-.^_`|~09aZ", "a")]),
    ],
)
def test_fields(lines: list[bytes], fields: list[tuple[str, str]]) -> None:
    """Names and values stay in their order; a folded line belongs to the line before it."""
    assert parse_fields(lines) == fields


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense\r\n",
        b" folded: first\r\n",
        b"X\xe9: a\r\n",
        b"X(: a\r\n",
        b'X"y: a\r\n',
        b"X@: a\r\n",
        b"X: a\n",
        b"X: a\r\r\n",
        b"X: a\rb\r\n",
        *(b"X: a%cb\r\n" % code for code in (*range(9), 11, 12, *range(14, 32), 127)),
        *(b"X%cy: a\r\n" % code for code in (0, 1, 9, 31, 127)),
    ],
)
def test_malformed_fields(line: bytes) -> None:
    """A head with a malformed line is refused as a whole."""
    with pytest.raises(BadAnswer, match="malformed line among its headers"):
        parse_fields([line])
    if not line.startswith(b" "):
        with pytest.raises(BadAnswer, match="malformed line among its headers"):
            parse_fields([b"X: a\r\n", b" b\r\n", b"Y: c\r\n", line])


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        ([b"X: %b\r\n"], 1),
        ([b"Y: a\r\n", b"X: %b\r\n"], 3),
        ([b"X: a\r\n", b" %b\r\n"], 3),
    ],
)
def test_size(lines: list[bytes], size: int) -> None:
    """Names and values together must have less than 16 KiB, whatever their number is."""
    fits = b"a" * (MAX_FIELD_BYTES - 1 - size)
    parse_fields([line.replace(b"%b", fits) for line in lines])
    with pytest.raises(BadAnswer, match="16384 bytes of headers or more"):
        parse_fields([line.replace(b"%b", fits + b"a") for line in lines])
    assert len(parse_fields([b"X: a\r\n"] * 8000)) == 8000


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], UNTIL_THE_END),
        ([("Content-Length", "2")], BodyEnd(False, 2, False)),
        ([("content-length", "0002  ")], BodyEnd(False, 2, False)),
        ([("Content-Length", str(2**64 - 1))], BodyEnd(False, 2**64 - 1, False)),
        ([("Transfer-Encoding", "chunked")], CHUNKED),
        ([("Transfer-Encoding", "CHUNKED ")], CHUNKED),
        ([("Transfer-Encoding", "gzip, chunked")], CHUNKED),
        ([("Transfer-Encoding", "gzip"), ("Transfer-Encoding", "chunked")], CHUNKED),
        ([("Transfer-Encoding", "gzip")], UNTIL_THE_END),
        ([("Transfer-Encoding", "chunked, gzip")], UNTIL_THE_END),
        ([("Transfer-Encoding", ""), ("Content-Length", "2")], BodyEnd(False, 2, False)),
        ([("Content-Length", "2"), ("Connection", "x, Close")], BodyEnd(False, 2, True)),
        (
            [("Content-Length", "2"), ("Connection", "x"), ("Connection", "close")],
            BodyEnd(False, 2, True),
        ),
        ([("Content-Length ", "2")], UNTIL_THE_END),
    ],
)
def test_framing(fields: list[tuple[str, str]], expected: BodyEnd) -> None:
    """A body ends after its length, with its last chunk, or with the connection."""
    assert body_end(StatusLine(False, 200, ""), fields, "POST") == expected


@pytest.mark.parametrize(
    "fields",
    [
        *([("Content-Length", text)] for text in ("abc", "-5", "+2", "", "0x2", "2.0", "2, 2")),
        *([("Content-Length", text)] for text in ("2 2", "\t2", "2\t", str(2**64), "9" * 5000)),
        [("Content-Length", "2"), ("content-length", "2")],
        [("Content-Length", "2"), ("Content-Length", "3")],
        [("Content-Length", "2"), ("Transfer-Encoding", "chunked")],
        [("Transfer-Encoding", "chunked"), ("Content-Length", "2")],
        [("Transfer-Encoding", "identity"), ("Content-Length", "2")],
    ],
)
def test_lengths_that_cannot_be_trusted(fields: list[tuple[str, str]]) -> None:
    """Malformed and repeated lengths are errors, even if the status has no body."""
    for status in (200, 204):
        with pytest.raises(BadAnswer, match=r"Content-Length|length of its body"):
            body_end(StatusLine(False, status, ""), fields, "POST")


@pytest.mark.parametrize(("status", "method"), [(204, "POST"), (304, "POST"), (200, "HEAD")])
def test_answers_without_a_body(status: int, method: str) -> None:
    """Some answers have no body, whatever their headers say."""
    line = StatusLine(False, status, "")
    for fields in ([], [("Content-Length", "5")], [("Transfer-Encoding", "chunked")]):
        assert body_end(line, fields, method) == BodyEnd(False, 0, False)


@pytest.mark.parametrize(
    ("fields", "will_close"),
    [([], True), ([("Connection", "Keep-Alive")], False), ([("Keep-Alive", "timeout=5")], False)],
)
def test_http_1_0(fields: list[tuple[str, str]], will_close: bool) -> None:
    """A connection of HTTP/1.0 is kept only if the answer says so."""
    line = StatusLine(True, 200, "")
    framing = body_end(line, [("Content-Length", "0"), *fields], "POST")
    assert framing.will_close is will_close
