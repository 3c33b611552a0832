"""The binary serves: an empty environment, no Python to be found, nobody's help."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
from pathlib import Path

import pytest

from tests.binary.machine import BinaryServer, bare_root, run
from tests.support.backend_client import connect, start_task, task_events
from tests.support.http.client import request
from tests.support.http.message import Ended
from tests.support.http.stream import Stream
from tests.support.processes.server import Server
from tests.support.processes.systemd import FakeManager, socket_activated
from tests.support.timing import TIME_LIMIT, wait_until

FAREWELL = {"reason": "server_shutdown"}
START_SECONDS = 2.0
SIZE_BYTES = 40_000_000

USER_TASK = '''
import csv, sqlite3  # whatever Python has, although nothing of ours needs it
import os

from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle


class Said(BaseModel):
    text: str


class UserTask(BaseTask):
    """Says what a program that it starts is given."""

    name = "user_task"

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: object) -> Said:
        progress_handle.send_progress("half", 0.5)
        return Said(text=os.environ.get("LD_LIBRARY_PATH", "unset"))
'''


def unpacked(folder: Path) -> list[str]:
    """What the binary has left in its temporary folder."""
    return sorted(name for name in os.listdir(folder) if name.startswith("_MEI"))


def assert_clean_end(server: Server, stream: Stream) -> None:
    """Told to stop, it says goodbye, ends the stream, and exits with 0."""
    server.send_signal(signal.SIGTERM)
    assert json.loads(stream.wait_for("server_restart").data) == FAREWELL
    assert stream.wait_for_end() is Ended.CLEAN
    assert server.wait() == 0
    assert "Traceback" not in server.log


def test_a_life(binary: Path, tmp_path: Path) -> None:
    """Streams, a task and its events, a clean end, and nothing left behind."""
    env = {"FLASK_ENV": "testing", "TMPDIR": str(tmp_path)}
    with BinaryServer([binary], env=env, cwd=tmp_path) as server, connect(server) as stream:
        stream.wait_for("version")
        task_id = start_task(server, "demo_task", steps=3, delay=0.01)
        stream.wait_for(lambda event: "task_completed" in event.data)
        kinds = [event["event_type"] for event in task_events(stream.events, task_id)]
        assert (kinds[0], kinds[-1], len(kinds)) == ("task_started", "task_completed", 5)
        assert request(server.port, "GET", "/metrics").status == 200
        assert len(unpacked(tmp_path)) == 1
        assert_clean_end(server, stream)
    assert unpacked(tmp_path) == []


def test_in_a_bare_root(binary: Path, tmp_path: Path, as_root: None) -> None:
    """All that the machine has is glibc and zlib: no shell, no /dev, no /proc, no users."""
    root = bare_root(binary, tmp_path / "root")
    chroot = ["/usr/sbin/chroot", "--userspec=54321:54321", root, "/sse-monolith"]
    with BinaryServer(chroot, cwd=tmp_path) as server, connect(server) as stream:
        stream.wait_for("version")
        start_task(server, "demo_task", steps=2, delay=0.01)
        stream.wait_for(lambda event: "task_completed" in event.data)
        own = [*chroot, "healthcheck", "--url", server.url]
        assert run(own).stdout == f"ok: {server.url}\n"
        assert_clean_end(server, stream)


@pytest.mark.parametrize("place", ["beside the binary", "APP_TASKS_PATH"])
def test_a_users_task(binary: Path, tmp_path: Path, place: str) -> None:
    """Found in a folder; what it starts gets the user's library path, not the binary's."""
    env = {"APP_TASKS": "user_task:UserTask", "LD_LIBRARY_PATH": "/users/own"}
    folder = tmp_path / "tasks"
    if place == "APP_TASKS_PATH":
        folder = tmp_path / "elsewhere"
        env["APP_TASKS_PATH"] = "elsewhere"
    folder.mkdir()
    (folder / "user_task.py").write_text(USER_TASK)
    copy = tmp_path / "sse-monolith"
    os.link(binary, copy)
    with BinaryServer([copy], env=env, cwd=tmp_path) as server, connect(server) as stream:
        stream.wait_for("version")
        task_id = start_task(server, "user_task")
        done = stream.wait_for(lambda event: "task_completed" in event.data)
        assert "/users/own" in done.data
        assert task_id in done.data


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_signals(binary: Path, tmp_path: Path, number: signal.Signals) -> None:
    """They pass through the process that was started to those that it started."""
    with BinaryServer([binary], cwd=tmp_path) as server, connect(server) as stream:
        stream.wait_for("version")
        server.send_signal(number)
        stream.wait_for("server_restart")
        assert server.wait() == 0


def test_sighup(binary: Path, tmp_path: Path) -> None:
    """Another worker serves, from the same files."""
    with BinaryServer([binary], cwd=tmp_path) as server:
        first = server.worker_pid()
        server.send_signal(signal.SIGHUP)
        server.wait_for_log(r"Hang up: Master|Handling signal: hup")
        # The check before a reload starts the program once more.
        wait_until(
            lambda: not Path(f"/proc/{first}").exists(),
            "the first worker to end",
            limit=3 * TIME_LIMIT,
        )
        assert server.worker_pid() != first
        with connect(server) as stream:
            stream.wait_for("version")
            assert_clean_end(server, stream)


def test_sigkill(binary: Path, tmp_path: Path) -> None:
    """Who kills what was started does not leave the rest of it running, the port taken."""
    env = {"TMPDIR": str(tmp_path)}  # its files do stay
    with BinaryServer([binary], env=env, cwd=tmp_path) as server, connect(server) as stream:
        stream.wait_for("version")
        worker = server.worker_pid()
        server.send_signal(signal.SIGKILL)
        stream.wait_for("server_restart")
        wait_until(lambda: not Path(f"/proc/{worker}").exists(), "the worker to end")


def test_systemd(binary: Path, tmp_path: Path) -> None:
    """Sockets, readiness and watchdog work though systemd knows only the process above."""
    with FakeManager(tmp_path) as manager, socket.create_server(("127.0.0.1", 0)) as listener:
        env = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "1000000"}
        start = socket_activated(listener, [str(binary), "serve"])
        with Server(start, env=env, cwd=tmp_path, listener=listener) as server:
            assert [manager.told() for _ in range(2)] == ["READY=1", "WATCHDOG=1"]
            server.send_signal(signal.SIGTERM)
            manager.told_until("STOPPING=1")
            assert server.wait() == 0


def test_size_and_start(binary: Path, tmp_path: Path) -> None:
    """One file of a bearable size; from its start to its end: under 2 s of processor time."""
    assert binary.stat().st_size < SIZE_BYTES
    before = _seconds_of_children()
    with BinaryServer([binary], cwd=tmp_path) as server, connect(server) as stream:
        stream.wait_for("version")
    assert 0 < _seconds_of_children() - before < START_SECONDS


def _seconds_of_children() -> float:
    """Processor time of all processes that have ended; what others do here adds nothing to it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
