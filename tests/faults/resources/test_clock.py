"""The clock of the machine is set."""

from __future__ import annotations

import ast
import os
import signal
import time
from pathlib import Path

from tests.faults.conftest import Tally
from tests.faults.undisturbed import assert_whole
from tests.support.backend_client import connect, start_task, task_story
from tests.support.http.client import request
from tests.support.processes.server import ROOT, GunicornServer, Server

OTHER_CLOCK = """
import os, time
real = time.time
time.time = lambda: real() + float(open(os.environ["CLOCK_OFFSET_FILE"]).read())
time.time_ns = lambda: int(time.time() * 1e9)
"""
"""A ``sitecustomize`` module that adds the number in a file to the time of the clock."""


def test_the_clock_is_set(tmp_path: Path, tally: Tally) -> None:
    """Heartbeats, tasks and the shutdown keep their time when the clock is set to other days."""
    offset = tmp_path / "offset"
    offset.write_text("0")
    # Python imports this module first, in the arbiter and in the worker.
    (tmp_path / "sitecustomize.py").write_text(OTHER_CLOCK)
    env = {
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
        "CLOCK_OFFSET_FILE": str(offset),
        "HEARTBEAT_INTERVAL_SECONDS": "1",
        "TASK_TIMEOUT_SECONDS": "30",
    }
    before = time.monotonic()
    with GunicornServer(env=env) as server, connect(server) as stream:
        stream.wait_for("version")
        days = {date(server)}
        for jump in ("86400", "-172800"):  # so three days, even if the test runs at midnight
            task = start_task(server, "demo_task", steps=25, delay=0.02)
            stream.wait_for("task_event")
            (tmp_path / "next").write_text(jump)
            # The replacement is atomic, because the server reads the file at any moment.
            os.replace(tmp_path / "next", offset)
            assert_whole(task_story(stream, task), 25)
            days.add(date(server))
        assert len(days) == 3  # the server is really on other days
        # Heartbeats go on, and none of them comes too early.
        stream.wait_for_comments(len(stream.comments) + 2)
        # The first comment is the beginning of the stream.
        for number, moment in enumerate(stream.comment_times):
            assert moment - before > number - 0.05
        task = start_task(server, "demo_task", steps=20, delay=0.02)
        server.send_signal(signal.SIGTERM)
        assert_whole(task_story(stream, task), 20)
        stream.wait_for("server_restart")
        assert stream.wait_for_end() == "clean"
        assert server.wait() == 0
    tally("the clock set a day on, then three back", 76, 76, "nothing")


def date(server: Server) -> str:
    """Return the day in the Date header of a server's response."""
    value = request(server.port, "GET", "/healthz").head.get("Date")
    assert value is not None
    return value[:16]


CLIENTS = (ROOT / "app" / "bench", ROOT / "app" / "watch")
"""Clients, which compare the clock with the times in events and in Retry-After."""


def test_no_duration_is_taken_from_the_wall_clock() -> None:
    """The two packages that serve do not use ``time.time``."""
    found = []
    for path in [*(ROOT / "app").rglob("*.py"), *(ROOT / "gateway_shim").rglob("*.py")]:
        if any(map(path.is_relative_to, CLIENTS)):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "time.time":
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []
