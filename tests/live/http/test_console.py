"""The console of a server in production, as attackers and people with the password see it."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator

import pytest

from tests.support.http.client import Connection, Headers, Response, request, request_bytes
from tests.support.http.stream import StreamNotOpened, open_stream
from tests.support.processes.server import ROOT, ServeServer
from tests.support.timing import wait_until

PASSWORD = "correct horse"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
STREAM = "/api/sse/stream?request_id=console"


@pytest.fixture(scope="module")
def server() -> Iterator[ServeServer]:
    """Start a server in production whose hook refuses every stream without its own cookie."""
    env = {
        "FLASK_ENV": "production",
        "SSE_CALLBACK_SECRET": "s3cret",
        "SSE_CONSOLE_PASSWORD": PASSWORD,
        "SSE_AUTHORIZE": "tests.browser.cookie_pass:authorize",
        "PYTHONPATH": str(ROOT),
    }
    with ServeServer(env=env) as running:
        yield running


def send(
    server: ServeServer, method: str, target: str, headers: Headers = (), body: bytes = b""
) -> Response:
    """Send one request on a connection of its own, and return the response."""
    with Connection(server.port) as connection:
        lines = [*headers, ("Connection", "close")]
        connection.send(request_bytes(method, target, lines, body, host="localhost"))
        return connection.read_response(method)


def sign_in(server: ServeServer, headers: Headers = ()) -> str:
    """Sign in, and return the header Set-Cookie."""
    answer = send(server, "POST", "/console/login", [FORM, *headers], b"password=correct+horse")
    assert answer.status == 303
    return answer.head.all("Set-Cookie")[0]


def test_the_start_says_where_it_is(server: ServeServer) -> None:
    """The announced address is that of the console, and the output has no password."""
    server.wait_for_log(rf"Console +http://127\.0\.0\.1:{server.port}/console\n")
    assert PASSWORD not in server.log


def test_a_stream_of_the_console(server: ServeServer) -> None:
    """A session opens a stream that the hook refuses, and keeps it over a reload."""
    with pytest.raises(StreamNotOpened, match="403"):
        open_stream(server.port, STREAM)
    cookie = ("Cookie", sign_in(server).partition(";")[0])
    with open_stream(server.port, STREAM, headers=[cookie], lone_ids=True) as stream:
        stream.wait_for("version")
        old = server.worker_pid()
        server.send_signal(signal.SIGHUP)
        stream.wait_for("server_restart")
    wait_until(lambda: server.worker_pid() != old, "a new worker")
    with open_stream(server.port, STREAM, headers=[cookie], lone_ids=True) as stream:
        stream.wait_for("version")
    assert send(server, "GET", "/console/tasks", [cookie]).status == 200


def test_the_scheme_of_a_proxy(server: ServeServer) -> None:
    """Behind a proxy that ends TLS, the cookie is for https only."""
    assert "; Secure" not in sign_in(server)
    assert "; Secure" in sign_in(server, [("X-Forwarded-Proto", "https")])


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/console/static/../../../../etc/passwd", 404),
        ("/console/static/%2e%2e/%2e%2e/pages.py", 404),
        ("//console/tasks", 401),
        ("/console//tasks", 401),
        ("/CONSOLE/tasks", 404),
        ("/%63onsole/tasks", 401),
        ("/console/tasks;x=1", 401),
        ("http://localhost/console/tasks", 401),
        ("http://evil.example/console/tasks", 403),
    ],
)
def test_odd_paths(server: ServeServer, target: str, status: int) -> None:
    """No spelling of a path leads to a page without a session."""
    answer = send(server, "GET", target)
    assert answer.status == status
    assert b"<nav" not in answer.body
    assert "evil" not in str(answer.head.all("Location"))


def test_a_huge_password(server: ServeServer) -> None:
    """Ten million bytes of a password are not read, and the server goes on."""
    with Connection(server.port) as connection:
        headers = [FORM, ("Content-Length", "10000000")]
        connection.send(request_bytes("POST", "/console/login", headers, host="localhost"))
        assert connection.read_head().status == 413
    assert request(server.port, "GET", "/healthz").status == 200


def test_the_callback_of_a_gateway_in_another_process(server: ServeServer) -> None:
    """A gateway passes the cookie on in its callback, so its streams of the console open, too."""
    cookie = sign_in(server).partition(";")[0]
    statuses = []
    for headers in ({}, {"cookie": cookie}, {"cookie": ["a=b", cookie]}):
        body = {"action": "connect", "token": f"t{len(statuses)}"}
        body |= {"request": {"url": "/api/sse/stream?request_id=far", "headers": headers}}
        secret = [("X-SSE-Secret", "s3cret")]
        path = "/api/sse/callback"
        statuses.append(request(server.port, "POST", path, headers=secret, json_body=body).status)
    assert statuses == [403, 200, 200]


def test_a_wrong_password_is_logged(server: ServeServer) -> None:
    """The log has the address of a wrong password, and never a password."""
    answer = send(server, "POST", "/console/login", [FORM], b"password=a-wrong-one")
    assert answer.status == 403
    server.wait_for_log(r"wrong password for the console.*127\.0\.0\.1")
    assert not re.search("a-wrong-one|correct.horse", server.log)


def test_a_console_that_is_off() -> None:
    """Production without a password says how to turn the console on, in the answer and the log."""
    env = {"FLASK_ENV": "production", "SSE_CALLBACK_SECRET": "s3cret"}
    with ServeServer(env=env) as server:
        answer = request(server.port, "GET", "/console")
        assert answer.status == 404
        assert "set SSE_CONSOLE_PASSWORD" in json.loads(answer.body)["error"]
        server.wait_for_log("the console is off; see SSE_CONSOLE_PASSWORD")
        assert "/console\n" not in server.log.partition("Stop ")[0]
