"""The processor time of a server that has nothing to do."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import gevent

from tests.support.backend_client import connect
from tests.support.processes.server import GunicornServer


def test_idle_costs_nothing() -> None:
    """A server with a hundred silent streams uses less than a tenth of a processor."""
    with GunicornServer() as server, ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(connect(server))
        worker = server.worker_pid()
        before = processor_seconds(worker)
        gevent.sleep(1)
        assert processor_seconds(worker) - before < 0.1


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
