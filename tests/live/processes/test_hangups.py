"""SIGHUP ends the server if its terminal was closed, and reloads it otherwise."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.backend_client import connect
from tests.support.http.client import request
from tests.support.http.message import Ended
from tests.support.processes.server import Server
from tests.support.processes.terminal import Terminal
from tests.support.timing import wait_until

SERVE = [sys.executable, "-m", "app", "serve"]
GUNICORN = [
    *(sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "--bind", "127.0.0.1:{port}"),
    "app:create_app()",
]
GATEWAY = [sys.executable, "-m", "gateway_shim"]
COMMANDS = pytest.mark.parametrize(
    "command", [SERVE, GUNICORN, GATEWAY], ids=["serve", "gunicorn", "gateway"]
)


def wait_until_free(server: Server) -> None:
    """Wait until the port of a server is closed."""

    def refused() -> bool:
        try:
            request(server.port, "GET", "/healthz")
        except OSError:
            return True
        return False

    wait_until(refused, f"port {server.port} to be free")


def assert_reloads(server: Server) -> None:
    """Check that SIGHUP makes the server replace its worker."""
    worker = server.worker_pid()
    server.send_signal(signal.SIGHUP)
    wait_until(lambda: not Path(f"/proc/{worker}").exists(), "the first worker to end")
    assert server.worker_pid() != worker
    assert request(server.port, "GET", "/healthz").status == 200


@COMMANDS
@pytest.mark.parametrize("output", [False, True], ids=["output elsewhere", "output there"])
def test_a_closed_terminal_ends_the_server(command: Sequence[str], output: bool) -> None:
    """A closed terminal ends the server with status 0, even if its output goes there."""
    with Terminal() as terminal, Server(terminal.command(command, output=output)) as server:
        worker = server.worker_pid()
        terminal.close()
        assert server.wait() == 0
        wait_until_free(server)
        assert not Path(f"/proc/{worker}").exists()
        assert "Traceback" not in server.log


@pytest.mark.parametrize("command", [SERVE, GUNICORN], ids=["serve", "gunicorn"])
def test_streams_end_cleanly_when_the_terminal_closes(command: Sequence[str]) -> None:
    """A worker that gets SIGHUP from a closing shell still ends its streams cleanly."""
    with Terminal() as terminal, Server(terminal.command(command)) as server:
        with connect(server) as stream:
            stream.wait_for("version")
            terminal.close()
            os.killpg(server.pid, signal.SIGHUP)
            stream.wait_for("server_restart")
            assert stream.wait_for_end() is Ended.CLEAN
        assert server.wait() == 0


@COMMANDS
def test_a_reload_while_the_terminal_is_there(command: Sequence[str]) -> None:
    """SIGHUP reloads a server whose terminal is open, and a server without a terminal."""
    with Terminal() as terminal, Server(terminal.command(command)) as server:
        assert_reloads(server)
    with Server(command) as server:
        assert_reloads(server)


@COMMANDS
def test_nohup(command: Sequence[str]) -> None:
    """A server that nohup has started survives the end of its terminal, and reloads."""
    with Terminal() as terminal, Server(terminal.command(["nohup", *command])) as server:
        worker = server.worker_pid()
        terminal.close()
        os.killpg(server.pid, signal.SIGHUP)
        wait_until(lambda: not Path(f"/proc/{worker}").exists(), "the first worker to end")
        assert_reloads(server)
