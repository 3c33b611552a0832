"""The processes of the binary: as the first process of a container, orphans, multiprocessing."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from tests.binary.machine import BinaryServer, run
from tests.live.processes.orphans import assert_orphans_are_reaped
from tests.support.backend_client import connect
from tests.support.http.message import Ended
from tests.support.processes.first_process import FirstProcess
from tests.support.processes.server import ROOT
from tests.support.timing import TIME_LIMIT, wait_until

STATUSES = [0, 3, 4]

FLAGS = ["-B", "-S", "-I"]
"""The flags of the Python in the binary, which multiprocessing passes to its processes."""

PARENT = """
import math, multiprocessing, sys

sys.frozen = True  # the executable that multiprocessing starts is not a Python
multiprocessing.set_executable(sys.argv[1])
for method in ("spawn", "forkserver"):
    with multiprocessing.get_context(method).Pool(1) as pool:
        print(method, pool.map(math.sqrt, [4, 9]), flush=True)
        pool.close()
        pool.join()
"""
"""A program that uses :mod:`multiprocessing` as the binary does, without gevent."""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Return an environment with a task that leaves processes behind, and with a shell."""
    return {
        "APP_TASKS": "orphan_task:OrphanTask",
        "APP_TASKS_PATH": str(ROOT / "tests" / "live" / "tasks"),
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "TMPDIR": str(tmp_path),
    }


def test_orphans(binary: Path, tmp_path: Path, env: dict[str, str]) -> None:
    """gunicorn adopts orphans, below the process that was started."""
    with BinaryServer([binary], env=env, cwd=tmp_path) as server:
        assert_orphans_are_reaped(server, tmp_path, STATUSES)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_as_the_first_process(
    binary: Path, tmp_path: Path, env: dict[str, str], number: signal.Signals, as_root: None
) -> None:
    """As the first process of a container, the process that unpacks the binary forwards signals."""
    env |= {"FLASK_ENV": "testing"}
    with FirstProcess([str(binary), "serve"], env=env, cwd=tmp_path) as server:
        server.env["PORT"] = str(server.port)
        assert_orphans_are_reaped(server, tmp_path, STATUSES)
        first = server.worker_pid()
        server.send_signal(signal.SIGHUP)
        # The check before a reload starts the program again.
        wait_until(
            lambda: not Path(f"/proc/{first}").exists(),
            "the first worker to end",
            limit=3 * TIME_LIMIT,
        )
        with connect(server) as stream:
            stream.wait_for("version")
            server.send_signal(number)
            assert stream.wait_for_end() is Ended.CLEAN
            data = [json.loads(event.data) for event in stream.events]
            assert {"reason": "server_shutdown"} in data
        assert server.wait() == 0


def test_multiprocessing(binary: Path, tmp_path: Path) -> None:
    """A process of multiprocessing is the binary itself, and does its work."""
    ran = run(
        [sys.executable, *FLAGS, "-c", PARENT, binary], env={"TMPDIR": str(tmp_path)}, cwd=tmp_path
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "spawn [2.0, 3.0]\nforkserver [2.0, 3.0]\n"
