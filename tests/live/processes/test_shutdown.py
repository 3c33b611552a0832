"""The end of the server: no event is lost, streams end cleanly, and the status is 0."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from gateway_shim.streams.drain import FIRST_RETRY_MS
from tests.live.tasks.gated_task import GATED_TASK
from tests.support.backend_client import connect, seconds_to_end, start_task, task_events
from tests.support.http.client import request
from tests.support.http.message import Ended
from tests.support.http.stream import Stream
from tests.support.processes.server import GunicornServer, Server, ServeServer
from tests.support.timing import wait_until

FAREWELL = {"reason": "server_shutdown"}
PATIENT = {"GRACEFUL_SHUTDOWN_TIMEOUT": "3600"}
"""Settings of a server that waits for its tasks longer than any test."""


def assert_ended_well(stream: Stream) -> None:
    """Check that a stream ended cleanly, after ``server_restart`` with a retry in its block."""
    event = stream.wait_for("server_restart")
    assert json.loads(event.data) == FAREWELL
    assert stream.wait_for_end() is Ended.CLEAN
    assert stream.events[-1] == event
    assert stream.retry is not None
    # Few streams may come back at once.
    assert FIRST_RETRY_MS <= stream.retry <= FIRST_RETRY_MS + 10
    block = b'retry: %d\nevent: server_restart\ndata: {"reason":"server_shutdown"}\n\n'
    assert stream.raw.endswith(b"\n\n" + block % stream.retry)


@pytest.mark.parametrize("make", [GunicornServer, ServeServer])
def test_sigterm_with_a_task_running(make: type[Server], tmp_path: Path) -> None:
    """After SIGTERM, the running task finishes and its events arrive before the streams end."""
    gate = tmp_path / "gate"
    env = {"FLASK_ENV": "testing", "APP_TASKS": GATED_TASK, **PATIENT}
    with make(env=env) as server:  # type: ignore[call-arg]
        with connect(server) as stream, connect(server, version="1.0") as old:
            stream.wait_for("version"), old.wait_for("version")
            task_id = start_task(server, "gated_task", steps=20, gate=str(gate))
            stream.wait_for("task_event")
            server.send_signal(signal.SIGTERM)
            wait_until(
                lambda: request(server.port, "GET", "/readyz").head.status == 503,
                "/readyz to say that no new work is taken",
            )
            answer = request(
                server.port, "POST", "/api/tasks", json_body={"task_type": "demo_task"}
            )
            assert answer.head.status == 409
            gate.touch()
            assert_ended_well(stream)
            story = task_events(stream.events, task_id)
            assert [event["event_type"] for event in story][-1] == "task_completed"
            assert len(story) == 22
            assert old.wait_for_end() is not Ended.RESET
            assert json.loads(old.events[-1].data) == FAREWELL
        assert server.wait() == 0
        assert "Traceback" not in server.log


def test_sigterm_to_the_worker() -> None:
    """A worker that gets SIGTERM drains its streams, and the arbiter starts another worker."""
    with GunicornServer() as server:
        with connect(server) as stream:
            stream.wait_for("version")
            os.kill(server.worker_pid(), signal.SIGTERM)
            assert_ended_well(stream)
        wait_until(lambda: _answers(server), "the next worker to answer")
        assert server.terminate() == 0


def test_open_streams_do_not_delay_the_end() -> None:
    """Open streams without a running task hardly delay the end."""
    with GunicornServer() as server:
        alone = seconds_to_end(server)
    with GunicornServer() as server, connect(server) as stream, connect(server) as idle:
        stream.wait_for("version"), idle.wait_for("version")
        assert seconds_to_end(server) < 3 * alone + 2  # a stream that is waited for takes five


def test_a_second_sigterm_cancels_tasks() -> None:
    """A second SIGTERM cancels the running task instead of waiting for it."""
    with GunicornServer(env=PATIENT) as server, connect(server) as stream:
        stream.wait_for("version")
        task_id = start_task(server, "demo_task", steps=1000, delay=0.1)
        stream.wait_for("task_event")
        server.send_signal(signal.SIGTERM)
        server.wait_for_log("[Hh]andling signal: term")
        server.send_signal(signal.SIGTERM)
        assert_ended_well(stream)
        last = task_events(stream.events, task_id)[-1]
        assert last["event_type"] == "task_cancelled"
        assert server.wait() == 0


def test_ctrl_c() -> None:
    """Ctrl-C, which both the arbiter and the worker get, ends streams cleanly."""
    with ServeServer(env=PATIENT) as server, connect(server) as stream:
        stream.wait_for("version")
        start_task(server, "demo_task", steps=1000, delay=0.1)
        stream.wait_for("task_event")
        os.killpg(server.pid, signal.SIGINT)
        assert_ended_well(stream)
        assert server.wait() == 0
        assert "Traceback" not in server.log


def _answers(server: Server) -> bool:
    try:
        return request(server.port, "GET", "/healthz").head.status == 200
    except OSError:
        return False
