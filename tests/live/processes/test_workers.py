"""A server with several workers: its start, a crash, a reload, and its end."""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.live.tasks.gated_task import GATED_TASK
from tests.support.backend_client import connect
from tests.support.http.client import Connection, request, request_bytes
from tests.support.http.message import Ended
from tests.support.http.stream import Stream, StreamNotOpened
from tests.support.processes.process_table import first_siblings
from tests.support.processes.server import GunicornServer, Server, ServeServer
from tests.support.processes.systemd import FakeManager
from tests.support.processes.workers import EachWorker, connections_of
from tests.support.timing import wait_until

TESTING = {"FLASK_ENV": "testing"}
ALIVE = "WATCHDOG=1"


def shares(server: Server) -> list[int]:
    """Return how many connections each worker has, oldest worker first."""
    return [connections_of(pid, server.port) for pid in server.worker_pids()]


def open_streams(stack: ExitStack, server: Server, count: int) -> list[Stream]:
    """Open streams one after the other. They are closed at the end of the stack."""
    streams = [stack.enter_context(connect(server)) for _ in range(count)]
    for stream in streams:
        stream.wait_for("version")
    return streams


def refused(server: Server) -> bool:
    """Return True if a stream is refused because there are too many."""
    with pytest.raises(StreamNotOpened) as failed:
        connect(server)
    return failed.value.response.head.status == 503 and b"TOO_MANY" in failed.value.response.body


def serving_workers(server: Server) -> list[int]:
    """Return the process ids of the workers, oldest first, once each has answered a request."""
    workers = server.worker_pids()
    with closing(EachWorker(server)) as each:
        for pid in workers:
            each.ask(pid, "GET", "/healthz")
    return workers


def test_a_crash_and_a_reload_under_streams() -> None:
    """A killed worker is replaced alone, and gets the browsers that come back.

    A reload then replaces both workers, and ends every stream cleanly.
    """
    with ExitStack() as stack, ServeServer(workers=2, env=TESTING) as server:
        server.wait_for_log(r"\n  Workers          2\n")
        first, second = serving_workers(server)
        streams = open_streams(stack, server, 60)
        before = shares(server)
        assert sum(before) == 60
        # A machine that stops a process for 50 ms gives its connections to the other one.
        assert min(before) > 0
        os.kill(first, signal.SIGKILL)
        server.wait_for_log(rf"Worker \(pid:{first}\) was sent SIGKILL")
        wait_until(lambda: second in (pids := server.worker_pids()) and first not in pids, "a new")
        wait_until(
            lambda: sum(stream.poll().ended is not None for stream in streams) == before[0],
            "the streams of the killed worker to end",
        )
        living = [stream for stream in streams if stream.ended is None]
        assert len(living) == before[1]

        wait_until(lambda: _balances(stack, server, living), "the new worker to get its share")
        replaced = server.worker_pids()
        server.send_signal(signal.SIGHUP)
        for stream in living:
            stream.wait_for("server_restart")
            assert stream.wait_for_end() is Ended.CLEAN
            stream.close()
        wait_until(lambda: not set(replaced) & set(first_siblings(server.pid)), "the old workers")
        assert len(server.worker_pids()) == 2
        assert request(server.port, "GET", "/readyz").status == 200
        assert server.terminate() == 0
    assert "Traceback" not in server.log


def _balances(stack: ExitStack, server: Server, living: list[Stream]) -> bool:
    """Open one more stream; return True once the workers have nearly the same number."""
    living += open_streams(stack, server, 1)
    new = shares(server)
    return max(new) - min(new) <= 2 * 9


def test_one_worker_is_told_to_end(tmp_path: Path) -> None:
    """A worker that alone gets SIGTERM accepts no more, because the other one does."""
    gate = tmp_path / "gate"
    env = TESTING | {"APP_TASKS": GATED_TASK, "GRACEFUL_SHUTDOWN_TIMEOUT": "3600"}
    with GunicornServer(workers=2, env=env) as server:
        workers = serving_workers(server)  # one that serves alone would go on accepting
        with Connection(server.port) as client:
            task = {"task_type": "gated_task", "params": {"steps": 1, "gate": str(gate)}}
            headers = [("Content-Type", "application/json")]
            body = json.dumps(task).encode()
            client.send(request_bytes("POST", "/api/tasks", headers, body))
            assert client.read_response().status == 202
            _, own = client.socket.getsockname()
            (ending,) = [pid for pid in workers if connections_of(pid, server.port, own)]
        os.kill(ending, signal.SIGTERM)
        server.wait_for_log("shutdown begins")
        # It waits for its task. If it still accepted, it would say that it is not ready.
        answers = [request(server.port, "GET", "/readyz").status for _ in range(30)]
        assert Path(f"/proc/{ending}").exists()
        assert answers == [200] * 30
        gate.touch()
        wait_until(lambda: ending not in server.worker_pids(), "another worker")
        assert len(set(workers) & set(server.worker_pids())) == 1


def test_readiness_and_watchdog(tmp_path: Path) -> None:
    """READY comes once both workers serve. A stopped worker does not silence the other one."""
    gate, taken = tmp_path / "gate", tmp_path / "taken"
    os.mkfifo(gate)
    (tmp_path / "slow_tasks.py").write_text(
        "import os\n"
        "try:\n"
        f"    os.close(os.open({str(taken)!r}, os.O_CREAT | os.O_EXCL))\n"
        "except FileExistsError:\n"  # the second worker waits at the gate
        f"    if os.path.exists({str(gate)!r}):\n"
        f"        open({str(gate)!r}).read()\n"
        "from app.tasks.builtin.demo_task import DemoTask as Slow\n"
    )
    with FakeManager(tmp_path) as manager:
        watched = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "400000"}
        tasks = {"APP_TASKS": "slow_tasks:Slow", "APP_TASKS_PATH": str(tmp_path)}
        with ServeServer(workers=2, env=TESTING | watched | tasks) as server:
            assert [manager.next_message() for _ in range(3)] == [ALIVE] * 3
            with open(gate, "w"):
                gate.unlink()
            assert set(manager.messages_until("READY=1")) <= {ALIVE, "READY=1"}
            stopped, _ = server.worker_pids()
            os.kill(stopped, signal.SIGSTOP)
            try:
                assert [manager.next_message() for _ in range(12)] == [ALIVE] * 12
                assert request(server.port, "GET", "/healthz").status == 200
            finally:
                os.kill(stopped, signal.SIGCONT)
            server.send_signal(signal.SIGHUP)
            assert set(manager.messages_until("READY=1")) <= {ALIVE, "READY=1"}


def test_a_limit_for_four_workers() -> None:
    """SSE_MAX_CONNECTIONS holds for all workers together, also after a crash."""
    limit = TESTING | {"SSE_MAX_CONNECTIONS": "12"}
    with ExitStack() as stack, GunicornServer(workers=4, env=limit) as server:
        workers = server.worker_pids()
        streams = open_streams(stack, server, 12)
        assert sum(shares(server)) == 12
        assert refused(server)
        assert refused(server)
        lost = next(number for number, count in enumerate(shares(server)) if count)
        count = shares(server)[lost]
        os.kill(workers[lost], signal.SIGKILL)
        wait_until(lambda: workers[lost] not in server.worker_pids(), "another worker")
        wait_until(lambda: sum(s.poll().ended is not None for s in streams) == count, "the ends")
        open_streams(stack, server, count)
        assert refused(server)
        assert set(workers) - set(server.worker_pids()) == {workers[lost]}
        assert server.terminate() == 0
    assert "Traceback" not in server.log


NO_LOG = """
from app import create_app
from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.places import opening

def fail(*_):
    raise LogUnavailable("the disk is gone")

opening._open_files = fail
"""


def test_workers_that_cannot_use_the_log(tmp_path: Path) -> None:
    """Workers that cannot share a log end the server with a line that says why."""
    (tmp_path / "without_log.py").write_text(NO_LOG)
    with GunicornServer(
        *("--pythonpath", str(tmp_path)),
        env=TESTING,
        application="without_log:create_app()",
        ready_path=None,
        workers=2,
    ) as server:
        assert server.wait() == 3
        assert re.search("this worker cannot start +reason=.the disk is gone; each", server.log)
        assert "Traceback" not in server.log
