"""The checks of every request for the backend's own routes."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from flask import Blueprint, Flask, request
from werkzeug.test import TestResponse

from tests.app.conftest import MakeApp

PAGE = "https://app.example"
EVIL = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
START = {"task_type": "demo_task", "params": {"steps": 1, "delay": 0}}
READS = [("GET", "/api/tasks"), ("GET", "/metrics"), ("GET", "/api/gateway")]
WRITES = [
    ("POST", "/api/tasks"),
    ("POST", "/api/tasks/some/cancel"),
    ("DELETE", "/api/tasks/some"),
    ("POST", "/api/sse/callback"),
    ("POST", "/internal/send"),
    ("POST", "/api/testing/tasks/start"),
    ("POST", "/api/testing/deployments/version"),
    ("POST", "/api/testing/sse/task-event"),
]


def ask(app: Flask, method: str, path: str, **more: Any) -> TestResponse:
    """Send a request, with a JSON body where a method has a body and no other is given."""
    if method == "POST" and "data" not in more and "json" not in more:
        more["json"] = START
    return app.test_client().open(path, method=method, **more)


def refused(app: Flask) -> dict[str, int]:
    """Return the number of refused requests by reason."""
    counts = app.extensions["container"].refusals().by_reason
    return {reason: count for reason, count in counts.items() if count}


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """Return the application in testing mode, with a route that a deployment has added."""
    made = make_app(flask_env="testing", sse_internal_send="on", cors_origins=PAGE)
    others = Blueprint("others", __name__)
    others.add_url_rule(
        "/their/write", view_func=lambda: request.get_data(), methods=["POST", "DELETE"]
    )
    made.register_blueprint(others)
    made.add_url_rule("/write", view_func=lambda: "done", methods=["POST"])
    return made


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_write_of_another_page(app: Flask, method: str, path: str) -> None:
    """A write of a page of another origin is refused with 403; a listed origin may write."""
    answer = ask(app, method, path, headers=EVIL)
    assert (answer.status_code, "CORS_ORIGINS" in str(answer.json)) == (403, True)
    assert refused(app) == {"cross_site": 1}
    assert app.extensions["container"].task_service().list_tasks().tasks == []
    for headers in ({**EVIL, "Origin": PAGE}, {"Origin": "http://localhost"}, {}):
        body = None if method == "DELETE" else {}
        assert ask(app, method, path, json=body, headers=headers).status_code != 403
    assert refused(app) == {"cross_site": 1}


def test_the_log_stream_is_checked(app: Flask) -> None:
    """The log stream is refused to pages of other origins; reads are left to CORS."""
    assert ask(app, "GET", "/api/testing/logs/stream", headers=EVIL).status_code == 403
    for path in ("/api/tasks", "/metrics", "/healthz"):
        assert ask(app, "GET", path, headers=EVIL).status_code == 200
    assert ask(app, "HEAD", "/api/testing/logs/stream", headers=EVIL).status_code == 200


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_preflight_is_answered(app: Flask, method: str, path: str) -> None:
    """A preflight request of a listed origin is answered with the CORS headers."""
    headers = {**EVIL, "Access-Control-Request-Method": method}
    answer = ask(app, "OPTIONS", path, headers=headers)
    assert (answer.status_code, "Access-Control-Allow-Origin" in answer.headers) == (200, False)


@pytest.mark.parametrize(("method", "path"), [*WRITES, *READS])
def test_another_host(app: Flask, method: str, path: str) -> None:
    """A request for a name that was made to mean 127.0.0.1 is refused, also if it reads."""
    environ = {"SERVER_NAME": "127.0.0.1"}
    headers = {"Host": "evil.example:5000", "Origin": "http://evil.example:5000"}
    answer = ask(app, method, path, headers=headers, environ_overrides=environ)
    assert (answer.status_code, "ALLOWED_HOSTS" in str(answer.json)) == (403, True)
    assert refused(app) == {"host_not_allowed": 1}


def test_health_checks_under_any_host(app: Flask) -> None:
    """A health check is answered under every host name."""
    for path in ("/healthz", "/readyz", "/health/healthz", "/health/readyz"):
        answer = ask(
            app,
            "GET",
            path,
            headers={"Host": "10.1.2.3"},
            environ_overrides={"SERVER_NAME": "127.0.0.1"},
        )
        assert answer.status_code == 200


def test_a_unix_socket_knows_no_host(make_app: MakeApp) -> None:
    """At a Unix socket, only ALLOWED_HOSTS limits the host."""
    with socket.socket(socket.AF_UNIX) as connection:
        environ = {"gunicorn.socket": connection, "SERVER_NAME": "127.0.0.1"}
        headers = {"Host": "app.example"}
        for allowed, status in (("", 200), ("app.example", 200), ("b.example", 403)):
            app = make_app(allowed_hosts=allowed)
            answer = ask(app, "GET", "/api/tasks", headers=headers, environ_overrides=environ)
            assert answer.status_code == status


@pytest.mark.parametrize(("method", "path"), [write for write in WRITES if "send" not in write[1]])
def test_a_body_that_is_not_json(app: Flask, method: str, path: str) -> None:
    """A write whose body is not JSON is answered with 415, even if its view reads no body."""
    for content_type in ("text/plain", "application/x-www-form-urlencoded", None):
        answer = ask(app, method, path, data=b'{"a": 1}', content_type=content_type)
        assert (answer.status_code, answer.json) == (
            415,
            {"error": "The body must be JSON: send Content-Type: application/json"},
        )
    assert refused(app) == {"not_json": 3}
    assert ask(app, method, path, data=b"").status_code != 415
    assert ask(app, method, path, data=b"{}", content_type="application/x+json").status_code != 415


def test_sends_keep_their_own_answer(app: Flask) -> None:
    """A send without JSON is answered as the gateway contract says."""
    answer = ask(app, "POST", "/internal/send", data=b"{}", content_type="text/plain")
    body: Any = answer.json
    assert (answer.status_code, body["error"]["code"]) == (400, "INVALID_JSON")


def test_routes_of_a_deployment_are_not_checked(app: Flask) -> None:
    """A route that a deployment has added is not checked."""
    more: dict[str, Any] = {
        "headers": {**EVIL, "Host": "evil.example"},
        "environ_overrides": {"SERVER_NAME": "127.0.0.1"},
        "data": b"text",
        "content_type": "text/plain",
    }
    assert ask(app, "POST", "/their/write", **more).data == b"text"
    assert ask(app, "DELETE", "/their/write", **more).status_code == 200
    assert ask(app, "POST", "/write", **more).data == b"done"
    assert ask(app, "POST", "/nowhere", **more).status_code == 404
    assert refused(app) == {}


@pytest.mark.parametrize(
    ("settings", "server", "tasks", "metrics"),
    [
        ({}, "127.0.0.1", 200, 200),
        ({}, "0.0.0.0", 404, 404),
        ({"allow_open": "tasks"}, "0.0.0.0", 200, 404),
        ({"flask_env": "production"}, "127.0.0.1", 404, 404),
        ({"flask_env": "production", "allow_open": "metrics"}, "0.0.0.0", 404, 200),
        ({"flask_env": "production", "allow_open": "metrics,tasks"}, "0.0.0.0", 200, 200),
        ({"flask_env": "production", "admin_bind": "127.0.0.1:81"}, "0.0.0.0", 404, 404),
        (
            {"flask_env": "production", "admin_bind": "127.0.0.1:81", "allow_open": "tasks"},
            "0.0.0.0",
            200,
            404,
        ),
        ({"flask_env": "production", "admin_bind": "127.0.0.1:80"}, "127.0.0.1", 200, 200),
    ],
)
def test_where_tasks_and_metrics_are_served(
    make_app: MakeApp, settings: dict[str, Any], server: str, tasks: int, metrics: int
) -> None:
    """Production serves tasks and metrics only where ADMIN_BIND and ALLOW_OPEN say."""
    app = make_app(**settings)
    environ = {"SERVER_NAME": server, "SERVER_PORT": "80"}
    for path, status in (("/api/tasks", tasks), ("/metrics", metrics), ("/api/gateway", metrics)):
        assert ask(app, "GET", path, environ_overrides=environ).status_code == status
    status = ask(app, "POST", "/api/tasks", json={}, environ_overrides=environ).status_code
    assert status == (400 if tasks == 200 else 404)
    for path in ("/healthz", "/readyz"):
        assert ask(app, "GET", path, environ_overrides=environ).status_code == 200


def test_a_closed_area_is_logged_once(make_app: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """The client gets a plain 404, and the log says once what to set."""
    app = make_app(flask_env="production")
    for _ in range(3):
        assert ask(app, "GET", "/metrics").json == {"error": "There is nothing at /metrics"}
    assert refused(app) == {"not_open": 3}
    message = "not served at this address; see ADMIN_BIND and ALLOW_OPEN"
    assert [record.getMessage() for record in caplog.records].count(message) == 1
