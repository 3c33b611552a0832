"""The backend as a systemd service: readiness, watchdog, socket activation."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.support.backend_client import connect, start_task
from tests.support.http.client import request
from tests.support.processes.server import Server, ServeServer
from tests.support.processes.systemd import FakeManager, socket_activated
from tests.support.timing import TIME_LIMIT

WATCHDOG_SECONDS = 0.4
FED = "WATCHDOG=1"


def watched(manager: FakeManager) -> dict[str, str]:
    """The environment of a unit with ``Type=notify`` and ``WatchdogSec=``."""
    return {
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1e6)),
        "WATCHDOG_PID": "1",
        "FLASK_ENV": "testing",
    }


def test_a_life(tmp_path: Path) -> None:
    """READY when requests are answered, and not before; then food; STOPPING at SIGTERM."""
    with FakeManager(tmp_path) as manager, ServeServer(env=watched(manager)) as server:
        assert manager.told() == "READY=1"
        assert [manager.told() for _ in range(3)] == [FED, FED, FED]
        with connect(server) as stream:
            stream.wait_for("version")
            server.send_signal(signal.SIGTERM)
            stream.wait_for("server_restart")
        assert set(manager.told_until("STOPPING=1")) <= {FED, "STOPPING=1"}
        assert server.wait() == 0
        while (told := manager.told(0.01)) is not None:
            assert told == FED
        assert "was not told" not in server.log


def test_the_watchdog_starves_when_the_loop_is_blocked(tmp_path: Path) -> None:
    """A hook that blocks the loop: no food while it does, and food again after it."""
    (tmp_path / "blocking_hook.py").write_text(
        "import os\n"
        "def authorize(request_id, url, headers):\n"
        f"    with open({str(tmp_path / 'gate')!r}) as gate:\n"  # a FIFO: gevent cannot see it
        "        gate.read()\n"
    )
    os.mkfifo(tmp_path / "gate")
    with FakeManager(tmp_path) as manager:
        hook = {"SSE_AUTHORIZE": "blocking_hook:authorize", "APP_TASKS_PATH": str(tmp_path)}
        with ServeServer(env=watched(manager) | hook) as server:
            manager.told_until(FED)
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(
                    b"GET /api/sse/stream?request_id=a HTTP/1.1\r\nHost: localhost\r\n\r\n"
                )
                # Silence for two of the watchdog's limits: systemd would have acted.
                while manager.told(2 * WATCHDOG_SECONDS) is not None:
                    pass
                with open(tmp_path / "gate", "w"):
                    pass
                assert manager.told() == FED
                client.settimeout(TIME_LIMIT)
                assert client.recv(12) == b"HTTP/1.1 200"


def test_a_worker_that_drains_is_fed_on(tmp_path: Path) -> None:
    """SIGTERM to the worker: while it waits for a task, and nobody follows yet, it is alive."""
    with FakeManager(tmp_path) as manager, ServeServer(env=watched(manager)) as server:
        manager.told_until("READY=1")
        task = start_task(server, "demo_task", steps=1000, delay=WATCHDOG_SECONDS)
        os.kill(server.worker_pid(), signal.SIGTERM)
        server.wait_for_log("shutdown begins")
        # The worker now waits for its task. It is fed for more than five limits.
        assert [manager.told() for _ in range(20)] == [FED] * 20
        answer = request(server.port, "POST", f"/api/tasks/{task}/cancel")
        assert answer.status == 200, answer.body
        told = manager.told_until("READY=1")  # the next worker
        assert set(told) <= {FED, "READY=1"}


def test_a_replaced_worker_says_nothing_more(tmp_path: Path) -> None:
    """SIGHUP: the next worker says READY, and nobody says STOPPING."""
    with FakeManager(tmp_path) as manager, ServeServer(env=watched(manager)) as server:
        manager.told_until("READY=1")
        server.send_signal(signal.SIGHUP)
        assert set(manager.told_until("READY=1")) == {FED, "READY=1"}


@pytest.mark.parametrize("command", ["serve", "gateway"])
def test_socket_activation(command: str) -> None:
    """The socket that is handed over is served, though its address is taken: by itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        start = socket_activated(listener, [sys.executable, "-m", "app", command])
        with Server(start, listener=listener) as server:
            assert request(server.port, "GET", "/healthz").status == 200
            assert server.terminate() == 0
        # What systemd holds goes on listening: clients wait for the next process.
        with socket.create_connection(("127.0.0.1", listener.getsockname()[1]), 1):
            pass
