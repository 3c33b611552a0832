"""Redis is away, full, or empty: what servers answer, and what their browsers get."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.conftest import Tally
from tests.faults.nothing_missed.publisher import Publisher, number_of
from tests.faults.redis.test_servers import env_of, is_ready
from tests.support.backend_client import connect, metric
from tests.support.http.client import request
from tests.support.processes.redis_server import RedisServer
from tests.support.processes.server import GunicornServer
from tests.support.resuming_client import ResumingClients
from tests.support.timing import Stopwatch, wait_until

pytestmark = pytest.mark.needs("redis")

CLIENTS = 20
BUS_SECONDS = 1
FAILED = "sse_log_appends_failed_total"


def why_not_ready(server: GunicornServer) -> str:
    """Wait until a server is not ready, and return the reason."""

    def reason() -> str | None:
        answer = request(server.port, "GET", "/readyz")
        return json.loads(answer.body)["error"] if answer.status == 503 else None

    return wait_until(reason, "the 503")


def refuses_an_event(server: GunicornServer) -> None:
    """Check that an event fails after the time that it may wait, and is counted."""
    before = metric(server, FAILED)
    body = {"request_id": "nobody", "version": "lost"}
    with Stopwatch(server.worker_pid()) as watch:
        answer = request(server.port, "POST", "/api/testing/deployments/version", json_body=body)
    assert answer.status == 503, answer.body
    assert watch.seconds < BUS_SECONDS + 2
    assert metric(server, FAILED) > before


def test_redis_is_away_full_and_empty(tally: Tally) -> None:
    """Streams stay open all the time, publishing fails in time, and a loss is told once."""
    settings = {"SSE_BUS_TIMEOUT_SECONDS": str(BUS_SECONDS), "HEARTBEAT_INTERVAL_SECONDS": "1"}
    with (
        RedisServer(("--appendonly", "yes", "--appendfsync", "always")) as redis,
        GunicornServer(env=env_of(redis) | settings) as here,
        GunicornServer(env=env_of(redis) | settings) as there,
        GunicornServer(env=env_of(redis, "other") | settings) as other,
        Publisher(here.port) as publisher,
        ResumingClients(here.port, CLIENTS, number_of) as of_here,
        ResumingClients(there.port, CLIENTS, number_of) as of_there,
        ResumingClients(other.port, 1, number_of) as of_other,
    ):
        servers = [here, there, other]
        clients = of_here.clients + of_there.clients
        publisher.publish(10)
        last = publisher.acknowledged[-1]
        for group in (of_here, of_there):
            group.wait_for(lambda client: client.numbers[-1:] == [last], "the events before")

        # Away.
        redis.kill()
        reasons = [why_not_ready(server) for server in servers]
        assert all("Redis" in reason for reason in reasons)
        assert request(here.port, "GET", "/healthz").status == 200
        assert metric(there, "sse_bus_ready") == 0
        refuses_an_event(here)
        refuses_an_event(there)
        beats = metric(there, "sse_gateway_heartbeats_total")
        wait_until(
            lambda: metric(there, "sse_gateway_heartbeats_total") >= beats + 2 * CLIENTS,
            "two heartbeats of each stream",
        )
        # What is here can be replayed, and what no server has published is not there.
        of_there.cut(of_there.clients[0])
        of_there.wait_for(lambda client: client.is_open, "the stream that was cut")

        # Back.
        redis.start()
        for server in servers:
            wait_until(lambda server=server: is_ready(server), "a server to be ready")
        publisher.publish(10)

        # Full. Nobody publishes, and the servers are ready again nevertheless.
        redis.do("CONFIG", "SET", "maxmemory", "1")
        assert "refuses" in why_not_ready(here)
        refuses_an_event(here)
        redis.do("CONFIG", "SET", "maxmemory", "0")
        wait_until(lambda: is_ready(here), "the server to be ready without an event")
        publisher.publish(10)
        last = publisher.acknowledged[-1]
        for group in (of_here, of_there):
            group.wait_for(lambda client: client.numbers[-1:] == [last], "the events after")
        assert [client.resyncs for client in clients] == [[]] * len(clients)
        assert [client.problems for client in clients] == [[]] * len(clients)
        due = sum(len(client.numbers) for client in clients)
        assert due == len(clients) * len(publisher.acknowledged)
        # Each stream was open all the time.
        opened = [client.opened for client in clients]
        assert opened == [2 if client is of_there.clients[0] else 1 for client in clients]

        # Empty: everybody has lost something, and is told once.
        redis.do("FLUSHALL")
        for group in (of_here, of_there, of_other):
            group.wait_for(lambda client: bool(client.resyncs), "the resync")
        publisher.publish(10)
        last = publisher.acknowledged[-1]
        for group in (of_here, of_there):
            group.wait_for(lambda client: client.numbers[-1:] == [last], "the events at the end")
        everybody = clients + of_other.clients
        assert [client.resyncs for client in everybody] == [["unknown"]] * len(everybody)
        assert [client.problems for client in clients] == [[]] * len(clients)
        # Another prefix is another environment.
        assert of_other.clients[0].numbers == []
    arrived = sum(len(client.numbers) for client in clients)
    tally(
        f"Redis away, full, and emptied: two servers, {len(clients)} streams",
        len(clients) * len(publisher.acknowledged),
        arrived,
        "nothing; after FLUSHALL each stream got one `resync`",
    )
    assert arrived == len(clients) * len(publisher.acknowledged)


def test_browsers_of_users_connect_while_redis_is_away(tmp_path: Path) -> None:
    """They do not wait for Redis one after the other, however long an event may wait for it."""
    (tmp_path / "users.py").write_text("def authorize(request_id, url, headers): return 'ann'\n")
    hook = {"SSE_AUTHORIZE": "users:authorize", "APP_TASKS_PATH": str(tmp_path)}
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        settings = env_of(redis) | hook | {"SSE_BUS_TIMEOUT_SECONDS": "60"}
        server = stack.enter_context(GunicornServer(env=settings, workers=2))
        wait_until(lambda: metric(server, "sse_workers") == 2, "both workers")
        first = stack.enter_context(connect(server, "first"))
        first.wait_for("version")
        redis.kill()
        for number in range(4):
            stream = stack.enter_context(connect(server, f"r{number}"))
            stream.wait_for("version")
        assert first.poll().ended is None
