"""The directory of the event log, of servers that are started, killed and stopped."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

from tests.support.backend_client import connect
from tests.support.processes.process_table import only_descendant
from tests.support.processes.server import GunicornServer, Server, ServeServer
from tests.support.timing import wait_until


def private_directories(pid: int) -> list[Path]:
    """Return the private directories of an arbiter in memory."""
    return list(Path("/dev/shm").glob(f"sse-monolith-{os.geteuid()}-{pid}-*"))


def epoch_of(server: Server) -> bytes:
    """Return the epoch of the cursor at the beginning of a new stream."""
    with connect(server) as stream:
        stream.wait_for("version")
        found = re.search(rb"^id: (\w+)-\d+$", stream.raw, re.MULTILINE)
    assert found, stream.raw
    return found[1]


def next_worker(server: Server, *before: int) -> int:
    """Wait until another worker is the only one, and return its process id."""

    def find() -> int | None:
        pid = only_descendant(server.pid)
        return None if pid in before else pid

    return wait_until(find, lambda: f"a worker other than {before}")


def test_one_server_at_a_time_has_the_state_directory(tmp_path: Path) -> None:
    """A second start names the process of the first server; a killed arbiter blocks no start.

    The next server continues the log.
    """
    env = {"SSE_STATE_DIR": str(tmp_path / "state")}
    serve = [sys.executable, "-m", "app", "serve", "--port", "{port}"]
    with ServeServer(env=env) as first:
        worker, epoch = first.worker_pid(), epoch_of(first)
        with Server(serve, env=env, ready_path=None) as second:
            assert second.wait() == 1
        assert second.log.splitlines()[-1] == (
            f"sse-monolith: SSE_STATE_DIR: {tmp_path}/state is used by the server with process id"
            f" {first.pid}; stop that server, or give this one another directory"
        )
        assert "Traceback" not in second.log
        assert private_directories(first.pid) == []
        os.kill(worker, signal.SIGSTOP)  # the worker outlives its arbiter
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        with GunicornServer(env=env) as third:
            os.kill(worker, 0)
            assert epoch_of(third) == epoch
        os.kill(worker, signal.SIGKILL)
    assert (tmp_path / "state" / "sse-monolith.lock").exists()


def test_a_private_directory_lasts_as_long_as_the_server() -> None:
    """The workers after a crash and of a reload have one directory, which the stop removes.

    So they continue one log.
    """
    with ServeServer() as server:
        (directory,) = private_directories(server.pid)
        first, epoch = server.worker_pid(), epoch_of(server)
        os.kill(first, signal.SIGKILL)
        second = next_worker(server, first)
        assert epoch_of(server) == epoch
        server.send_signal(signal.SIGHUP)
        next_worker(server, first, second)
        assert epoch_of(server) == epoch
        assert private_directories(server.pid) == [directory]
        assert server.terminate() == 0
        assert private_directories(server.pid) == []
