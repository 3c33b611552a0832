"""The commands as people type them: what they print, and how they end when they cannot work."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.actions import connect
from tests.support.http import request
from tests.support.server import ROOT, GunicornServer, Server, ServeServer, free_port
from tests.support.timing import TIME_LIMIT

SERVE = [sys.executable, "-m", "app", "serve"]
GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    output: str


def run(command: Sequence[str], **env: str) -> Ended:
    """Run a command that is expected to end by itself, at once."""
    result = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    return Ended(result.returncode, result.stdout)


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """This process's, a free port, and what a test adds; no worker of gunicorn's is ours."""
    inherited = {name: value for name, value in os.environ.items() if name != "GUNICORN_CMD_ARGS"}
    return {**inherited, "PORT": str(free_port()), **env}


def assert_refused(ended: Ended, pattern: str, *, status: int | None = 1) -> None:
    """It ended unhappily, at the first try, without a traceback; one line says why."""
    assert ended.status == status if status else ended.status != 0
    assert "Traceback" not in ended.output
    assert len(re.findall(pattern, ended.output)) == 1, ended.output
    assert "Retrying" not in ended.output


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


# ------------------------------------------------------------------ serve


def test_serve_prints_what_to_type_next() -> None:
    """The stream's URL with the real port, and each of the lines works."""
    with ServeServer() as server:
        server.wait_for_log("Stop +Ctrl-C")
        printed = re.search(r"curl -N '(\S+)'", server.log)
        assert printed
        assert printed[1] == f"{server.url}/api/sse/stream?request_id=me"
        task = re.search(r"Start a task +curl (\S+) -H \"(.+): (.+)\" -d '(.+)'", server.log)
        assert task
        answer = request(
            server.port,
            "POST",
            task[1].removeprefix(server.url),
            headers=[(task[2], task[3])],
            body=task[4].encode(),
        )
        assert answer.status == 202
        assert re.findall(r"Watch +(\S.*)", server.log) == [f"python -m app watch {server.url}"]


def test_serve_listens_where_the_option_says() -> None:
    """An option wins over the environment, for the worker as well."""
    with ServeServer("--host", "127.0.0.1", env={"PORT": "1", "HOST": "203.0.113.1"}) as server:
        assert request(server.port, "GET", "/healthz").status == 200


def test_serve_at_a_port_in_use(taken: int) -> None:
    """One line, at once, and no worker was started."""
    ended = run([*SERVE, "--port", str(taken)])
    assert ended.output == (
        f"Error: cannot listen on 127.0.0.1:{taken}: Address already in use;"
        " choose another with --port\n"
    )
    assert_refused(ended, "cannot listen")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEARTBEAT_INTERVAL_SECONDS", "often"),
        ("FLASK_ENV", "live"),
        ("SSE_GATEWAY_URL", "localhost:3000"),
        ("GRACEFUL_SHUTDOWN_TIMEOUT", "inf"),
        ("CORS_ORIGINS", "example.com"),
    ],
)
@pytest.mark.parametrize("command", [SERVE, GUNICORN], ids=["serve", "gunicorn"])
def test_a_bad_setting(command: list[str], name: str, value: str) -> None:
    """The one line that is printed names it; status 1."""
    ended = run(command, **{name: value})
    assert_refused(ended, rf"{name}: .*\(it is '{re.escape(value)}'\)")
    assert len(ended.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("APP_TASKS", "nowhere:Task", "cannot be imported: ModuleNotFoundError"),
        ("APP_TASKS", "app.config:Settings", "is no subclass of .*BaseTask"),
        ("APP_TASKS", "nonsense", "must look like package.module:ClassName"),
        ("SSE_AUTHORIZE", "nowhere:hook", "cannot import 'nowhere:hook'"),
        ("TASK_FILES_ROOT", "/nowhere/at/all", "."),
    ],
)
@pytest.mark.parametrize("command", [SERVE, GUNICORN], ids=["serve", "gunicorn"])
def test_what_only_the_worker_can_find_out(
    command: list[str], name: str, value: str, why: str
) -> None:
    """It ends the server instead of being tried for ever; one line names the setting."""
    assert_refused(run(command, **{name: value}), rf"sse-monolith: {name}: .*{why}.*", status=None)


@pytest.mark.parametrize("command", [SERVE, GUNICORN], ids=["serve", "gunicorn"])
def test_a_temporary_directory_that_is_not_writable(command: list[str], tmp_path: Path) -> None:
    """One line says so; or it does not matter, and the server serves."""
    missing = str(tmp_path / "missing")
    arguments = [*command[:-1], "--bind", "127.0.0.1:{port}", command[-1]]
    if command is SERVE:
        arguments = [*command, "--port", "{port}"]
    with Server(arguments, env={"TMPDIR": missing}) as server, connect(server) as stream:
        assert stream.next_event().type == "version"
        assert "Traceback" not in server.log


# ------------------------------------------------------------------ gunicorn


def test_gunicorn_without_naming_the_file() -> None:
    """``gunicorn "app:create_app()"`` finds gunicorn.conf.py where it is started."""
    command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "app:create_app()"]
    with Server(command) as server, connect(server) as stream:
        assert stream.next_event().type == "version"
        server.wait_for_log(re.escape(f"{server.url}/api/sse/stream"))


def test_gunicorn_with_another_worker(tmp_path: Path) -> None:
    """Without our worker the API works, and a stream's request is told how to start the server."""
    command = [
        *(sys.executable, "-m", "gunicorn", "--no-control-socket"),
        *("--bind", "127.0.0.1:{port}", "app:create_app()"),
    ]
    with Server(command, cwd=tmp_path) as server:
        answer = request(server.port, "GET", "/api/sse/stream?request_id=me")
        assert (answer.status, "sse-monolith serve" in answer.json()["error"]) == (503, True)


def test_gunicorn_takes_its_own_options() -> None:
    """What is given on gunicorn's command line wins over the file."""
    with GunicornServer("--log-level", "warning") as server:
        assert "Booting worker" not in server.log
