"""Browsers that all come back while a backend is slow: nobody stands in line with them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.faults.attacks.attack import Attack
from tests.faults.attacks.user_tasks import SSE_AUTHORIZE
from tests.faults.canary.canary import MAX_RATIO, disturbance
from tests.support.backend_client import connect
from tests.support.http.client import request
from tests.support.processes.server import GunicornServer, Server

BROWSERS = 5000
"""More than twice the 2,000 requests that a server works on at a time."""


@pytest.fixture(params=["a gateway on a port", "the monolith"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server whose backend, or whose SSE_AUTHORIZE, takes 4.5 s for those of the attack."""
    hook = {"SSE_AUTHORIZE": SSE_AUTHORIZE, "SSE_INTERNAL_SEND": "on"}
    with ExitStack() as stack:
        if request.param == "the monolith":
            yield stack.enter_context(GunicornServer(env={"FLASK_ENV": "testing", **hook}))
            return
        command = [sys.executable, "-m", "tests.faults.floods.slow_backend", "{port}"]
        backend = stack.enter_context(Server(command))
        env = {"CALLBACK_URL": f"{backend.url}/callback", "HOST": "127.0.0.1"}
        yield stack.enter_context(Server([sys.executable, "-m", "gateway_shim"], env=env))


def reconnecting(server: Server, browsers: int) -> Attack:
    """Return an attack: browsers that come back once, as fast as they can."""
    return Attack("reconnecting", server.port, connections=browsers, rate=100_000, again=0)


def test_a_slow_backend_makes_nobody_else_wait(server: Server) -> None:
    """Health checks and sends are answered, and one more connect is told to come back later."""
    with connect(server, "quick") as stream:
        seen = disturbance(server.port, lambda: reconnecting(server, BROWSERS))
        print(seen)
        assert (seen.failed, seen.ratio < MAX_RATIO) == (0, True), seen
        with reconnecting(server, 1000):
            send = request(server.port, "POST", "/internal/send", json_body={"token": "nobody's"})
            one_more = request(server.port, "GET", "/api/sse/stream?request_id=quick")
        assert send.status == 404
        assert (one_more.status, one_more.head.get("Retry-After")) == (503, "5")
        assert json.loads(one_more.body)["error"]["code"] == "TOO_MANY_CONNECTIONS"
        assert stream.poll().ended is None
