"""The backend as a systemd service: readiness, watchdog and socket activation."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.support.backend_client import connect, start_task
from tests.support.http.client import Connection, request, request_bytes
from tests.support.processes.server import Server, ServeServer
from tests.support.processes.systemd import FakeManager, socket_activated

WATCHDOG_SECONDS = 0.4
ALIVE = "WATCHDOG=1"


def watched(manager: FakeManager) -> dict[str, str]:
    """Return the environment of a unit with ``Type=notify`` and ``WatchdogSec=``."""
    return {
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1e6)),
        "WATCHDOG_PID": "1",
        "FLASK_ENV": "testing",
    }


def test_notifications(tmp_path: Path) -> None:
    """The service sends READY when it answers, then WATCHDOG, and STOPPING after SIGTERM."""
    with FakeManager(tmp_path) as manager, ServeServer(env=watched(manager)) as server:
        assert manager.next_message() == "READY=1"
        assert [manager.next_message() for _ in range(3)] == [ALIVE, ALIVE, ALIVE]
        with connect(server) as stream:
            stream.wait_for("version")
            server.send_signal(signal.SIGTERM)
            stream.wait_for("server_restart")
        assert set(manager.messages_until("STOPPING=1")) <= {ALIVE, "STOPPING=1"}
        assert server.wait() == 0
        while (message := manager.next_message(0.01)) is not None:
            assert message == ALIVE
        assert "was not told" not in server.log


def test_the_watchdog_of_a_blocked_loop(tmp_path: Path) -> None:
    """While a hook blocks the loop, no watchdog messages are sent. They come again afterwards."""
    (tmp_path / "blocking_hook.py").write_text(
        "import os\n"
        "def authorize(request_id, url, headers):\n"
        f"    with open({str(tmp_path / 'gate')!r}) as gate:\n"  # a FIFO blocks the loop
        "        gate.read()\n"
    )
    os.mkfifo(tmp_path / "gate")
    with FakeManager(tmp_path) as manager:
        hook = {"SSE_AUTHORIZE": "blocking_hook:authorize", "APP_TASKS_PATH": str(tmp_path)}
        with ServeServer(env=watched(manager) | hook) as server:
            manager.messages_until(ALIVE)
            with Connection(server.port) as client:
                client.send(request_bytes("GET", "/api/sse/stream?request_id=a"))
                # Silence for two watchdog limits: systemd would have restarted the service.
                while manager.next_message(2 * WATCHDOG_SECONDS) is not None:
                    pass
                with open(tmp_path / "gate", "w"):
                    pass
                assert manager.next_message() == ALIVE
                assert client.read_head().status == 200


def test_a_draining_worker_is_alive(tmp_path: Path) -> None:
    """A worker that waits for its task after SIGTERM still sends watchdog messages."""
    with FakeManager(tmp_path) as manager, ServeServer(env=watched(manager)) as server:
        manager.messages_until("READY=1")
        task = start_task(server, "demo_task", steps=1000, delay=WATCHDOG_SECONDS)
        os.kill(server.worker_pid(), signal.SIGTERM)
        server.wait_for_log("shutdown begins")
        # The worker now waits for its task, for more than five watchdog limits.
        assert [manager.next_message() for _ in range(20)] == [ALIVE] * 20
        answer = request(server.port, "POST", f"/api/tasks/{task}/cancel")
        assert answer.status == 200, answer.body
        messages = manager.messages_until("READY=1")  # the next worker
        assert set(messages) <= {ALIVE, "READY=1"}


def test_a_replaced_worker_sends_nothing(tmp_path: Path) -> None:
    """After SIGHUP the next worker sends READY, and no process sends STOPPING."""
    with FakeManager(tmp_path) as manager, ServeServer(env=watched(manager)) as server:
        manager.messages_until("READY=1")
        server.send_signal(signal.SIGHUP)
        assert set(manager.messages_until("READY=1")) == {ALIVE, "READY=1"}


@pytest.mark.parametrize("command", ["serve", "gateway"])
def test_socket_activation(command: str) -> None:
    """The server uses the socket that systemd passes, although its address is already in use."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        start = socket_activated(listener, [sys.executable, "-m", "app", command])
        with Server(start, listener=listener) as server:
            assert request(server.port, "GET", "/healthz").status == 200
            assert server.terminate() == 0
        # The socket of systemd still listens, so clients wait for the next process.
        with socket.create_connection(("127.0.0.1", listener.getsockname()[1]), 1):
            pass
