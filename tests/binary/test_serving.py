"""The server of the binary, in an empty environment without Python."""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import socket
import sys
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

RESTART_DATA = {"reason": "server_shutdown"}
START_RATIO = 2.0
"""The processor time of a start from the binary, relative to a start from the source."""
SIZE_BYTES = 40_000_000

USER_TASK = '''
import csv, lzma  # modules that the program itself does not need
import os

from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle


class Found(BaseModel):
    text: str


class UserTask(BaseTask):
    """Returns the library path that a program which it starts gets."""

    name = "user_task"

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: object) -> Found:
        progress_handle.send_progress("half", 0.5)
        return Found(text=os.environ.get("LD_LIBRARY_PATH", "unset"))
'''


def unpacked(folder: Path) -> list[str]:
    """Return the folders that the binary has unpacked into its temporary folder."""
    return sorted(name for name in os.listdir(folder) if name.startswith("_MEI"))


def assert_clean_end(server: Server, stream: Stream) -> None:
    """Stop the server, and check that the stream ends cleanly and the status is 0."""
    server.send_signal(signal.SIGTERM)
    assert json.loads(stream.wait_for("server_restart").data) == RESTART_DATA
    assert stream.wait_for_end() is Ended.CLEAN
    assert server.wait() == 0
    assert "Traceback" not in server.log


def test_streams_and_tasks(binary: Path, tmp_path: Path) -> None:
    """The binary serves streams and tasks, ends cleanly, and leaves no files."""
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
    """The binary serves on a machine that has only glibc and zlib."""
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
    """A task in a folder works, and its programs get the library path of the user."""
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
    """The process that was started forwards signals to its child processes."""
    with BinaryServer([binary], cwd=tmp_path) as server, connect(server) as stream:
        stream.wait_for("version")
        server.send_signal(number)
        stream.wait_for("server_restart")
        assert server.wait() == 0


def test_sighup(binary: Path, tmp_path: Path) -> None:
    """After SIGHUP, another worker serves from the same files."""
    with BinaryServer([binary], cwd=tmp_path) as server:
        first = server.worker_pid()
        server.send_signal(signal.SIGHUP)
        server.wait_for_log(r"Hang up: Master|Handling signal: hup")
        # The check before a reload starts the program again.
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
    """After SIGKILL of the process that was started, the other processes end."""
    env = {"TMPDIR": str(tmp_path)}  # the unpacked files remain
    with BinaryServer([binary], env=env, cwd=tmp_path) as server, connect(server) as stream:
        stream.wait_for("version")
        worker = server.worker_pid()
        server.send_signal(signal.SIGKILL)
        stream.wait_for("server_restart")
        wait_until(lambda: not Path(f"/proc/{worker}").exists(), "the worker to end")


def test_systemd(binary: Path, tmp_path: Path) -> None:
    """Sockets, readiness and watchdog work, although systemd knows only the outer process."""
    with FakeManager(tmp_path) as manager, socket.create_server(("127.0.0.1", 0)) as listener:
        env = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "1000000"}
        start = socket_activated(listener, [str(binary), "serve"])
        with Server(start, env=env, cwd=tmp_path, listener=listener) as server:
            assert [manager.next_message() for _ in range(2)] == ["READY=1", "WATCHDOG=1"]
            server.send_signal(signal.SIGTERM)
            manager.messages_until("STOPPING=1")
            assert server.wait() == 0


def test_size_and_start(binary: Path, tmp_path: Path) -> None:
    """The binary is small, and starts and ends in about the time that the source needs.

    The least processor time of two starts counts: other programs' use of the processor's caches
    makes every start slower, by up to half.
    """
    assert binary.stat().st_size < SIZE_BYTES
    commands: dict[str, list[str | Path]] = {
        "binary": [binary],
        "source": [sys.executable, "-m", "app"],
    }
    seconds: dict[str, float] = dict.fromkeys(commands, math.inf)
    for name, command in 2 * list(commands.items()):
        before = _seconds_of_children()
        with BinaryServer(command, cwd=tmp_path) as server, connect(server) as stream:
            stream.wait_for("version")
        seconds[name] = min(seconds[name], _seconds_of_children() - before)
    assert 0 < seconds["binary"] < START_RATIO * seconds["source"]


def _seconds_of_children() -> float:
    """Return the processor time of all child processes that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
