"""The figures of a server with several workers, from any of them, while workers come and go."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.app.services.metrics.exposition import checked
from tests.support.backend_client import connect
from tests.support.http.client import request
from tests.support.http.message import Ended
from tests.support.processes.process_table import first_siblings
from tests.support.processes.server import Server, ServeServer
from tests.support.timing import wait_until

OPENED = 'sse_gateway_connections_total{action="connect"}'
SAME_ORIGIN = [("Sec-Fetch-Site", "same-origin")]


def scrape(server: Server) -> dict[str, float]:
    """Return what one scrape shows. Each connection may reach another worker."""
    return checked(request(server.port, "GET", "/metrics").body)


@pytest.fixture
def server() -> Iterator[Server]:
    """Start a server with two workers."""
    with ServeServer(workers=2, env={"FLASK_ENV": "development"}) as running:
        wait_until(lambda: scrape(running)["sse_workers"] == 2, "both workers")
        yield running


def console(server: Server, method: str, path: str, body: Any = None) -> Any:
    """Return an answer of the console."""
    response = request(
        server.port, method, f"/console/api/{path}", headers=SAME_ORIGIN, json_body=body
    )
    assert response.status in (200, 204), response
    return json.loads(response.body) if response.body else None


def streams_of_workers(values: dict[str, float]) -> list[float]:
    """Return the streams of each worker."""
    return [value for name, value in values.items() if name.startswith("sse_worker_streams{")]


def test_figures_of_all_workers(server: Server) -> None:
    """Sums are right from any worker; a kill and a reload make no counter go back."""
    with ExitStack() as stack:
        streams = [stack.enter_context(connect(server)) for _ in range(20)]
        seen: dict[str, float] = {}

        def look() -> dict[str, float]:
            values = scrape(server)
            for name, value in values.items():
                if name.partition("{")[0].endswith(("_total", "_bucket", "_count", "_sum")):
                    assert value >= seen.get(name, 0.0), name
                    seen[name] = value
            return values

        values = look()
        assert (values[OPENED], values["sse_gateway_active_connections"]) == (20, 20)
        assert sum(streams_of_workers(values)) == 20
        assert min(streams_of_workers(values)) > 0, "each worker has some"
        state = json.loads(request(server.port, "GET", "/api/gateway").body)
        assert (state["streams"], len(state["workers"])) == (20, 2)

        # The list and the end of a stream, wherever it is.
        for _ in range(4):
            listed = console(server, "GET", "streams")
            assert (listed["total"], {row["worker"] for row in listed["streams"]}) == (20, {1, 2})
        for worker in (1, 2):
            token = next(row["token"] for row in listed["streams"] if row["worker"] == worker)
            console(server, "POST", f"streams/{token}/close", {})
        wait_until(lambda: sum(s.poll().ended is Ended.CLEAN for s in streams) == 2, "two ends")

        # An event of either worker is a delivery of each stream.
        delivered = "sse_gateway_broadcast_deliveries_total"
        for number in (1, 2, 3, 4):
            console(server, "POST", "events", {"name": "n", "data": 1})
            wait_until(lambda count=18 * number: look()[delivered] == count, "the deliveries")

        killed = first_siblings(server.pid)[0]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: killed not in server.worker_pids(), "another worker")
        wait_until(lambda: look()["sse_workers"] == 2, "both workers")
        assert look()[OPENED] == 20
        before = server.worker_pids()
        server.send_signal(signal.SIGHUP)
        wait_until(lambda: not set(before) & set(first_siblings(server.pid)), "the old workers")
        values = look()
        assert (values[OPENED], values["sse_gateway_active_connections"]) == (20, 0)
        wait_until(lambda: look()["sse_workers"] == 2, "both workers")
        wait_until(lambda: look()["sse_workers_silent"] == 0, "an answer of both workers")
        assert server.terminate() == 0
