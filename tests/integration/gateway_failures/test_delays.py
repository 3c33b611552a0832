"""A gateway that responds slowly or never."""

from __future__ import annotations

import json
import uuid
from typing import Any

import gevent

from tests.app.services.remote_gateway.http_gateway import OK, HttpGateway
from tests.integration.gateway_failures.registered_streams import (
    LIMIT,
    SETTINGS,
    SLACK,
    RegisteredStreams,
    hang,
)
from tests.integration.installation import SECRET
from tests.support.http.client import request
from tests.support.processes.server import GunicornServer
from tests.support.timing import TIME_LIMIT, wait_until


def backend_settings(gateway: HttpGateway, **more: str) -> dict[str, str]:
    """Return the settings of a backend that sends to the fake gateway."""
    env = {"FLASK_ENV": "testing", "SSE_CALLBACK_SECRET": SECRET, "SSE_GATEWAY_URL": gateway.url}
    return SETTINGS | env | more


def test_silence_costs_one_time_limit(streams: RegisteredStreams) -> None:
    """A silent gateway delays a connect by one time limit, and a task by little more."""
    streams.connect(20)
    streams.gateway.respond = hang
    assert streams.connect()[0] < LIMIT + SLACK
    seconds = streams.run_task(steps=10)
    assert seconds < LIMIT + 12 * 0.1 + 2 * SLACK
    assert streams.installation.active == 21
    streams.gateway.respond = lambda send: OK
    wait_until(
        lambda: streams.run_task(steps=1) < LIMIT and streams.sent("success") > 0,
        "the backend to notice that the gateway is back",
    )


def test_silence_delays_no_other_request(streams: RegisteredStreams) -> None:
    """While a broadcast waits, every other request gets its response at once."""
    streams.connect(50)
    streams.gateway.respond = hang
    waiting = gevent.spawn(streams.run_task, steps=5)
    slowest = 0.0
    while not waiting.ready():
        for path in ("/healthz", "/readyz", "/metrics", "/api/tasks"):
            with streams.stopwatch() as watch:
                assert request(streams.backend.port, "GET", path).status == 200
            slowest = max(slowest, watch.seconds)
    assert slowest < SLACK
    waiting.get()


def test_silence_during_a_replacement(streams: RegisteredStreams) -> None:
    """A replaced stream costs one time limit for the close and the version together."""
    request_id = str(uuid.uuid4())
    for _ in range(2):
        token = f"token-{uuid.uuid4()}"
        streams.tokens.append(token)
        with streams.stopwatch() as watch:
            assert streams.installation.callback("connect", token, request_id).status == 200
        streams.gateway.respond = hang
    assert watch.seconds < LIMIT + SLACK
    assert streams.installation.active == 1


def test_a_slow_gateway_gets_everything_in_order(gateway: HttpGateway) -> None:
    """A slow gateway gets every event of every stream, in order."""

    def respond(send: dict[str, Any]) -> bytes:
        gevent.sleep(0.02)
        return OK

    gateway.stop()  # ends requests of the last test that hang
    gateway.start()
    gateway.respond = lambda send: OK
    # A send that takes longer than the time limit is given up, which a busy machine must not cause.
    env = backend_settings(gateway, SSE_GATEWAY_TIMEOUT_SECONDS=str(TIME_LIMIT))
    with GunicornServer(env=env) as server:
        streams = RegisteredStreams(gateway, server)
        streams.connect(40)
        gateway.respond = respond
        gateway.bodies.clear()
        gateway.most_at_once = 0
        streams.run_task(steps=10)
        wait_until(
            lambda: all(len(gateway.data_of(token)) == 12 for token in streams.tokens),
            "every stream to have every event",
        )
        stories = [
            [json.loads(data)["data"].get("value") for data in gateway.data_of(token)][1:-1]
            for token in streams.tokens
        ]
        assert stories == [sorted(stories[0])] * 40
        assert gateway.most_at_once <= 16
        streams.disconnect()
        assert streams.installation.active == 0
        assert "Traceback" not in server.log


def test_a_shutdown_does_not_wait_for_a_silent_gateway(gateway: HttpGateway) -> None:
    """SIGTERM in the middle of a send to a silent gateway ends the backend with status 0."""
    gateway.respond = lambda send: OK
    env = backend_settings(gateway, GRACEFUL_SHUTDOWN_TIMEOUT="3600")
    with GunicornServer(env=env) as server:
        streams = RegisteredStreams(gateway, server)
        streams.connect(5)
        gateway.respond = hang
        streams.installation.start_task("demo_task", steps=5, delay=0.05)
        assert server.terminate() == 0
        assert "Traceback" not in server.log
