"""Processes that tasks leave behind do not become zombies."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.live.processes.orphans import assert_orphans_are_reaped
from tests.support.backend_client import connect
from tests.support.http.message import Ended
from tests.support.processes.first_process import FirstProcess
from tests.support.processes.server import ROOT, GunicornServer

TASK = {"APP_TASKS": "tests.live.tasks.orphan_task:OrphanTask"}

# gunicorn ends when a worker ends with status 3 or 4 (could not boot, could not load).
STATUSES = [0, 3, 4]


def test_orphans(tmp_path: Path) -> None:
    """The arbiter adopts orphans with any exit status, and goes on."""
    with GunicornServer(env=TASK) as server:
        assert_orphans_are_reaped(server, tmp_path, STATUSES)


@pytest.mark.skipif(os.geteuid() != 0, reason="a process namespace needs root")
def test_as_the_first_process(tmp_path: Path) -> None:
    """As the first process of a container, the arbiter adopts orphans and stops on SIGTERM."""
    command = [sys.executable, "-m", "app", "serve"]
    with FirstProcess(command, env=TASK, cwd=ROOT) as server:
        assert_orphans_are_reaped(server, tmp_path, STATUSES)
        with connect(server) as stream:
            stream.wait_for("version")
            server.send_signal(signal.SIGTERM)
            assert stream.wait_for_end() is Ended.CLEAN
        assert server.wait() == 0
