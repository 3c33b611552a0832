"""Deployments and crashes under load, and the events that are lost."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import gevent
import pytest

from gateway_shim.streams.drain import FIRST_RETRY_MS
from tests.faults.conftest import Tally
from tests.faults.crowd import Crowd
from tests.faults.undisturbed import assert_whole
from tests.live.tasks.gated_task import GATED_TASK
from tests.support.backend_client import (
    active_streams,
    connect,
    seconds_to_end,
    start_task,
    task_story,
)
from tests.support.http.client import Connection, request_bytes
from tests.support.http.message import Ended
from tests.support.http.stream import Stream
from tests.support.processes.server import GunicornServer, Server
from tests.support.timing import wait_until

CLIENTS = 50
ENV = {
    "FLASK_ENV": "testing",
    "SSE_DRAIN_RETRY_SECONDS": "0.5",
    "LOG_LEVEL": "DEBUG",
    "LOG_LINES_PER_SECOND": "1000",  # the tests count the log's lines
}
PATIENT = {**ENV, "GRACEFUL_SHUTDOWN_TIMEOUT": "3600"}
"""Settings of a server that waits for its tasks longer than any test."""


def assert_ended_well(stream: Stream) -> None:
    """Check that a stream ended cleanly, after ``server_restart`` with a retry."""
    assert stream.ended is Ended.CLEAN
    assert stream.events[-1].type == "server_restart"
    assert json.loads(stream.events[-1].data) == {"reason": "server_shutdown"}
    assert stream.retry is not None
    assert FIRST_RETRY_MS <= stream.retry <= FIRST_RETRY_MS + CLIENTS


def disconnects(server: GunicornServer) -> int:
    """Return the number of disconnect callbacks that have reached the backend."""
    return server.log.count("callback_handler: a stream has ended")


def test_sigkill_of_the_worker(tmp_path: Path, tally: Tally) -> None:
    """After SIGKILL, clients have every event up to the kill, reconnect, and miss nothing more."""
    env, gate = {**ENV, "APP_TASKS": GATED_TASK}, tmp_path / "never"
    with GunicornServer(env=env) as server, Crowd(server.port, CLIENTS) as crowd:
        killed = start_task(server, "gated_task", steps=1000, gate=str(gate), delay=0.002)
        first = crowd.clients[0]
        wait_until(lambda: len(first.story(killed)) > 100, "a hundred events")
        os.kill(server.worker_pid(), signal.SIGKILL)
        crowd.wait_until(lambda client: client.is_open and len(client.streams) == 2, "be back")
        lengths = []
        for client in crowd.clients:
            story = client.story(killed)
            steps = [event["data"]["text"] for event in story[1:]]
            assert steps == [f"Step {step} of 1000" for step in range(1, len(steps) + 1)]
            lengths.append(len(story))
        # The worker may have been killed while it sent one event to one stream after the other.
        assert max(lengths) - min(lengths) <= 1
        tally(
            f"SIGKILL of the worker, {CLIENTS} streams",
            max(lengths) * CLIENTS,
            sum(lengths),
            "the running task, and at most one event a stream",
        )
        after = start_task(server, "demo_task", steps=50, delay=0.002)
        crowd.wait_for_tasks([after])
        for events in crowd.stories(after):
            assert_whole(events, 50)
        assert active_streams(server) == CLIENTS


def test_sigterm_under_load(tally: Tally) -> None:
    """After SIGTERM, all events of the running tasks arrive at all streams before the end."""
    with GunicornServer(env=ENV) as server, Crowd(server.port, CLIENTS) as crowd:
        tasks = [start_task(server, "demo_task", steps=200, delay=0.005) for _ in range(4)]
        wait_until(lambda: len(crowd.clients[0].story(tasks[-1])) > 20, "events of all tasks")
        server.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        crowd.wait_until(lambda client: not client.is_open, "have ended")
        for client in crowd.clients:
            assert_ended_well(client.streams[0])
            for task in tasks:
                assert_whole(client.story(task), 200)
        assert disconnects(server) == CLIENTS
        count = 4 * 202 * CLIENTS
        tally(f"SIGTERM, 4 tasks running, {CLIENTS} streams", count, count, "nothing")


def test_sighup_under_load(tmp_path: Path, tally: Tally) -> None:
    """After SIGHUP, the old worker finishes its tasks and streams while the new worker serves."""
    gate = tmp_path / "gate"
    env = {**PATIENT, "APP_TASKS": GATED_TASK}
    with GunicornServer(env=env) as server, Crowd(server.port, CLIENTS) as crowd:
        old_worker = server.worker_pid()
        tasks = [
            start_task(server, "gated_task", steps=150, gate=str(gate), delay=0.01)
            for _ in range(2)
        ]
        wait_until(lambda: crowd.clients[0].story(tasks[-1]), "the tasks to begin")
        server.send_signal(signal.SIGHUP)
        server.wait_for_log("shutdown begins")
        # The new worker answers all requests from now on, and accepts tasks.
        meanwhile = [start_task(server, "demo_task", steps=1, delay=0) for _ in range(20)]
        assert len(set(meanwhile)) == 20
        with connect(server) as newcomer:
            newcomer.wait_for("version")
            assert all(len(client.streams) == 1 for client in crowd.clients)
            gate.touch()
            crowd.wait_until(lambda client: len(client.streams) == 2, "be back")
            for client in crowd.clients:
                assert_ended_well(client.streams[0])
                for task in tasks:
                    assert_whole(client.story(task), 150)
            wait_until(lambda: disconnects(server) == CLIENTS, "all disconnects")
            assert server.worker_pid() != old_worker
            after = start_task(server, "demo_task", steps=50, delay=0.002)
            crowd.wait_for_tasks([after])
            for story in crowd.stories(after):
                assert_whole(story, 50)
            assert active_streams(server) == CLIENTS + 1
            assert newcomer.poll().ended is None
        count = (2 * 152 + 52) * CLIENTS
        tally(f"SIGHUP, 2 tasks running, {CLIENTS} streams", count, count, "nothing")
        assert "Traceback" not in server.log


def test_sighup_with_a_bad_setting(tmp_path: Path) -> None:
    """A reload with a bad setting is refused with the reason, and tasks and streams go on."""
    (tmp_path / ".env").write_text("")
    env = {"FLASK_ENV": "testing"}
    command = [sys.executable, "-m", "app", "serve", "--port", "{port}"]
    with Server(command, env=env, cwd=tmp_path) as server, connect(server) as stream:
        worker = server.worker_pid()
        task = start_task(server, "demo_task", steps=20, delay=0.05)
        (tmp_path / ".env").write_text("TASK_MAX_WORKERS=abc\n")
        server.send_signal(signal.SIGHUP)
        server.wait_for_log("reload refused, the running worker continues: TASK_MAX_WORKERS: ")
        assert_whole(task_story(stream, task), 20)
        assert server.worker_pid() == worker
        (tmp_path / ".env").write_text("TASK_MAX_WORKERS=2\n")
        server.send_signal(signal.SIGHUP)
        stream.wait_for("server_restart")
        wait_until(lambda: server.worker_pid() != worker, "the next worker")
        assert "Traceback" not in server.log


def test_reload_when_the_code_changes(tmp_path: Path, tally: Tally) -> None:
    """With --reload, a change of the code ends the worker after its tasks, as SIGTERM does."""
    watched = tmp_path / "code.py"
    watched.touch()
    options = ("--reload", "--reload-engine", "poll", "--reload-extra-file", str(watched))
    with GunicornServer(*options, env=ENV) as server, Crowd(server.port, 10) as crowd:
        task = start_task(server, "demo_task", steps=100, delay=0.03)
        wait_until(lambda: crowd.clients[0].story(task), "the task to begin")
        gevent.sleep(1.1)  # the reloader must see the unchanged file first
        os.utime(watched, (2_000_000_000, 2_000_000_000))
        crowd.wait_until(lambda client: len(client.streams) == 2, "be back")
        for client in crowd.clients:
            assert_ended_well(client.streams[0])
            assert_whole(client.story(task), 100)
        assert disconnects(server) == 10
        assert "Traceback" not in server.log
        tally("--reload, a task running, 10 streams", 1020, 1020, "nothing")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_second_signal_cancels_the_tasks(number: signal.Signals) -> None:
    """A worker that gets a second signal does not wait for its tasks, but cancels them."""
    with GunicornServer(env=PATIENT) as server, Crowd(server.port, 3) as crowd:
        task = start_task(server, "demo_task", steps=1000, delay=0.1)
        worker = server.worker_pid()
        crowd.wait_until(lambda client: bool(client.story(task)), "see the task begin")
        os.kill(worker, signal.SIGTERM)
        server.wait_for_log("shutdown begins")
        os.kill(worker, number)
        crowd.wait_until(lambda client: len(client.streams) == 2, "be back")
        for client in crowd.clients:
            assert_ended_well(client.streams[0])
            assert client.story(task)[-1]["event_type"] == "task_cancelled"


def test_stop_while_a_worker_is_being_replaced() -> None:
    """SIGTERM during a reload cancels the tasks of the old worker."""
    with GunicornServer(env=PATIENT) as server, Crowd(server.port, 3) as crowd:
        task = start_task(server, "demo_task", steps=1000, delay=0.1)
        crowd.wait_until(lambda client: bool(client.story(task)), "see the task begin")
        server.send_signal(signal.SIGHUP)
        server.wait_for_log("shutdown begins")
        server.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        for client in crowd.clients:
            assert_ended_well(client.streams[0])
            assert client.story(task)[-1]["event_type"] == "task_cancelled"


def test_idle_kept_alive_connections_do_not_hold_the_end() -> None:
    """Idle keep-alive connections do not delay the end of the server."""
    with GunicornServer() as server:
        alone = seconds_to_end(server)
    with GunicornServer() as server:
        idle = [Connection(server.port) for _ in range(20)]
        for connection in idle:
            connection.send(request_bytes("GET", "/healthz"))
            assert connection.read_response().status == 200
        half = Connection(server.port)
        half.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n")
        # The unfinished head alone may take five seconds.
        assert seconds_to_end(server) < 3 * alone + 2
        for connection in [*idle, half]:
            connection.close()
