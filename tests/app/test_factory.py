"""The application as the factory builds it."""

from __future__ import annotations

import re

import pytest
from dependency_injector import providers
from flask import jsonify

from app.config import InvalidSettings
from app.lifecycle import LifetimeEvent
from app.services.connections.send_outcome import SendOutcome, SendReport
from app.serving.backend_runtime import STREAM_PATH, BackendRuntime
from gateway_shim.server.runtime import EXTENSION, runtime_of
from tests.app.conftest import MakeApp


def test_every_route(make_app: MakeApp) -> None:
    """The application has the routes of the HTTP API, and none that Flask adds."""
    app = make_app(flask_env="testing")
    rules = {
        (rule.rule, method)
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }
    assert rules >= {
        ("/api/sse/callback", "POST"),
        (STREAM_PATH, "GET"),
        ("/internal/send", "POST"),
        ("/api/gateway", "GET"),
        ("/api/tasks", "GET"),
        ("/api/tasks", "POST"),
        ("/api/tasks/<task_id>", "DELETE"),
        ("/api/tasks/<task_id>/cancel", "POST"),
        ("/api/tasks/<task_id>/status", "GET"),
        ("/api/testing/deployments/version", "POST"),
        ("/api/testing/logs/stream", "GET"),
        ("/api/testing/sse/task-event", "POST"),
        ("/api/testing/tasks/start", "POST"),
        ("/health/healthz", "GET"),
        ("/health/readyz", "GET"),
        ("/healthz", "GET"),
        ("/readyz", "GET"),
        ("/metrics", "GET"),
        ("/console", "GET"),
        ("/console/login", "GET"),
        ("/console/login", "POST"),
        ("/console/logout", "POST"),
        ("/console/api/session", "GET"),
        ("/console/api/operations", "GET"),
        ("/console/api/operations/watch", "POST"),
        ("/console/static/<path:name>", "GET"),
    }
    assert "static" not in app.view_functions


def test_no_route_of_the_console_is_left_unchecked(make_app: MakeApp) -> None:
    """In production without a password, every route below /console is closed."""
    app = make_app(flask_env="production")
    paths = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/console")}
    assert len(paths) > 5
    for path in paths:
        path = re.sub("<any\\((\\w+).*?>", r"\1", path)
        path = re.sub("<[^>]*>", "x", path)
        answer = app.test_client().get(path)
        assert (path, answer.status_code) == (path, 404)
        assert "SSE_CONSOLE_PASSWORD" in answer.get_json()["error"]


def test_the_runtime(make_app: MakeApp) -> None:
    """The worker finds the gateway of the container."""
    app = make_app()
    runtime = runtime_of(app)
    assert isinstance(runtime, BackendRuntime)
    assert runtime.gateway is app.extensions["container"].gateway()


def test_applications_share_no_service(make_app: MakeApp) -> None:
    """Two applications in one process have separate streams and counters."""
    one, two = (make_app().extensions["container"] for _ in range(2))
    assert one.connection_manager() is not two.connection_manager()
    two.metrics_service().connection_opened()
    line = 'sse_gateway_connections_total{action="connect"} 1.0'
    assert [line in each.metrics_service().render().decode() for each in (one, two)] == [
        False,
        True,
    ]


def test_the_end_of_one_application_is_not_the_others(make_app: MakeApp) -> None:
    """Each application answers with its own services, whichever was made first."""
    one, two = make_app(), make_app(flask_env="production", sse_callback_secret="s3cret")
    two.extensions["container"].shutdown_coordinator().shutdown()
    ready = {name: app.test_client().get("/readyz") for name, app in (("1", one), ("2", two))}
    assert {name: answer.status_code for name, answer in ready.items()} == {"1": 200, "2": 503}
    one.extensions["container"].metrics_service().connection_opened()
    line = 'sse_gateway_connections_total{action="connect"} 1.0'
    assert [line in app.test_client().get("/metrics").text for app in (one, two)] == [True, False]
    callback = {"action": "disconnect", "token": "t", "reason": "x", "request": {"url": "/"}}
    answers = [app.test_client().post("/api/sse/callback", json=callback) for app in (one, two)]
    assert [answer.status_code == 401 for answer in answers] == [False, True]


def test_settings_decide_where_streams_are(make_app: MakeApp) -> None:
    """If another gateway serves the streams, the metrics of this one are not shown."""
    name = "sse_gateway_slow_consumers"
    here = make_app().test_client().get("/metrics").text
    there = make_app(sse_gateway_url="http://127.0.0.1:1").test_client().get("/metrics").text
    assert (name in here, name in there) == (True, False)


@pytest.mark.parametrize(
    ("name", "value"), [("app_tasks", "nowhere:Task"), ("sse_authorize", "nowhere:function")]
)
def test_an_import_that_fails_is_an_error_at_the_start(
    make_app: MakeApp, name: str, value: str
) -> None:
    """A task or a hook that cannot be imported is an error at the start."""
    with pytest.raises(InvalidSettings, match=rf"^{name.upper()}: .*nowhere"):
        make_app(**{name: value})


def test_the_version_is_observed_from_the_start(make_app: MakeApp) -> None:
    """A stream gets its version before any view has used the version service."""
    manager = make_app().extensions["container"].connection_manager()
    sent: list[str | None] = []
    report = SendReport(SendOutcome.SUCCESS)
    manager.send = lambda request_id, *_: sent.append(request_id) or report
    manager._registry._holds = lambda token: token == "T"  # as if the gateway had the stream
    manager.on_connect("me", "T", "/")
    assert sent == ["me"]


def test_the_order_of_the_shutdown(make_app: MakeApp) -> None:
    """At SHUTDOWN, the last events of tasks are sent before the streams are drained."""
    app = make_app(graceful_shutdown_timeout=0)
    container = app.extensions["container"]
    steps: list[str] = []
    gateway = container.gateway()
    gateway.drain = lambda *_: steps.append("drain")
    service = container.task_service()
    coordinator = container.shutdown_coordinator()
    names = [getattr(callback, "__self__", None) for callback in coordinator._callbacks]
    assert names.index(service) < names.index(app.extensions[EXTENSION])
    coordinator.register_lifetime_notification(lambda event: steps.append(event.value))
    coordinator.shutdown()
    assert steps == [
        LifetimeEvent.PREPARE_SHUTDOWN.value,
        "drain",
        LifetimeEvent.SHUTDOWN.value,
        LifetimeEvent.AFTER_SHUTDOWN.value,
    ]


def test_fakes_reach_the_views(make_app: MakeApp) -> None:
    """A view uses the service that a test has put into the container."""

    class Coordinator:
        def is_shutting_down(self) -> bool:
            return True

    app = make_app()
    app.extensions["container"].shutdown_coordinator.override(providers.Object(Coordinator()))
    assert app.test_client().get("/readyz").status_code == 503


def test_json_keeps_its_order(make_app: MakeApp) -> None:
    """The keys of a JSON answer keep their order."""
    with make_app().app_context():
        assert jsonify(b=1, a=2).get_data() == b'{"b":1,"a":2}\n'
