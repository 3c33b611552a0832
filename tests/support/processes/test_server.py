"""Tests of the servers that tests start in child processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from gateway_shim.parity.ports import free_port
from tests.support.http.client import request
from tests.support.processes.server import GunicornServer, Server, ServerFailed
from tests.support.timing import wait_until

pytestmark = pytest.mark.slow

PROGRAM = """
import os, signal, subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ.get("SAY", "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

def main():
    print("settings:", os.environ.get("LOG_FORMAT"), os.environ["PORT"])
    if "child" in sys.argv:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        print("child:", child.pid)
    if "stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *args: sys.exit(7))
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()

main()
"""


def command(*arguments: str) -> list[str]:
    """Return the command of a small server with these options."""
    return [sys.executable, "-c", PROGRAM, "{port}", *arguments]


def gone(pid: int) -> bool:
    """Return True if a process has ended, even if its parent has not waited for it yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_answers_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server answers from the start of its block, gets only the test's settings, and stops."""
    monkeypatch.setenv("LOG_FORMAT", "json")
    with Server(command(), env={"SAY": "hello"}) as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert request(server.port, "GET", "/").body == b"hello"
        assert server.wait_for_log(r"settings: (.*)")[1] == f"None {server.port}"
        assert server.terminate() == 7
        assert server.terminate() == 7
    assert gone(server.pid)


def test_failed_start_shows_output() -> None:
    """The error for a server that ends at once has its status and its output."""
    program = "import sys; print('no such thing'); sys.exit(3)"
    with pytest.raises(ServerFailed, match=r"status 3 before it answered\n  \| no such thing"):
        Server([sys.executable, "-c", program]).__enter__()


def test_no_stray_process() -> None:
    """A child process that a server has left behind is killed at the end of the block."""
    with Server(command("child")) as server:
        child = int(server.wait_for_log(r"child: (\d+)")[1])
        assert server.worker_pid() == child
        assert server.terminate() == 7
        assert not gone(child)
    wait_until(lambda: gone(child), "the child's end")


def test_stubborn_server_is_killed() -> None:
    """A server that ignores SIGTERM is an error, and it is killed."""
    server = Server(command("stubborn"))
    with server, pytest.raises(ServerFailed, match=r"still running after 0\.1 s"):
        server.terminate(limit=0.1)
    assert server.terminate() == -9


def test_error_of_the_test_is_kept() -> None:
    """An error in the block is raised unchanged, and the server is stopped."""
    server = Server(command())
    with pytest.raises(ZeroDivisionError), server:
        raise ZeroDivisionError
    assert gone(server.pid)


APPLICATION = """
import os

def application(environ, start_response):
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""


def test_gunicorn(tmp_path: Path) -> None:
    """The worker of gunicorn is not its arbiter, and gunicorn ends with status 0."""
    (tmp_path / "conf.py").write_text("control_socket_disable = True\n")
    (tmp_path / "example_for_gunicorn.py").write_text(APPLICATION)
    with GunicornServer(
        "--pythonpath",
        str(tmp_path),
        application="example_for_gunicorn:application",
        config=str(tmp_path / "conf.py"),
    ) as server:
        body = request(server.port, "GET", "/").body
        assert body == b"%d" % server.worker_pid()
        assert server.worker_pid() != server.pid
        assert server.terminate() == 0
    assert gone(server.pid)


def test_free_port_is_free() -> None:
    """No server listens on a free port."""
    with pytest.raises(ConnectionRefusedError):
        request(free_port(), "GET", "/")
