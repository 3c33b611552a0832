"""Floods of reconnecting browsers while the backend is slow."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection

import pytest

from tests.faults.attacks.attack import Attack
from tests.faults.attacks.user_tasks import SSE_AUTHORIZE
from tests.faults.canary.canary import MAX_RATIO, disturbance
from tests.support.backend_client import connect
from tests.support.http.client import request
from tests.support.processes.server import GatewayServer, GunicornServer, Server
from tests.support.timing import TIME_LIMIT, TimeLimitPassed

BROWSERS = 5000
"""The number of browsers: more than twice the 2,000 requests that a server handles at a time."""


@pytest.fixture(params=["a gateway on a port", "the monolith"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Start a server whose backend or authorization hook takes 4.5 s for streams of the attack."""
    hook = {"SSE_AUTHORIZE": SSE_AUTHORIZE, "SSE_INTERNAL_SEND": "on"}
    with ExitStack() as stack:
        if request.param == "the monolith":
            yield stack.enter_context(GunicornServer(env={"FLASK_ENV": "testing", **hook}))
            return
        command = [sys.executable, "-m", "tests.faults.floods.slow_backend", "{port}"]
        backend = stack.enter_context(Server(command))
        env = {"CALLBACK_URL": f"{backend.url}/callback"}
        yield stack.enter_context(GatewayServer(env=env))


def reconnecting(server: Server, browsers: int) -> Attack:
    """Return an attack of browsers that connect once, as fast as possible."""
    return Attack("reconnecting", server.port, connections=browsers, rate=100_000, again=0)


def refusal(server: Server) -> tuple[str | None, str]:
    """Ask for streams until one is refused with 503, because enough browsers of the attack wait.

    Returns:
        The refusal's Retry-After, and its code.
    """
    deadline = time.monotonic() + TIME_LIMIT
    while time.monotonic() < deadline:
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=TIME_LIMIT)) as connection:
            connection.request("GET", "/api/sse/stream?request_id=one-more")
            with closing(connection.getresponse()) as answer:
                if answer.status == 503:
                    return answer.headers["Retry-After"], json.load(answer)["error"]["code"]
    raise TimeLimitPassed("no stream was refused")


def test_a_slow_backend_delays_no_other_request(server: Server) -> None:
    """Health checks and sends get responses, and one more stream is refused with Retry-After."""
    with connect(server, "quick") as stream:
        seen = disturbance(server.port, lambda: reconnecting(server, BROWSERS))
        print(seen)
        assert (seen.failed, seen.ratio < MAX_RATIO) == (0, True), seen
        with reconnecting(server, 1000):
            send = request(server.port, "POST", "/internal/send", json_body={"token": "nobody's"})
            one_more = refusal(server)
        assert send.status == 404
        assert one_more == ("5", "TOO_MANY_CONNECTIONS")
        assert stream.poll().ended is None
