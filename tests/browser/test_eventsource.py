"""The EventSource of a real browser."""

from __future__ import annotations

import json
import os
import signal
from contextlib import ExitStack

import pytest

from tests.browser.chromium import ChromiumPage
from tests.support.backend_client import connect, metric, start_task
from tests.support.http.client import request
from tests.support.processes.server import ROOT, GunicornServer

pytestmark = pytest.mark.needs("chromium", "playwright")


def test_events_restart_and_reconnect(browser: ChromiumPage) -> None:
    """A page gets all events of a stream, and reconnects after a restart of the server."""
    env = {"CORS_ORIGINS": browser.origin, "SSE_DRAIN_RETRY_SECONDS": "0.1"}
    with GunicornServer(env=env) as server:
        browser.open_stream(f"{server.url}/api/sse/stream?request_id=browser")
        seen = browser.wait("version")
        assert [entry["kind"] for entry in seen] == ["open", "version"]
        start_task(server, "demo_task", steps=3, delay=0)
        seen = browser.wait("task_event", 5)
        kinds = [json.loads(e["data"])["event_type"] for e in seen if e["kind"] == "task_event"]
        assert kinds == ["task_started", *["progress_update"] * 3, "task_completed"]
        port = server.port
        assert server.terminate() == 0
        seen = browser.wait("server_restart")
        restart = next(entry for entry in seen if entry["kind"] == "server_restart")
        assert json.loads(restart["data"]) == {"reason": "server_shutdown"}
    with GunicornServer("--bind", f"127.0.0.1:{port}", env=env):
        assert [e["kind"] for e in browser.wait("version", 2)].count("open") == 2


def test_a_reload_is_survived(browser: ChromiumPage) -> None:
    """A page reconnects to the new worker after SIGHUP."""
    with GunicornServer(env={"CORS_ORIGINS": browser.origin}) as server:
        browser.open_stream(f"{server.url}/api/sse/stream?request_id=browser")
        browser.wait("version")
        server.send_signal(signal.SIGHUP)
        kinds = [entry["kind"] for entry in browser.wait("version", 2)]
        assert kinds == ["open", "version", "server_restart", "error", "open", "version"]


def test_a_slow_end_is_survived(browser: ChromiumPage) -> None:
    """A page that reconnects while the old worker still ends gets a stream.

    Another client delays the end for seconds. A 503 would end the EventSource of the page for good.
    """
    env = {"CORS_ORIGINS": browser.origin, "FLASK_ENV": "testing"}
    env["SSE_DRAIN_RETRY_SECONDS"] = "0.1"  # the page is back long before the end
    with GunicornServer(env=env) as server, ExitStack() as stack:
        stack.enter_context(connect(server, receive_buffer=4096))
        while metric(server, "sse_gateway_behind_bytes") < 1_000_000:
            body = {"request_id": "nobody", "version": "2", "changelog": "x" * 20_000}
            path = "/api/testing/deployments/version"
            assert request(server.port, "POST", path, json_body=body).status == 202
        browser.open_stream(f"{server.url}/api/sse/stream?request_id=browser")
        browser.wait("version")
        os.kill(server.worker_pid(), signal.SIGTERM)
        seen = browser.wait("version", 2)
        assert [entry["kind"] for entry in seen].count("server_restart") >= 2
        assert all(entry["state"] == 0 for entry in seen if entry["kind"] == "error")


def test_other_origins_read_nothing(browser: ChromiumPage) -> None:
    """Without CORS_ORIGINS, a page of another origin gets no stream."""
    with GunicornServer() as server:
        browser.open_stream(f"{server.url}/api/sse/stream?request_id=foreign")
        assert {entry["kind"] for entry in browser.wait("error")} == {"error"}
        assert metric(server, 'sse_gateway_connections_total{action="connect"}') == 0
        assert metric(server, 'requests_refused_total{reason="cross_site"}') == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_other_origins_change_nothing(browser: ChromiumPage, host: str) -> None:
    """A page of another port or name can neither start nor cancel a task."""
    task = {"task_type": "demo_task", "params": {"steps": 600, "delay": 1}}
    with GunicornServer() as server:
        running = start_task(server, "demo_task", steps=600, delay=1)
        api = f"http://{host}:{server.port}/api/tasks"
        assert browser.post(api, task) is None
        assert browser.post(api, task, "no-cors") == 0  # sent, but the response is hidden
        assert browser.post(f"{api}/{running}/cancel", mode="no-cors") == 0
        tasks = json.loads(request(server.port, "GET", "/api/tasks").body)["tasks"]
        assert [(task["task_id"], task["status"]) for task in tasks] == [(running, "running")]
        assert metric(server, 'requests_refused_total{reason="cross_site"}') == 2
        cancel = f"/api/tasks/{running}/cancel"
        assert request(server.port, "POST", cancel).status == 200


def test_a_page_behind_a_development_proxy(browser: ChromiumPage) -> None:
    """A page behind a development proxy works, although the proxy sends another Host."""
    with GunicornServer() as server:
        browser.forward_api(server.port)
        browser.open_stream(f"{browser.origin}/api/sse/stream?request_id=proxied")
        browser.wait("version")
        task = {"task_type": "demo_task", "params": {"steps": 1, "delay": 0}}
        assert browser.post(f"{browser.origin}/api/tasks", task) == 202
        browser.wait("task_event", 3)
        assert metric(server, 'requests_refused_total{reason="cross_site"}') == 0


def test_cookies_of_a_listed_origin(browser: ChromiumPage) -> None:
    """A page of a listed origin opens streams with cookies, or with fetch and its own headers."""
    env = {
        "CORS_ORIGINS": browser.origin,
        "SSE_AUTHORIZE": "tests.browser.cookie_pass:authorize",
        "PYTHONPATH": str(ROOT),
    }
    with GunicornServer(env=env) as server:
        stream = f"{server.url}/api/sse/stream?request_id="
        status, text = browser.fetch(f"{stream}denied", {})
        assert (status, "BACKEND_FORBIDDEN" in text) == (403, True)
        status, text = browser.fetch(
            f"{stream}fetched", {"Authorization": "good", "Last-Event-ID": "5"}
        )
        assert status == 200
        assert text.startswith("id: ")
        assert (
            '\nevent: resync\ndata: {"reason":"unknown"}\n\nretry: 3000\nevent: version\n' in text
        )
        browser.set_cookie("pass=good")
        browser.open_stream(f"{stream}cookie", credentials=True)
        assert [entry["kind"] for entry in browser.wait("version")] == ["open", "version"]
