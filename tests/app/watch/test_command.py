"""``watch``: what it prints, when it comes back, and when it gives up."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from app.watch.command import pause_seconds, stream_url, watch, watch_command
from tests.support.scripted import SSE_HEAD, Script, ScriptedServer, answer, chunk, sse_answer
from tests.support.server import ROOT, free_port
from tests.support.timing import TIME_LIMIT, wait_until


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment is for the world, not for loopback."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def event(name: str, data: Any) -> bytes:
    """An event as the backend writes it."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def task_event(task_id: str, kind: str, data: Any) -> bytes:
    """An event of a task as the backend writes it."""
    return event("task_event", {"event_type": kind, "task_id": task_id, "data": data})


VERSION = event("version", {"version": "1"})


class Watched:
    """One run of ``watch`` that ends, as by Ctrl-C, at its last allowed pause."""

    def __init__(
        self,
        *scripts: Script,
        pauses: int = 1,
        path: str = "",
        during: Callable[[Watched], None] | None = None,
        **options: Any,
    ) -> None:
        self.out = io.StringIO()
        self.err = io.StringIO()
        self.pauses: list[float] = []
        self._allowed = pauses
        with ScriptedServer(*scripts) as server:
            self.port = server.port
            helper = threading.Thread(target=lambda: during(self) if during else None)
            helper.start()
            self.status = watch(
                f"http://127.0.0.1:{server.port}{path}",
                out=self.out,
                err=self.err,
                sleep=self._pause,
                chance=lambda: 0.0,
                now=lambda: 0.0,
                new_id=lambda: "new-id",
                **options,
            )
            helper.join()
        self.requests = server.requests

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) == self._allowed:
            raise KeyboardInterrupt

    @property
    def lines(self) -> list[str]:
        """What was printed, without the time at the beginning of each line."""
        return [line[9:] for line in self.out.getvalue().splitlines()]

    @property
    def said(self) -> list[str]:
        """What was said beside the events."""
        url = f"http://127.0.0.1:{self.port}"
        return [line.replace(url, "URL") for line in self.err.getvalue().splitlines()]


def test_prints_events() -> None:
    """Each event is a line; the path of the stream and a request id are filled in."""
    watched = Watched(
        sse_answer(
            VERSION,
            task_event("0a1b2c3d4e", "task_started", {}),
            b": heartbeat\n\n",
            task_event("0a1b2c3d4e", "progress_update", {"text": "a.txt", "value": 0.25}),
        )
    )
    assert watched.lines == [
        'version    {"version":"1"}',
        "task_event 0a1b2c3d task_started",
        "task_event 0a1b2c3d progress_update [#####...............]  25% a.txt",
    ]
    assert watched.said == [
        "watch: connected to URL/api/sse/stream?request_id=new-id",
        "watch: the server ended the stream; connecting again in 1.0 s",
    ]
    assert watched.status == 0
    assert watched.requests[0].startswith(b"GET /api/sse/stream?request_id=new-id HTTP/1.1\r\n")


def test_prints_at_once() -> None:
    """An event is printed while the stream goes on, not when enough of them are there."""
    hold = threading.Event()
    seen: list[str] = []

    def look(watched: Watched) -> None:
        wait_until(watched.out.getvalue, "the event's line")
        seen.extend(watched.lines)
        hold.set()

    Watched(sse_answer(VERSION, hold=hold), during=look)
    assert seen == ['version    {"version":"1"}']


def test_json() -> None:
    """With ``as_json``, each line is an object with the decoded data."""
    watched = Watched(sse_answer(VERSION, b"id: 7\ndata: text\n\n"), as_json=True)
    assert [json.loads(line) for line in watched.out.getvalue().splitlines()] == [
        {
            "event": "version",
            "data": {"version": "1"},
            "id": None,
            "time": "1970-01-01T00:00:00.000+00:00",
        },
        {"event": "message", "data": "text", "id": "7", "time": "1970-01-01T00:00:00.000+00:00"},
    ]


def test_task() -> None:
    """With a task id, or the beginning of one, only that task's events are printed."""
    watched = Watched(
        sse_answer(
            VERSION,
            task_event("abc1", "task_started", {}),
            task_event("abd2", "task_started", {}),
            task_event("abc1", "task_completed", {}),
        ),
        task_id="abc",
    )
    assert watched.lines == [
        "task_event abc1     task_started",
        "task_event abc1     task_completed",
    ]


def test_pauses_grow_and_start_over() -> None:
    """Each failure doubles the pause; a stream that opens brings it back to the first."""
    busy = answer(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    watched = Watched(
        busy, busy, sse_answer(VERSION), sse_answer(VERSION, final=False), busy, pauses=5
    )
    assert watched.pauses == [2.0, 4.0, 1.0, 1.0, 2.0]
    assert watched.said == [
        "watch: answered 503 Busy; connecting again in 2.0 s",
        "watch: answered 503 Busy; connecting again in 4.0 s",
        "watch: connected to URL/api/sse/stream?request_id=new-id",
        "watch: the server ended the stream; connecting again in 1.0 s",
        "watch: connected to URL/api/sse/stream?request_id=new-id",
        "watch: the connection broke: the answer was cut off in the middle;"
        " connecting again in 1.0 s",
        "watch: answered 503 Busy; connecting again in 2.0 s",
    ]
    assert len(watched.lines) == 2


@pytest.mark.parametrize("name", ["server_restart", "connection_close"])
def test_server_says_when_to_come_back(name: str) -> None:
    """A shutdown is named, and the pause that the server asks for is kept.

    A log stream ends with ``connection_close``: a person who watches it wants to see the next
    server's lines, too.
    """
    goodbye = b"retry: 7500\n" + event(name, {"reason": "server_shutdown"})
    watched = Watched(sse_answer(goodbye))
    assert watched.pauses == [7.5]
    assert watched.lines == [f'{name} {{"reason":"server_shutdown"}}']
    assert watched.said[1] == (
        "watch: the server ended the stream (server_shutdown); connecting again in 7.5 s"
    )


@pytest.mark.parametrize(("digits", "pause"), [("300000", 300.0), ("9999999999", 300.0)])
def test_a_retry_of_many_digits_is_a_long_one(digits: str, pause: float) -> None:
    """A server that asks for years is not come back to sooner than one that asks for minutes."""
    assert Watched(sse_answer(f"retry: {digits}\n\n".encode())).pauses == [pause]


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
    """An answer may say how long to stay away; never longer than five minutes."""
    raw = b"HTTP/1.1 %d Hm\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n" % (status, value)
    watched = Watched(answer(raw), answer(raw.replace(b"Retry-After", b"X")), pauses=2)
    assert watched.pauses == [pause, 4.0]


@pytest.mark.parametrize("location", [b"http://[bad", b"ftp://x/", b"/again"])
def test_a_redirect_to_nowhere(location: bytes) -> None:
    """One line, no traceback, and status 1."""
    raw = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location
    watched = Watched(*[answer(raw)] * 30)
    assert (watched.status, watched.pauses, len(watched.said)) == (1, [], 1)


def test_a_status_that_is_none() -> None:
    """It is waited for a better one."""
    raw = b"HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n"
    watched = Watched(answer(raw))
    assert watched.said == [
        "watch: the server answered with the status 600; a final answer has one from 200 to 599; "
        "connecting again in 2.0 s"
    ]


def test_nobody_listens() -> None:
    """A server that is not there yet is waited for."""
    err = io.StringIO()
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            raise KeyboardInterrupt

    url = f"http://127.0.0.1:{free_port()}"
    assert watch(url, out=io.StringIO(), err=err, sleep=pause, chance=lambda: 1.0) == 0
    assert waited == [3.0, 6.0, 12.0]
    assert err.getvalue().startswith("watch: Connection refused; connecting again in 3.0 s\n")


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
    """A pause grows, is jittered, keeps to what the server asks for, and has its limits."""
    assert pause_seconds(failures, retry, chance) == seconds


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
    """What a URL lacks is filled in, and what it has is kept."""
    assert stream_url(url, "ID") == expected


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("127.0.0.1:5000", "'127.0.0.1:5000' is no http(s) URL; try http://127.0.0.1:5000"),
        ("localhost:5000", "is no http(s) URL"),
        ("ftp://h/", "is no http(s) URL"),
        ("", "is no http(s) URL"),
        ("http://", "names no host"),
        ("http:///x", "names no host"),
        ("http://h:fish", "Port could not be cast"),
        ("http://h:99999", "Port out of range"),
        ("http://[::1", "Invalid IPv6 URL"),
        ("fish\x1b[2J", "'fish\\x1b[2J' is no http(s) URL"),
    ],
)
def test_bad_url(url: str, words: str) -> None:
    """A URL that cannot work is one line and status 1; nothing is tried."""
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
        (b"200 OK", b"hello", "answered something, which is no event stream"),
    ],
)
def test_refused(status: bytes, body: bytes, words: str) -> None:
    """A refusal that will not heal is one line and status 1."""
    raw = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
    watched = Watched(answer(raw), path="/x")
    assert watched.status == 1
    assert watched.said == [f"watch: URL/x?request_id=new-id {words}"]
    assert watched.pauses == []


def test_rejected_inside_stream() -> None:
    """A refusal in the envelope dialect, which comes as an event, ends the watching as well."""
    watched = Watched(sse_answer(event("rejected", {"status": 401, "message": "Unauthorized"})))
    assert watched.status == 1
    assert watched.said[1:] == [
        "watch: URL/api/sse/stream?request_id=new-id rejected us: 401 Unauthorized"
    ]


def test_password_is_not_shown() -> None:
    """A password in the URL is used and not printed."""
    err = io.StringIO()
    with ScriptedServer(answer(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")) as server:
        url = f"http://me:secret@127.0.0.1:{server.port}/x?request_id=1"
        assert watch(url, out=io.StringIO(), err=err) == 1
    assert err.getvalue() == (
        f"watch: http://127.0.0.1:{server.port}/x?request_id=1 answered 404 No\n"
    )
    assert b"\r\nAuthorization: Basic " in server.requests[0]


def test_narrow_terminal() -> None:
    """What the output's encoding lacks is escaped instead of ending the program."""
    raw = io.BytesIO()
    with ScriptedServer(sse_answer("data: é😀\n\n".encode())) as server:
        out = io.TextIOWrapper(raw, encoding="latin-1")

        def stop(seconds: float) -> None:
            raise KeyboardInterrupt

        url = f"http://127.0.0.1:{server.port}"
        assert watch(url, out=out, err=io.StringIO(), sleep=stop) == 0
    assert raw.getvalue().endswith(b" message    \xe9\\U0001f600\n")


class Closed(io.StringIO):
    """An output whose reader has gone."""

    def write(self, text: str) -> int:
        """Fail as a pipe does that nobody reads."""
        raise BrokenPipeError


def test_reader_goes_away() -> None:
    """When nobody reads on, watching ends quietly, whichever output it was."""
    hold = threading.Event()
    err = io.StringIO()
    with ScriptedServer(*[sse_answer(VERSION, hold=hold)] * 2) as server:
        url = f"http://127.0.0.1:{server.port}"
        assert watch(url, out=Closed(), err=err) == 0
        assert watch(url, out=io.StringIO(), err=Closed()) == 0
        hold.set()
    assert err.getvalue().count("\n") == 1


class Full(io.StringIO):
    """An output on a full disk."""

    def write(self, text: str) -> int:
        """Fail as a file does there."""
        raise OSError(errno.ENOSPC, "No space left on device")


def test_the_output_is_full() -> None:
    """Said in one line, as far as it can still be said."""
    err = io.StringIO()
    with ScriptedServer(*[sse_answer(VERSION)] * 2) as server:
        url = f"http://127.0.0.1:{server.port}"
        assert watch(url, out=Full(), err=err) == 1
        assert watch(url, out=io.StringIO(), err=Full()) == 1
    assert err.getvalue().splitlines()[1:] == ["watch: cannot write: No space left on device"]


def test_a_host_that_cannot_be_a_name() -> None:
    """What urllib3 refuses by itself is refused in one line too."""
    err = io.StringIO()
    assert watch(f"http://{'a' * 70}.com", out=io.StringIO(), err=err) == 1
    assert err.getvalue().count("\n") == 1


def test_reader_of_a_pipe_goes_away() -> None:
    """A pipe that nobody reads can still be closed without an error, as Python does at its end."""
    reader, writer = os.pipe()
    os.close(reader)
    with ScriptedServer(sse_answer(VERSION)) as server, os.fdopen(writer, "w") as out:
        assert watch(f"http://127.0.0.1:{server.port}", out=out, err=io.StringIO()) == 0
        out.write("discarded")


def start(url: str, *arguments: str) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from app.watch.command import watch_command as w; w()",
            url,
            *arguments,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c() -> None:
    """Ctrl-C ends the command quietly, with status 0."""
    hold = threading.Event()
    with ScriptedServer(sse_answer(VERSION, hold=hold)) as server:
        with start(f"http://127.0.0.1:{server.port}", "--json") as process:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["event"] == "version"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=TIME_LIMIT)
        hold.set()
    assert (process.returncode, out) == (0, "")
    assert err.startswith("watch: connected to http://127.0.0.1:")
    assert err.count("\n") == 1


def test_head() -> None:
    """``watch URL | head -1`` ends quietly once there is more to print than is read."""

    def pour(connection: socket.socket) -> None:
        connection.sendall(SSE_HEAD)
        while True:
            connection.sendall(chunk(VERSION))

    with (
        ScriptedServer(pour) as server,
        start(f"http://127.0.0.1:{server.port}") as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        assert "version" in process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(TIME_LIMIT) == 0
    assert err.count("\n") == 1


def test_command() -> None:
    """The command hands its options on and ends with the status of the watching."""
    body = b'{"error": "gone"}'
    raw = b"HTTP/1.1 404 No\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with ScriptedServer(answer(raw)) as server:
        result = CliRunner().invoke(
            watch_command, [f"http://127.0.0.1:{server.port}/x?request_id=1", "--idle", "5"]
        )
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("answered 404 No: gone\n")


@pytest.mark.parametrize("arguments", [[], ["http://h", "--idle", "0"], ["http://h", "--fish"]])
def test_wrong_usage(arguments: list[str]) -> None:
    """A call that cannot be meant is explained, with status 2."""
    result = CliRunner().invoke(watch_command, arguments)
    assert result.exit_code == 2
    assert "Usage: watch [OPTIONS] URL" in result.stderr
