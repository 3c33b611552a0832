"""The request of a browser."""

from __future__ import annotations

from app.bench.clients.browser import stream_request


def test_twelve_headers() -> None:
    """The request has a request line and twelve headers, as that of a real browser."""
    head, rest = stream_request(5000, 7).decode().split("\r\n\r\n")
    first, *headers = head.split("\r\n")
    assert rest == ""
    assert first == ("GET /api/sse/stream?request_id=5d1f2c9e-8a37-4e0b-9c64-000000000007 HTTP/1.1")
    assert len(headers) == 12
    assert headers[0] == "Host: 127.0.0.1:5000"


def test_each_is_its_own() -> None:
    """The request ID and the cookie differ from browser to browser."""
    one, other = (stream_request(5000, number).splitlines() for number in (1, 2))
    assert [a.split(b" ")[0] for a, b in zip(one, other, strict=True) if a != b] == [
        b"GET",
        b"Cookie:",
    ]


def test_last_event_id() -> None:
    """A browser that reconnects sends its last event ID as one header more."""
    plain = stream_request(5000, 7)
    assert stream_request(5000, 7, "ab-3") == plain[:-2] + b"Last-Event-ID: ab-3\r\n\r\n"
