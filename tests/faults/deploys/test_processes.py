"""Many signals, checks that hang, and tasks that end the process or leave programs behind."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.faults.deploys.leaving_tasks import LEAVING_TASKS
from tests.support.backend_client import connect, start_task, task_story
from tests.support.http.client import request
from tests.support.http.message import Ended
from tests.support.processes.server import GunicornServer, Server, ServeServer
from tests.support.timing import TIME_LIMIT, wait_until

ENV = {"FLASK_ENV": "testing", "SSE_DRAIN_RETRY_SECONDS": "0.5", "APP_TASKS": LEAVING_TASKS}


def test_thirty_reloads_and_a_stop() -> None:
    """A stop takes effect before all reloads that wait for the old worker."""
    env = {**ENV, "GRACEFUL_SHUTDOWN_TIMEOUT": "3600"}
    with GunicornServer(env=env) as server, connect(server) as stream:
        task = start_task(server, "demo_task", steps=1000, delay=0.3)
        stream.wait_for("task_event")
        server.send_signal(signal.SIGHUP)
        server.wait_for_log("shutdown begins")
        for _ in range(30):
            server.send_signal(signal.SIGHUP)
            assert request(server.port, "GET", "/healthz").status == 200
        server.send_signal(signal.SIGTERM)
        assert task_story(stream, task)[-1]["event_type"] == "task_cancelled"
        assert stream.wait_for_end() is Ended.CLEAN
        assert server.wait() == 0
        assert server.log.count("Booting worker") == 2


def newest_worker(server: Server) -> int:
    """Return the process id of the newest worker."""
    return int(server.wait_for_log(r"(?s:.*)Booting worker with pid: (\d+)")[1])


def hanging_check(server: Server, note: Path) -> int:
    """Reload with a check that hangs, and return the process id of the check."""
    note.touch()
    server.send_signal(signal.SIGHUP)
    wait_until(note.read_text, "the check to hang")
    return int(note.read_text())


def test_thirty_reloads(tmp_path: Path) -> None:
    """All reloads that come during a reload become one more reload."""
    note = tmp_path / "check"
    with GunicornServer(env={**ENV, "HANGING_CHECK": str(note)}) as server:
        hanging_check(server, note)
        for _ in range(30):
            server.send_signal(signal.SIGHUP)
            assert request(server.port, "GET", "/healthz").status == 200
        note.unlink()
        wait_until(lambda: server.log.count("shutdown is complete") == 2, "two workers' ends")
        with connect(server) as stream:
            task = start_task(server, "demo_task", steps=20, delay=0.05)
            assert task_story(stream, task)[-1]["event_type"] == "task_completed"
        assert server.log.count("Booting worker") == 1 + 2


def is_gone(pid: int) -> bool:
    """Return True if a process has ended and its parent has waited for it."""
    return not Path(f"/proc/{pid}").exists()


def test_a_crash_during_a_check(tmp_path: Path) -> None:
    """A worker that crashes while the check hangs is replaced."""
    note = tmp_path / "check"
    with GunicornServer(env={**ENV, "HANGING_CHECK": str(note)}) as server:
        check = hanging_check(server, note)
        os.kill(newest_worker(server), signal.SIGKILL)
        wait_until(lambda: server.log.count("Booting worker") == 2, "the next worker")
        wait_until(lambda: answers(server), "an answer")
        assert not is_gone(check)


def answers(server: Server) -> bool:
    """Return True if the server answers."""
    try:
        return request(server.port, "GET", "/healthz").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_stop_during_a_check(tmp_path: Path, number: signal.Signals) -> None:
    """A stop during a check ends the check at once, and streams end cleanly."""
    note = tmp_path / "check"
    with GunicornServer(env={**ENV, "HANGING_CHECK": str(note)}) as server:
        with connect(server) as stream:
            stream.wait_for("version")
            check = hanging_check(server, note)
            server.send_signal(number)
            stream.wait_for("server_restart")
            assert stream.wait_for_end() is Ended.CLEAN
        assert server.wait() == 0
        assert is_gone(check)


@pytest.mark.parametrize("status", [0, 3, 4])
def test_a_task_that_ends_the_process(status: int) -> None:
    """A worker that a task has ended is replaced, even with gunicorn's statuses of a bad start."""
    with ServeServer(env=ENV) as server:
        start_task(server, "exit_task", status=status)
        wait_until(lambda: server.log.count("Booting worker") == 2, "the next worker")
        with connect(server) as stream:
            stream.wait_for("version")
        if status:
            server.wait_for_log(f"exited with code {status}")
        assert server.process.poll() is None


def test_programs_that_outlive_the_server() -> None:
    """The port is free after the server was killed, although programs of its tasks still run."""
    with ServeServer(env=ENV) as server, connect(server) as stream:
        task = start_task(server, "leave_task")
        done = task_story(stream, task)[-1]
        assert done["event_type"] == "task_completed", done
        pids = done["data"]["pids"]
        try:
            worker = newest_worker(server)
            for pid in (server.pid, worker):
                os.kill(pid, signal.SIGKILL)
            server.process.wait()
            wait_until(lambda: is_gone(worker), "the worker's end")
            assert len(pids) == 3
            assert not any(map(is_gone, pids))
            assert_port_is_free(server.port)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)


def test_a_copy_that_outlives_the_server() -> None:
    """The port is free after a clean end, although a copy of the process holds the socket."""
    with ServeServer(env=ENV) as server, connect(server) as stream:
        task = start_task(server, "copy_task")
        done = task_story(stream, task)[-1]
        assert done["event_type"] == "task_completed", done
        (pid,) = done["data"]["pids"]
        try:
            server.send_signal(signal.SIGTERM)
            assert stream.wait_for_end() is Ended.CLEAN
            assert server.process.wait(TIME_LIMIT) == 0
            assert not is_gone(pid)
            assert_port_is_free(server.port)
        finally:
            os.kill(pid, signal.SIGKILL)


def assert_port_is_free(port: int) -> None:
    """Check that another server can listen on the port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
