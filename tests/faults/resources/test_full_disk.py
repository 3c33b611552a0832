"""The disk is full, so the log cannot be written."""

from __future__ import annotations

import signal

import pytest

from tests.faults.conftest import Tally
from tests.faults.resources.shell_commands import GUNICORN, SERVE
from tests.faults.undisturbed import assert_whole
from tests.support.backend_client import connect, start_task, task_story
from tests.support.http.client import request
from tests.support.processes.server import Server


@pytest.mark.parametrize(("name", "command"), [("gunicorn", GUNICORN), ("serve", SERVE)])
def test_the_log_cannot_be_written(name: str, command: str, tally: Tally) -> None:
    """A full disk behind both outputs changes nothing, and the server ends with status 0."""
    with Server(["sh", "-c", f"{command} > /dev/full 2>&1"]) as server, connect(server) as stream:
        stream.wait_for("version")
        task = start_task(server, "demo_task", steps=100, delay=0.002)
        assert_whole(task_story(stream, task), 100)
        with pytest.raises(AssertionError):
            connect(server, "a:b")
        assert request(server.port, "GET", "/nowhere").status == 404
        server.send_signal(signal.SIGTERM)
        stream.wait_for("server_restart")
        assert stream.wait_for_end() == "clean"
        assert server.wait() == 0
    tally(f"disk full for logs, {name}", 102, 102, "log lines")
