"""What a machine runs out of: descriptors, disk; and its clock, when somebody sets it."""

from __future__ import annotations

import ast
import os
import signal
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import gevent
import pytest

from tests.faults.conftest import Tally
from tests.faults.undisturbed import assert_whole
from tests.support.backend_client import active_streams, connect, start_task, task_story
from tests.support.http.client import Connection, request, request_bytes
from tests.support.processes.process_table import descriptors
from tests.support.processes.server import ROOT, GunicornServer, Server
from tests.support.timing import wait_until

GUNICORN = f"exec {sys.executable} -m gunicorn -c gunicorn.conf.py -b 127.0.0.1:{{port}}"
SERVE = f"exec {sys.executable} -m app serve --port {{port}}"
APPLICATION = "'app:create_app()'"


def test_descriptors_run_out(tally: Tally) -> None:
    """Streams past the limit are told to wait, open ones go on, the log stays quiet; it passes."""
    command = ["sh", "-c", f"ulimit -n 300 && {GUNICORN} {APPLICATION}"]
    with Server(command) as server, ExitStack() as stack:
        worker = server.worker_pid()
        streams = [stack.enter_context(connect(server)) for _ in range(150)]
        refused: Counter[tuple[int, str | None]] = Counter()
        for number in range(30):
            with Connection(server.port) as connection:
                connection.send(request_bytes("GET", f"/api/sse/stream?request_id={number}"))
                answer = connection.read_response()
                assert answer.json()["error"]["code"] == "TOO_MANY_CONNECTIONS"
                refused[answer.status, answer.head.get("Retry-After")] += 1
        assert refused == {(503, "5"): 30}
        task = start_task(server, "demo_task", steps=100, delay=0.02)
        lines = len(server.log.splitlines())
        # Connections that say nothing make room for each other before descriptors run out.
        idle = [stack.enter_context(Connection(server.port)) for _ in range(200)]
        assert request(server.port, "GET", "/healthz").status == 200
        assert descriptors(worker) < 290
        for stream in streams:
            assert_whole(task_story(stream, task), 100)
        said = server.log.splitlines()[lines:]
        assert not any("accept" in line.lower() for line in said)
        assert len(said) < 200
        for connection in idle:
            connection.close()
        streams[0].close()
        wait_until(lambda: active_streams(server) == 149, "a place to be free")
        with connect(server) as late:
            late.wait_for("version")
        assert server.terminate() == 0
        tally("descriptors used up, 150 streams", 150 * 102, 150 * 102, "30 connects refused, 503")


@pytest.mark.parametrize(
    ("name", "command"), [("gunicorn", f"{GUNICORN} {APPLICATION}"), ("serve", SERVE)]
)
def test_the_log_cannot_be_written(name: str, command: str, tally: Tally) -> None:
    """With a full disk behind both outputs everything works, and the end has status 0."""
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


OTHER_CLOCK = """
import os, time
real = time.time
time.time = lambda: real() + float(open(os.environ["CLOCK_OFFSET_FILE"]).read())
time.time_ns = lambda: int(time.time() * 1e9)
"""


def test_the_clock_is_set(tmp_path: Path, tally: Tally) -> None:
    """A day on, then two back: heartbeats, tasks and the shutdown keep their time."""
    offset = tmp_path / "offset"
    offset.write_text("0")
    # Python runs this before anything else, in the arbiter and in the worker.
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
        for jump in ("86400", "-86400"):
            task = start_task(server, "demo_task", steps=25, delay=0.02)
            stream.wait_for("task_event")
            (tmp_path / "next").write_text(jump)
            os.replace(tmp_path / "next", offset)  # it is read at any moment
            assert_whole(task_story(stream, task), 25)
            days.add(date(server))
        assert len(days) == 3  # it does live on other days
        # They go on, and none comes before its time.
        stream.wait_for_comments(len(stream.comments) + 2)
        for number, moment in enumerate(stream.comment_times, 1):
            assert moment - before > number - 0.05
        task = start_task(server, "demo_task", steps=20, delay=0.02)
        server.send_signal(signal.SIGTERM)
        assert_whole(task_story(stream, task), 20)
        stream.wait_for("server_restart")
        assert stream.wait_for_end() == "clean"
        assert server.wait() == 0
    tally("the clock set a day on, then two back", 76, 76, "nothing")


def date(server: Server) -> str:
    """The day that a server's answers have."""
    value = request(server.port, "GET", "/healthz").head.get("Date")
    assert value is not None
    return value[:16]


WATCH = (ROOT / "app" / "watch.py", ROOT / "app" / "sse_connection.py")


def test_no_duration_is_taken_from_the_wall_clock() -> None:
    """``time.time`` is used nowhere in the two packages that serve."""
    found = []
    for path in [*(ROOT / "app").rglob("*.py"), *(ROOT / "gateway_shim").rglob("*.py")]:
        if path.is_relative_to(ROOT / "app" / "bench") or path in WATCH:
            continue  # clients: they compare with times that events and Retry-After carry
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "time.time":
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []


def test_idle_costs_nothing() -> None:
    """A server with a hundred silent streams uses less than a tenth of a processor."""
    command = ["sh", "-c", f"{GUNICORN} {APPLICATION}"]
    with Server(command) as server, ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(connect(server))
        worker = server.worker_pid()
        before = processor_seconds(worker)
        gevent.sleep(1)
        assert processor_seconds(worker) - before < 0.1


def processor_seconds(pid: int) -> float:
    """How long a process has kept a processor busy."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
