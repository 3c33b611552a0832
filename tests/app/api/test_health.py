"""The health checks ``/healthz`` and ``/readyz``."""

from __future__ import annotations

import pytest

from gateway_shim.parity.ports import free_port
from tests.app.conftest import MakeApp
from tests.app.services.remote_gateway.http_gateway import HttpGateway, http_answer


@pytest.mark.parametrize("below", ["", "/health"])
def test_ready_until_the_shutdown_begins(make_app: MakeApp, below: str) -> None:
    """Readiness ends with PREPARE_SHUTDOWN; the process stays alive until the end."""
    app = make_app()
    client, coordinator = app.test_client(), app.extensions["container"].shutdown_coordinator()
    during: list[tuple[int, object]] = []

    def look() -> list[tuple[int, object]]:
        answers = [client.get(below + path) for path in ("/healthz", "/readyz")]
        assert [answer.headers["Cache-Control"] for answer in answers] == ["no-store"] * 2
        return [(answer.status_code, answer.json) for answer in answers]

    coordinator.register_lifetime_notification(lambda _: during.extend(look()))
    alive = (200, {"status": "ok"})
    assert look() == [alive, (200, {"status": "ready"})]
    coordinator.shutdown()
    gone = (503, {"status": "not_ready", "error": "The server is shutting down"})
    assert during == [alive, gone] * 3
    assert look() == [alive, gone]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/health/healthz", "/health/readyz"])
def test_methods(make_app: MakeApp, path: str) -> None:
    """A health check may use HEAD; other methods are refused."""
    client = make_app().test_client()
    head = client.head(path)
    assert (head.status_code, head.headers["Cache-Control"], head.data) == (200, "no-store", b"")
    assert client.post(path).status_code == 405


def test_there_is_nothing_else_below_health(make_app: MakeApp) -> None:
    """Below /health there are only the two checks."""
    client = make_app().test_client()
    assert {client.get(path).status_code for path in ("/health", "/health/", "/health/x")} == {404}


def test_ready_if_the_gateway_is_ready(make_app: MakeApp) -> None:
    """With SSE_GATEWAY_URL, the readiness of that gateway counts."""
    with HttpGateway() as gateway:
        client = make_app(sse_gateway_url=gateway.url).test_client()
        assert (client.get("/readyz").status_code, client.get("/readyz").json) == (
            200,
            {"status": "ready"},
        )


def test_not_ready_while_the_gateway_is_not_ready(make_app: MakeApp) -> None:
    """A gateway that is not ready makes the server not ready, with the reason; it stays alive."""
    with HttpGateway() as gateway:
        gateway.readiness = http_answer(503, b'{"status":"not_ready","configured":false}')
        client = make_app(sse_gateway_url=gateway.url).test_client()
        for path in ("/readyz", "/health/readyz"):
            answer = client.get(path)
            assert (answer.status_code, answer.json) == (
                503,
                {
                    "status": "not_ready",
                    "error": "The gateway is not ready: it answered 503 to GET /readyz",
                },
            )
        assert client.get("/healthz").status_code == 200


def test_not_ready_without_the_gateway(make_app: MakeApp) -> None:
    """A gateway that cannot be reached makes the server not ready."""
    client = make_app(sse_gateway_url=f"http://127.0.0.1:{free_port()}").test_client()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (
        503,
        {"status": "not_ready", "error": "The gateway cannot be reached"},
    )


def test_a_shutdown_does_not_wait_for_the_gateway(make_app: MakeApp) -> None:
    """During the shutdown, the gateway is not asked."""
    app = make_app(sse_gateway_url="http://127.0.0.1:1", graceful_shutdown_timeout=0)
    asked: list[str] = []

    class Readiness:
        def problem(self) -> str:
            asked.append("asked")
            return "no"

    app.extensions["container"].gateway_readiness.override(Readiness())
    app.extensions["container"].shutdown_coordinator().shutdown()
    assert app.test_client().get("/readyz").json == {
        "status": "not_ready",
        "error": "The server is shutting down",
    }
    assert asked == []


def test_not_ready_before_the_log_of_redis_is_open(make_app: MakeApp) -> None:
    """The server is alive, and not ready before it knows of Redis."""
    client = make_app(sse_bus_url="redis://127.0.0.1:1").test_client()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (
        503,
        {"status": "not_ready", "error": "The log of events is not open yet"},
    )
    assert client.get("/healthz").status_code == 200
    assert b"sse_bus" not in client.get("/metrics").data
