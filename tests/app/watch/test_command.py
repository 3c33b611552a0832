"""The command ``watch``: the lines that it prints, its options, and its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner

from app.watch.command import watch_command
from tests.app.watch.watch_run import VERSION, WatchRun, task_event
from tests.support.http.scripted_server import SSE_HEAD, ScriptedServer, answer, chunk, sse_answer
from tests.support.processes.server import ROOT
from tests.support.timing import TIME_LIMIT, wait_until


def test_prints_events() -> None:
    """Each event is a line. The path of the stream and a request ID are added to the URL."""
    run = WatchRun(
        sse_answer(
            VERSION,
            task_event("0a1b2c3d4e", "task_started", {}),
            b": heartbeat\n\n",
            task_event("0a1b2c3d4e", "progress_update", {"text": "a.txt", "value": 0.25}),
        )
    )
    assert run.lines == [
        'version    {"version":"1"}',
        "task_event 0a1b2c3d task_started",
        "task_event 0a1b2c3d progress_update [#####...............]  25% a.txt",
    ]
    assert run.messages == [
        "watch: connected to URL/api/sse/stream?request_id=new-id",
        "watch: the server ended the stream; reconnecting in 1.0 s",
    ]
    assert run.status == 0
    assert run.requests[0].startswith(b"GET /api/sse/stream?request_id=new-id HTTP/1.1\r\n")


def test_prints_at_once() -> None:
    """An event is printed at once, while the stream goes on."""
    hold = threading.Event()
    seen: list[str] = []

    def look(run: WatchRun) -> None:
        wait_until(run.out.getvalue, "the event's line")
        seen.extend(run.lines)
        hold.set()

    WatchRun(sse_answer(VERSION, hold=hold), during=look)
    assert seen == ['version    {"version":"1"}']


def test_json() -> None:
    """With ``as_json``, each line is a JSON object with the decoded data."""
    run = WatchRun(sse_answer(VERSION, b"id: 7\ndata: text\n\n"), as_json=True)
    assert [json.loads(line) for line in run.out.getvalue().splitlines()] == [
        {
            "event": "version",
            "data": {"version": "1"},
            "id": None,
            "time": "1970-01-01T00:00:00.000+00:00",
        },
        {"event": "message", "data": "text", "id": "7", "time": "1970-01-01T00:00:00.000+00:00"},
    ]


def test_task() -> None:
    """With a task ID or the beginning of one, only the events of that task are printed."""
    run = WatchRun(
        sse_answer(
            VERSION,
            task_event("abc1", "task_started", {}),
            task_event("abd2", "task_started", {}),
            task_event("abc1", "task_completed", {}),
        ),
        task_id="abc",
    )
    assert run.lines == [
        "task_event abc1     task_started",
        "task_event abc1     task_completed",
    ]


def start(url: str, *arguments: str) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
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
    """Ctrl-C ends the command without an error message and with status 0."""
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
    """``watch URL | head -1`` ends without an error message after the first line."""

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
    """The command passes its options on and exits with the status of ``watch``."""
    body = b'{"error": "gone"}'
    raw = b"HTTP/1.1 404 No\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with ScriptedServer(answer(raw)) as server:
        result = CliRunner().invoke(
            watch_command,
            [
                f"http://127.0.0.1:{server.port}/x?request_id=1",
                *("--idle", "5", "--last-event-id", "e-7"),
            ],
        )
    assert b"Last-Event-ID: e-7\r\n" in server.requests[0]
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("answered 404 No: gone\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["http://h", "--idle", "0"],
        ["http://h", "--fish"],
        ["http://h", "--last-event-id", "a\nb"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    """A call with wrong arguments is explained and ends with status 2."""
    result = CliRunner().invoke(watch_command, arguments)
    assert result.exit_code == 2
    assert "Usage: watch [OPTIONS] URL" in result.stderr
