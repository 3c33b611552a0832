"""The pauses of ``watch`` before it reconnects, and what it says about missed events."""

from __future__ import annotations

import io

import pytest

from app.watch.command import watch
from app.watch.following import pause_seconds, without_password
from gateway_shim.parity.ports import free_port
from tests.app.watch.watch_run import VERSION, WatchRun, event
from tests.support.http.scripted_server import answer, sse_answer


def test_pauses_grow_and_start_over() -> None:
    """Each failure doubles the pause; a stream that opens resets it."""
    busy = answer(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    run = WatchRun(
        busy, busy, sse_answer(VERSION), sse_answer(VERSION, final=False), busy, pauses=5
    )
    assert run.pauses == [2.0, 4.0, 1.0, 1.0, 2.0]
    assert run.messages == [
        "watch: answered 503 Busy; reconnecting in 2.0 s",
        "watch: answered 503 Busy; reconnecting in 4.0 s",
        "watch: connected to URL/api/sse/stream?request_id=new-id",
        "watch: the server ended the stream; reconnecting in 1.0 s",
        "watch: connected to URL/api/sse/stream?request_id=new-id",
        "watch: the connection broke: the answer was cut off in the middle; reconnecting in 1.0 s",
        "watch: answered 503 Busy; reconnecting in 2.0 s",
    ]
    assert len(run.lines) == 2


@pytest.mark.parametrize("name", ["server_restart", "connection_close"])
def test_server_says_when_to_come_back(name: str) -> None:
    """The reason of a shutdown is printed, and the server's ``retry:`` is the pause.

    A log stream ends with ``connection_close``: a person who watches it wants to see the next
    server's lines, too.
    """
    goodbye = b"retry: 7500\n" + event(name, {"reason": "server_shutdown"})
    run = WatchRun(sse_answer(goodbye))
    assert run.pauses == [7.5]
    assert run.lines == [f'{name} {{"reason":"server_shutdown"}}']
    assert run.messages[1] == (
        "watch: the server ended the stream (server_shutdown); reconnecting in 7.5 s"
    )


@pytest.mark.parametrize(("digits", "pause"), [("300000", 300.0), ("9999999999", 300.0)])
def test_a_retry_of_many_digits_is_a_long_one(digits: str, pause: float) -> None:
    """A very long ``retry:`` counts as five minutes."""
    assert WatchRun(sse_answer(f"retry: {digits}\n\n".encode())).pauses == [pause]


@pytest.mark.parametrize(
    ("value", "pause"),
    [
        (b"7", 7.0),
        (b"0", 2.0),
        (b"1", 2.0),
        (b"99999999999", 300.0),
        (b"Thu, 01 Jan 1970 00:00:09 GMT", 9.0),
        (b"Thu, 01 Jan 1970 00:00:00 GMT", 2.0),
        (b"tomorrow", 2.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after(status: int, value: bytes, pause: float) -> None:
    """An answer's ``Retry-After`` lengthens the pause, to five minutes at most."""
    raw = b"HTTP/1.1 %d Hm\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n" % (status, value)
    run = WatchRun(answer(raw), answer(raw.replace(b"Retry-After", b"X")), pauses=2)
    assert run.pauses == [pause, 4.0]


def test_an_impossible_status() -> None:
    """After a status that HTTP does not have, ``watch`` reconnects."""
    raw = b"HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n"
    run = WatchRun(answer(raw))
    assert run.messages == [
        "watch: the server answered with the status 600; a final answer has one from 200 to 599; "
        "reconnecting in 2.0 s"
    ]


def test_no_server() -> None:
    """While no server listens, ``watch`` tries again with growing pauses."""
    err = io.StringIO()
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            raise KeyboardInterrupt

    url = f"http://127.0.0.1:{free_port()}"
    assert watch(url, out=io.StringIO(), err=err, sleep=pause, chance=lambda: 1.0) == 0
    assert waited == [3.0, 6.0, 12.0]
    assert err.getvalue().startswith("watch: Connection refused; reconnecting in 3.0 s\n")


@pytest.mark.parametrize(
    ("failures", "retry", "chance", "seconds"),
    [
        (0, None, 0.0, 1.0),
        (0, None, 1.0, 1.5),
        (3, None, 0.5, 10.0),
        (1000, None, 0.0, 30.0),
        (0, 8.0, 0.0, 8.0),
        (5, 8.0, 0.0, 30.0),
        (5, 60.0, 0.0, 60.0),
        (0, 0.0, 0.0, 0.5),
        (9, 1e9, 1.0, 450.0),
    ],
)
def test_pause(failures: int, retry: float | None, chance: float, seconds: float) -> None:
    """A pause grows, is random in part, is not shorter than the server asks, and has limits."""
    assert pause_seconds(failures, retry, chance) == seconds


def numbered(number: int) -> bytes:
    """Encode an event with an id, as the backend replays it."""
    return f"id: e-{number}\n".encode() + event("n", number)


START = b": heartbeat\nid: e-0\n\n"
"""The block with which the backend begins a stream that had no cursor."""


def test_resumes_and_says_how_many_events_it_caught_up_with() -> None:
    """The events before ``version`` are counted as caught up with. Lone ids show nothing."""
    run = WatchRun(
        sse_answer(START + numbered(1) + VERSION),
        sse_answer(numbered(2), numbered(3) + VERSION + numbered(4)),
        sse_answer(b": heartbeat\nid: e-7\n\n", VERSION),
        sse_answer(numbered(8), VERSION),
        pauses=4,
    )
    version = 'version    {"version":"1"}'
    assert run.lines == [
        "n          1",
        version,
        "n          2",
        "n          3",
        version,
        "n          4",
        version,
        "n          8",
        version,
    ]
    assert [line for line in run.messages if "connect" not in line] == [
        "watch: caught up with 2 events",
        "watch: caught up with 1 event",
    ]
    sent = [b"Last-Event-ID: e-%d\r\n" % number for number in (1, 4, 7)]
    assert b"Last-Event-ID" not in run.requests[0]
    for request, header in zip(run.requests[1:], sent, strict=True):
        assert header in request


def test_catching_up_goes_on_after_a_cut() -> None:
    """A stream that is cut during its replay is resumed, and the count goes on."""
    run = WatchRun(
        sse_answer(numbered(2), final=False),
        sse_answer(numbered(3), VERSION),
        last_id="e-1",
        pauses=2,
    )
    assert run.messages[-2] == "watch: caught up with 2 events"


def test_resumes_after_an_id_from_outside() -> None:
    """The first stream resumes after the given ID."""
    run = WatchRun(sse_answer(numbered(2) + VERSION), last_id="e-1", task_id="x")
    assert b"Last-Event-ID: e-1\r\n" in run.requests[0]
    assert (run.lines, run.messages[1]) == ([], "watch: caught up with 1 event")


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("too_old", "the server no longer keeps them"),
        ("lagging", "this client reads more slowly than the server sends"),
        ("so\x1b", "so\\x1b"),
    ],
)
def test_says_that_events_were_missed(reason: str, text: str) -> None:
    """The event ``resync`` is explained, and ends the count."""
    resync = b"id: e-9\n" + event("resync", {"reason": reason})
    run = WatchRun(sse_answer(resync, numbered(10)), last_id="e-1")
    assert run.messages[1:-1] == [f"watch: events were missed: {text}"]
    assert len(run.lines) == 2


def test_without_password() -> None:
    """A message shows a URL without the user name and the password."""
    assert without_password("http://me:secret@h:1/x?y") == "http://h:1/x?y"
