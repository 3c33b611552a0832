"""The streams and URLs that make ``watch`` give up."""

from __future__ import annotations

import io

import pytest

from app.watch.command import stream_url, watch
from tests.app.watch.watch_run import WatchRun, event
from tests.support.http.scripted_server import ScriptedServer, answer, sse_answer


@pytest.mark.parametrize("location", [b"http://[bad", b"ftp://x/", b"/again"])
def test_a_redirect_to_nowhere(location: bytes) -> None:
    """A redirect that leads nowhere is reported in one line with status 1."""
    raw = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location
    run = WatchRun(*[answer(raw)] * 30)
    assert (run.status, run.pauses, len(run.messages)) == (1, [], 1)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h", "http://h/api/sse/stream?request_id=ID"),
        ("https://h:1/", "https://h:1/api/sse/stream?request_id=ID"),
        ("http://u:p@[::1]:1/?a=b", "http://u:p@[::1]:1/api/sse/stream?a=b&request_id=ID"),
        ("http://h/x/y?a=b#c", "http://h/x/y?a=b&request_id=ID"),
        ("http://h/?request_id=me", "http://h/api/sse/stream?request_id=me"),
        ("http://h/x?request_id=", "http://h/x?request_id="),
    ],
)
def test_stream_url(url: str, expected: str) -> None:
    """Missing parts of a URL are added; all others are kept."""
    assert stream_url(url, "ID") == expected


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("127.0.0.1:5000", "'127.0.0.1:5000' is not an http(s) URL; try http://127.0.0.1:5000"),
        ("localhost:5000", "is not an http(s) URL"),
        ("ftp://h/", "is not an http(s) URL"),
        ("", "is not an http(s) URL"),
        ("http://", "has no host"),
        ("http:///x", "has no host"),
        ("http://h:fish", "Port could not be cast"),
        ("http://h:99999", "Port out of range"),
        ("http://[::1", "Invalid IPv6 URL"),
        ("fish\x1b[2J", "'fish\\x1b[2J' is not an http(s) URL"),
    ],
)
def test_bad_url(url: str, words: str) -> None:
    """An invalid URL is reported in one line with status 1, and no request is sent."""
    out, err = io.StringIO(), io.StringIO()
    assert watch(url, out=out, err=err) == 1
    assert out.getvalue() == ""
    assert words in err.getvalue()
    assert err.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (b"404 Not Found", b'{"error": "no \\u001b[2J"}', "answered 404 Not Found: no \\x1b[2J"),
        (b"401 Unauthorized", b"", "answered 401 Unauthorized"),
        (b"200 OK", b"hello", "answered without a Content-Type, expected text/event-stream"),
    ],
)
def test_refused(status: bytes, body: bytes, words: str) -> None:
    """A refusal that is final is reported in one line with status 1."""
    raw = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
    run = WatchRun(answer(raw), path="/x")
    assert run.status == 1
    assert run.messages == [f"watch: URL/x?request_id=new-id {words}"]
    assert run.pauses == []


def test_rejected_inside_stream() -> None:
    """A ``rejected`` event, the refusal of the envelope dialect, ends ``watch``, too."""
    run = WatchRun(sse_answer(event("rejected", {"status": 401, "message": "Unauthorized"})))
    assert run.status == 1
    assert run.messages[1:] == [
        "watch: URL/api/sse/stream?request_id=new-id rejected the stream: 401 Unauthorized"
    ]


def test_password_is_not_shown() -> None:
    """A password in the URL is sent to the server and not printed."""
    err = io.StringIO()
    with ScriptedServer(answer(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")) as server:
        url = f"http://me:secret@127.0.0.1:{server.port}/x?request_id=1"
        assert watch(url, out=io.StringIO(), err=err) == 1
    assert err.getvalue() == (
        f"watch: http://127.0.0.1:{server.port}/x?request_id=1 answered 404 No\n"
    )
    assert b"\r\nAuthorization: Basic " in server.requests[0]


def test_a_host_that_cannot_be_a_name() -> None:
    """An impossible host name is reported in one line with status 1."""
    err = io.StringIO()
    assert watch(f"http://{'a' * 70}.com", out=io.StringIO(), err=err) == 1
    assert err.getvalue().count("\n") == 1
