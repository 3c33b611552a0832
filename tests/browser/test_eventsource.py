"""A real browser's EventSource on the one stream."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.backend_client import connect, metric, start_task
from tests.support.http.client import request
from tests.support.parts import CHROMIUM
from tests.support.processes.server import ROOT, GunicornServer
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.needs("chromium", "playwright")


class Browser:
    """A page in Chromium, driven by :mod:`tests.browser.page` in a process of its own."""

    def __init__(self) -> None:
        assert CHROMIUM is not None
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("page.py")), CHROMIUM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.origin: str = self._answer()

    def open_stream(self, url: str, *, credentials: bool = False) -> None:
        """Have the page open an EventSource, with or without its cookies."""
        self._command({"do": "open", "url": url, "credentials": credentials})

    def set_cookie(self, cookie: str) -> None:
        """Set a cookie, which all ports of the address get."""
        self._command({"do": "cookie", "cookie": cookie})

    def fetch(self, url: str, headers: dict[str, str]) -> tuple[int, str]:
        """Have the page fetch: status, and the first bytes of the body."""
        status, text = self._command({"do": "fetch", "url": url, "headers": headers})
        return status, text

    def post(self, url: str, body: object = None, mode: str = "cors") -> int | None:
        """Have the page post JSON, or nothing: the status; None if the browser does not allow it.

        Args:
            url: where to.
            body: what to send; None: no body.
            mode: ``cors``; or ``no-cors``, as a form does: sent as text, the answer is hidden.
        """
        text = None if body is None else json.dumps(body)
        status: int | None = self._command({"do": "post", "url": url, "body": text, "mode": mode})
        return status

    def pass_api_on(self, port: int) -> None:
        """Have the page's own server pass ``/api`` on to a port, with another Host."""
        self._command({"do": "proxy", "port": port})

    def wait(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Everything the page has seen, once it has seen so many entries of a kind."""
        command = {"do": "wait", "kind": kind, "count": count, "seconds": 3 * TIME_LIMIT}
        seen: list[dict[str, Any]] = self._command(command)
        return seen

    def close(self) -> None:
        """Close the page and the browser."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(TIME_LIMIT) == 0
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _command(self, command: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        print(json.dumps(command), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the browser's process ended"
        return json.loads(line)


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A page in a browser."""
    running = Browser()
    yield running
    running.close()


def test_events_restart_and_reconnect(browser: Browser) -> None:
    """Version, a task's events and the farewell arrive; the browser comes back by itself."""
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
        farewell = next(entry for entry in seen if entry["kind"] == "server_restart")
        assert json.loads(farewell["data"]) == {"reason": "server_shutdown"}
    with GunicornServer("--bind", f"127.0.0.1:{port}", env=env):
        assert [e["kind"] for e in browser.wait("version", 2)].count("open") == 2


def test_a_reload_is_survived(browser: Browser) -> None:
    """SIGHUP ends the stream with the farewell; the page comes back to the next worker."""
    with GunicornServer(env={"CORS_ORIGINS": browser.origin}) as server:
        browser.open_stream(f"{server.url}/api/sse/stream?request_id=browser")
        browser.wait("version")
        server.send_signal(signal.SIGHUP)
        kinds = [entry["kind"] for entry in browser.wait("version", 2)]
        assert kinds == ["open", "version", "server_restart", "error", "open", "version"]


def test_a_slow_end_is_survived(browser: Browser) -> None:
    """Another client holds up the end for seconds: who comes back meanwhile is not lost.

    A 503 would end the page's EventSource for good.
    """
    env = {"CORS_ORIGINS": browser.origin, "FLASK_ENV": "testing"}
    with GunicornServer(env=env) as server:
        stalled = connect(server, receive_buffer=4096)
        while not metric(server, "sse_gateway_bytes_buffered"):
            body = {"request_id": "nobody", "version": "2", "changelog": "x" * 20_000}
            path = "/api/testing/deployments/version"
            assert request(server.port, "POST", path, json_body=body).status == 202
        browser.open_stream(f"{server.url}/api/sse/stream?request_id=browser")
        browser.wait("version")
        os.kill(server.worker_pid(), signal.SIGTERM)
        seen = browser.wait("version", 2)
        assert [entry["kind"] for entry in seen].count("server_restart") >= 2
        assert all(entry["state"] == 0 for entry in seen if entry["kind"] == "error")
        stalled.close()


def test_other_origins_read_nothing(browser: Browser) -> None:
    """Without CORS_ORIGINS a page of another origin gets no stream."""
    with GunicornServer() as server:
        browser.open_stream(f"{server.url}/api/sse/stream?request_id=foreign")
        assert {entry["kind"] for entry in browser.wait("error")} == {"error"}
        assert metric(server, 'sse_gateway_connections_total{action="connect"}') == 0
        assert metric(server, 'requests_refused_total{reason="cross_site"}') == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_other_origins_change_nothing(browser: Browser, host: str) -> None:
    """A page of another port or another name starts no task and stops none."""
    task = {"task_type": "demo_task", "params": {"steps": 600, "delay": 1}}
    with GunicornServer() as server:
        running = start_task(server, "demo_task", steps=600, delay=1)
        api = f"http://{host}:{server.port}/api/tasks"
        assert browser.post(api, task) is None
        assert browser.post(api, task, "no-cors") == 0  # sent, and the answer is hidden
        assert browser.post(f"{api}/{running}/cancel", mode="no-cors") == 0
        tasks = json.loads(request(server.port, "GET", "/api/tasks").body)["tasks"]
        assert [(each["task_id"], each["status"]) for each in tasks] == [(running, "running")]
        assert metric(server, 'requests_refused_total{reason="cross_site"}') == 2
        cancel = f"/api/tasks/{running}/cancel"
        assert request(server.port, "POST", cancel).status == 200


def test_a_page_behind_a_development_proxy(browser: Browser) -> None:
    """The proxy sends another Host; the browser says that the request is the page's own."""
    with GunicornServer() as server:
        browser.pass_api_on(server.port)
        browser.open_stream(f"{browser.origin}/api/sse/stream?request_id=proxied")
        browser.wait("version")
        task = {"task_type": "demo_task", "params": {"steps": 1, "delay": 0}}
        assert browser.post(f"{browser.origin}/api/tasks", task) == 202
        browser.wait("task_event", 3)
        assert metric(server, 'requests_refused_total{reason="cross_site"}') == 0


def test_cookies_of_a_listed_origin(browser: Browser) -> None:
    """A listed origin opens its stream with cookies, or with fetch and headers of its own."""
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
        assert (status, text.startswith("retry: 3000\nevent: version\n")) == (200, True)
        browser.set_cookie("pass=good")
        browser.open_stream(f"{stream}cookie", credentials=True)
        assert [entry["kind"] for entry in browser.wait("version")] == ["open", "version"]
