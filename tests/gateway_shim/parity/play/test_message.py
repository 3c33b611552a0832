"""HTTP messages as bytes."""

from __future__ import annotations

import pytest

from gateway_shim.parity.play.message import Head, NotHttp, request_bytes


def test_a_request_is_written_exactly_as_given() -> None:
    """A request is written without additions, escapes or reordering."""
    request = request_bytes("GET", "/a//%zz", [("X-B", "\xe9"), ("x-a", "")], b"body", "1.0")
    assert request == b"GET /a//%zz HTTP/1.0\r\nX-B: \xe9\r\nx-a: \r\n\r\nbody"


def test_a_head_is_parsed_and_its_bytes_are_kept() -> None:
    """A head has its status, reason and headers in order, and joins repeated headers."""
    raw = b"HTTP/1.1 404 Not Found\r\nX-A: 1\r\nServer: x\r\nx-a: 2\r\n\r\n"
    head = Head.parse(raw)
    expected = Head(
        raw, "HTTP/1.1", 404, "Not Found", (("X-A", "1"), ("Server", "x"), ("x-a", "2"))
    )
    assert (head, head.get("X-a"), head.get("y")) == (expected, "1, 2", None)


@pytest.mark.parametrize("raw", [b"HTTP/1.1 20 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n"])
def test_an_invalid_head_is_refused(raw: bytes) -> None:
    """Bytes that are not a head raise an error that has the bytes."""
    with pytest.raises(NotHttp) as refused:
        Head.parse(raw)
    assert refused.value.received == raw
