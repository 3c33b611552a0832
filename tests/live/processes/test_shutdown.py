"""The end of the process: nothing is lost, every stream ends cleanly, exit status 0."""

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
"""A server that would wait for its tasks longer than any test does."""


def assert_said_goodbye(stream: Stream) -> None:
    """The stream got ``server_restart`` with a retry inside its block, then ended cleanly."""
    event = stream.wait_for("server_restart")
    assert json.loads(event.data) == FAREWELL
    assert stream.wait_for_end() is Ended.CLEAN
    assert stream.events[-1] == event
    assert stream.retry is not None
    assert FIRST_RETRY_MS <= stream.retry <= FIRST_RETRY_MS + 10, "few streams are not kept away"
    block = b'retry: %d\nevent: server_restart\ndata: {"reason":"server_shutdown"}\n\n'
    assert stream.raw.endswith(b"\n\n" + block % stream.retry)


@pytest.mark.parametrize("make", [GunicornServer, ServeServer])
def test_sigterm_with_a_task_running(make: type[Server], tmp_path: Path) -> None:
    """The running task finishes, its last events arrive, then the streams end; status 0."""
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
            assert_said_goodbye(stream)
            story = task_events(stream.events, task_id)
            assert [event["event_type"] for event in story][-1] == "task_completed"
            assert len(story) == 22
            assert old.wait_for_end() is not Ended.RESET
            assert json.loads(old.events[-1].data) == FAREWELL
        assert server.wait() == 0
        assert "Traceback" not in server.log


def test_sigterm_to_the_worker() -> None:
    """A worker told to exit drains just the same, and the arbiter starts another one."""
    with GunicornServer() as server:
        with connect(server) as stream:
            stream.wait_for("version")
            os.kill(server.worker_pid(), signal.SIGTERM)
            assert_said_goodbye(stream)
        wait_until(lambda: _answers(server), "the next worker to answer")
        assert server.terminate() == 0


def test_open_streams_are_nothing_to_wait_for() -> None:
    """With streams open and no task running, the end takes hardly longer than without streams."""
    with GunicornServer() as server:
        alone = seconds_to_end(server)
    with GunicornServer() as server, connect(server) as stream, connect(server) as idle:
        stream.wait_for("version"), idle.wait_for("version")
        assert seconds_to_end(server) < 3 * alone + 2  # a stream that lingers costs five


def test_second_sigterm_hurries() -> None:
    """A second SIGTERM does not wait for the running task: it is cancelled, and says so."""
    with GunicornServer(env=PATIENT) as server, connect(server) as stream:
        stream.wait_for("version")
        task_id = start_task(server, "demo_task", steps=1000, delay=0.1)
        stream.wait_for("task_event")
        server.send_signal(signal.SIGTERM)
        server.wait_for_log("[Hh]andling signal: term")
        server.send_signal(signal.SIGTERM)
        assert_said_goodbye(stream)
        last = task_events(stream.events, task_id)[-1]
        assert last["event_type"] == "task_cancelled"
        assert server.wait() == 0


def test_ctrl_c_ends_a_serve_at_once() -> None:
    """Ctrl-C, which the arbiter and the worker both get, ends streams cleanly and quickly."""
    with ServeServer(env=PATIENT) as server, connect(server) as stream:
        stream.wait_for("version")
        start_task(server, "demo_task", steps=1000, delay=0.1)
        stream.wait_for("task_event")
        os.killpg(server.pid, signal.SIGINT)
        assert_said_goodbye(stream)
        assert server.wait() == 0
        assert "Traceback" not in server.log


def _answers(server: Server) -> bool:
    try:
        return request(server.port, "GET", "/healthz").head.status == 200
    except OSError:
        return False
