"""The process runs out of file descriptors."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack

from tests.faults.conftest import Tally
from tests.faults.resources.shell_commands import GUNICORN
from tests.faults.undisturbed import assert_whole
from tests.support.backend_client import active_streams, connect, start_task, task_story
from tests.support.http.client import Connection, request, request_bytes
from tests.support.processes.process_table import descriptors
from tests.support.processes.server import Server
from tests.support.timing import wait_until


def test_descriptors_run_out(tally: Tally) -> None:
    """Streams beyond the descriptor limit are refused with Retry-After, and open streams go on."""
    command = ["sh", "-c", f"ulimit -n 300 && {GUNICORN}"]
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
        # Idle connections displace each other before the descriptors run out.
        idle = [stack.enter_context(Connection(server.port)) for _ in range(200)]
        assert request(server.port, "GET", "/healthz").status == 200
        assert descriptors(worker) < 290
        for stream in streams:
            assert_whole(task_story(stream, task), 100)
        added = server.log.splitlines()[lines:]
        assert not any("accept" in line.lower() for line in added)
        assert len(added) < 200
        for connection in idle:
            connection.close()
        streams[0].close()
        wait_until(lambda: active_streams(server) == 149, "a free place")
        with connect(server) as late:
            late.wait_for("version")
        assert server.terminate() == 0
        tally("descriptors used up, 150 streams", 150 * 102, 150 * 102, "30 connects refused, 503")
