"""The default protection against pages of other sites, other host names and other machines."""

from __future__ import annotations

import json
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_shim.parity.ports import free_port
from tests.support.backend_client import active_streams, connect, metric, start_task, task_story
from tests.support.http.client import Connection, Headers, Response, request, request_bytes
from tests.support.http.stream import Stream
from tests.support.processes.server import ROOT, GunicornServer, Server, ServerFailed, ServeServer
from tests.support.timing import TIME_LIMIT, wait_until

STREAM = "/api/sse/stream?request_id=page"
REBOUND = "evil.example:5000"
PAGE = "https://app.example"
EVIL = [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")]
SERVE = [sys.executable, "-m", "app", "serve"]
GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"]
SECRET = {"SSE_CALLBACK_SECRET": "s3cret"}


@pytest.fixture(scope="module")
def listed() -> Iterator[GunicornServer]:
    """Start a server in development mode that allows one other origin."""
    with GunicornServer(env={"CORS_ORIGINS": PAGE}) as running:
        yield running


def send(
    server: Server, method: str, target: str, headers: Headers = (), host: str = "localhost"
) -> Response:
    """Send one request, and return the response. A POST tries to start an unknown task."""
    lines = [*headers, ("Connection", "close")]
    body = b""
    if method == "POST":
        lines.append(("Content-Type", "application/json"))
        body = b'{"task_type":"none"}'
    with Connection(server.port) as connection:
        connection.send(request_bytes(method, target, lines, body, host=host))
        return connection.read_response(method)


def start_error(server: Server) -> str:
    """Start a server that must fail, and return its error."""
    with pytest.raises(ServerFailed) as caught, server:
        pass
    assert re.search("ended with status [1-9]", str(caught.value))
    return str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        EVIL,
        [("Sec-Fetch-Site", "cross-site")],
        [("Sec-Fetch-Site", "same-site"), ("Origin", "http://localhost:5173")],
        [("Origin", "http://localhost:5173")],
        [("Origin", "null")],
    ],
)
def test_another_page(listed: GunicornServer, headers: Headers) -> None:
    """A page of another origin gets no stream and starts no task, and is counted as refused."""
    counted = metric(listed, 'requests_refused_total{reason="cross_site"}')
    stream = send(listed, "GET", STREAM, headers)
    assert (stream.status, json.loads(stream.body)["error"]["code"]) == (403, "CROSS_SITE")
    task = send(listed, "POST", "/api/tasks", headers)
    assert (task.status, "CORS_ORIGINS" in json.loads(task.body)["error"]) == (403, True)
    assert metric(listed, "sse_gateway_active_connections") == 0
    assert metric(listed, 'requests_refused_total{reason="cross_site"}') == counted + 2
    assert send(listed, "HEAD", STREAM, headers).status == 403


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ([], "localhost"),
        ([("Sec-Fetch-Site", "same-origin")], "localhost"),
        ([("Sec-Fetch-Site", "cross-site"), ("Origin", PAGE)], "localhost"),
        # Vite's proxy, with and without a rewritten Host.
        ([("Sec-Fetch-Site", "same-origin"), ("Origin", "http://localhost:5173")], "127.0.0.1:81"),
        ([("Sec-Fetch-Site", "same-origin"), ("Origin", "http://localhost:81")], "localhost:81"),
        ([("Origin", "http://localhost:81")], "localhost:81"),
    ],
)
def test_own_pages(listed: GunicornServer, headers: Headers, host: str) -> None:
    """Our own page, a listed page, a page behind a development proxy, and curl are allowed."""
    with Connection(listed.port) as connection:
        connection.send(request_bytes("GET", STREAM, headers, host=host))
        stream = Stream(connection, connection.read_head(), lone_ids=True)
        assert stream.head.status == 200
        stream.wait_for("version")
    assert (
        send(listed, "POST", "/api/tasks", headers, host).status == 400
    )  # allowed, but the task type is unknown


def test_a_rebound_name(listed: GunicornServer) -> None:
    """DNS rebinding reaches neither streams nor tasks. Health checks work under any name."""
    same = [("Sec-Fetch-Site", "same-origin"), ("Origin", f"http://{REBOUND}")]
    stream = send(listed, "GET", STREAM, same, REBOUND)
    assert (stream.status, json.loads(stream.body)["error"]["code"]) == (403, "HOST_NOT_ALLOWED")
    for method, path in (("POST", "/api/tasks"), ("GET", "/api/tasks"), ("GET", "/metrics")):
        answer = send(listed, method, path, same, REBOUND)
        assert (answer.status, "ALLOWED_HOSTS" in json.loads(answer.body)["error"]) == (403, True)
    whole = f"http://{REBOUND}/api/tasks"  # for such a target, its own host is checked
    assert send(listed, "GET", whole, same, "localhost").status == 403
    assert metric(listed, 'requests_refused_total{reason="host_not_allowed"}') == 5
    for path in ("/healthz", "/readyz"):
        assert send(listed, "GET", path, host=REBOUND).status == 200
    assert request(listed.port, "GET", "/api/tasks", version="1.0").status == 200


def test_allowed_hosts() -> None:
    """Behind a proxy on the same machine, only the host names of ALLOWED_HOSTS are allowed."""
    with GunicornServer(env={"ALLOWED_HOSTS": "app.example"}) as server:
        assert send(server, "GET", "/api/tasks", host="app.example").status == 200
        assert send(server, "GET", "/api/tasks", host="b.example").status == 403
        with Connection(server.port) as connection:
            connection.send(request_bytes("GET", STREAM, host="app.example"))
            assert connection.read_head().status == 200


CALLBACK = "/api/sse/callback"
FORGED = {
    "action": "connect",
    "token": "T",
    "request": {"url": "/api/sse/stream?request_id=mine", "headers": {}},
}


def assert_refuses_a_forged_callback(server: Server, stream: Stream) -> None:
    """Check that a callback without the secret, or with a wrong one, does not end the stream."""
    counter = 'requests_refused_total{reason="callback_not_allowed"}'
    counted = metric(server, counter)
    answer = request(server.port, "POST", CALLBACK, json_body=FORGED)
    assert (answer.status, "X-SSE-Secret" in answer.body.decode()) == (403, True)
    wrong = [("X-SSE-Secret", "wrong")]
    assert request(server.port, "POST", CALLBACK, headers=wrong, json_body=FORGED).status == 403
    task_story(stream, start_task(server, "demo_task", steps=1, delay=0))
    assert metric(server, counter) == counted + 2


def test_a_forged_callback(listed: GunicornServer) -> None:
    """A callback changes nothing if the server has no secret."""
    with connect(listed, "mine") as stream:
        stream.wait_for("version")
        assert_refuses_a_forged_callback(listed, stream)
    wait_until(lambda: active_streams(listed) == 0, "the stream to be gone")


def test_a_forged_callback_without_the_secret() -> None:
    """A callback without the secret changes nothing. With the secret it replaces the stream."""
    with GunicornServer(env=SECRET) as server, connect(server, "mine") as stream:
        stream.wait_for("version")
        assert_refuses_a_forged_callback(server, stream)
        right = [("X-SSE-Secret", "s3cret")]
        assert request(server.port, "POST", CALLBACK, headers=right, json_body=FORGED).status == 200
        stream.wait_for_end()


@pytest.mark.parametrize("command", [SERVE, GUNICORN], ids=["serve", "gunicorn"])
def test_other_machines_need_permission(command: list[str]) -> None:
    """With a public HOST, the server starts only in production mode or with ALLOW_OPEN."""
    env = {"HOST": "0.0.0.0"}
    assert "HOST is 0.0.0.0: other machines could start tasks" in start_error(
        Server(command, env=env)
    )
    with Server(command, env={**env, "ALLOW_OPEN": "tasks,metrics"}) as server:
        assert request(server.port, "GET", "/api/tasks").status == 200


def test_gunicorns_own_bind() -> None:
    """gunicorn's --bind overrides HOST, and the check uses the address of --bind."""
    error = start_error(Server([*GUNICORN, "--bind", "0.0.0.0:{port}"]))
    assert "sse-monolith: the server listens at 0.0.0.0:" in error
    assert "Traceback" not in error


def test_a_reload_that_removes_the_permission(tmp_path: Path) -> None:
    """A reload without ALLOW_OPEN closes tasks and metrics, even with gunicorn's own --bind."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("ALLOW_OPEN=tasks,metrics")
    command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py")]
    command += ["--bind", "0.0.0.0:{port}", "app:create_app()"]
    with Server(command, cwd=tmp_path) as server:
        assert request(server.port, "GET", "/metrics").status == 200
        dotenv.write_text("")
        server.send_signal(signal.SIGHUP)
        wait_until(lambda: request(server.port, "GET", "/metrics").status == 404, "a new worker")
        assert request(server.port, "GET", "/api/tasks").status == 404
        assert request(server.port, "GET", "/healthz").status == 200


def test_production_without_an_admin_address() -> None:
    """Without ADMIN_BIND, production serves no tasks and no metrics, and the log says so."""
    with ServeServer(env={"FLASK_ENV": "production", "HOST": "0.0.0.0", **SECRET}) as server:
        with connect(server) as stream:
            stream.wait_for("version")
        for path in ("/metrics", "/api/tasks"):
            assert request(server.port, "GET", path).status == 404
        assert request(server.port, "GET", "/healthz").status == 200
        server.wait_for_log("not served at this address; see ADMIN_BIND and ALLOW_OPEN")
        assert "Start a task     not possible yet: set ADMIN_BIND" in server.log


def test_production_with_an_admin_address() -> None:
    """ADMIN_BIND serves tasks and metrics. ALLOW_OPEN serves tasks publicly, too."""
    admin = free_port()
    env = {"FLASK_ENV": "production", "ADMIN_BIND": f"127.0.0.1:{admin}", **SECRET}
    with ServeServer(env={**env, "ALLOW_OPEN": "tasks"}) as server:
        for path, public in (("/api/tasks", 200), ("/metrics", 404)):
            assert request(admin, "GET", path).status == 200
            assert request(server.port, "GET", path).status == public
        with Connection(admin) as connection:
            connection.send(request_bytes("GET", "/metrics", host=REBOUND))
            assert connection.read_head().status == 403


def test_a_unix_socket_is_local(tmp_path: Path) -> None:
    """At a Unix socket everything is served, under any host name."""
    path = str(tmp_path / "s")
    with (
        GunicornServer("--bind", f"unix:{path}"),
        socket.socket(socket.AF_UNIX) as connection,
    ):
        connection.settimeout(TIME_LIMIT)
        connection.connect(path)
        connection.sendall(request_bytes("GET", "/api/tasks", host="app.example"))
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
