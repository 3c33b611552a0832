"""The commands as people type them: what they print, and how they end when they cannot work."""

from __future__ import annotations

import json
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


# ------------------------------------------------------------------ a full disk, a bad file

PRINTING = (
    "config",
    "config --json",
    "version",
    "licenses --short",
    "check",
    "--help",
    "--version",
    "serve --help",
    "parity --help",
    "bench --help",
)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this machine")
@pytest.mark.parametrize("arguments", PRINTING)
def test_output_to_a_full_disk(arguments: str) -> None:
    """Whatever a command prints: one line on standard error, status 1, never a traceback."""
    command = f"{sys.executable} -m app {arguments} >/dev/full"
    ended = run(["sh", "-c", command], PYTHONUNBUFFERED="")
    assert (ended.status, ended.output) == (
        1,
        "Error: cannot write the output: No space left on device\n",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this machine")
@pytest.mark.parametrize("command", [SERVE, GUNICORN], ids=["serve", "gunicorn"])
def test_a_server_ends_cleanly_on_a_full_disk(command: list[str]) -> None:
    """Outputs that hold what they cannot write do not make the end a failure."""
    quoted = " ".join(f"'{part}'" for part in command)
    shell = ["sh", "-c", f"exec {quoted} >/dev/full 2>&1"]
    with Server(shell, env={"PYTHONUNBUFFERED": ""}) as server:
        assert server.terminate() == 0


@pytest.mark.parametrize("command", [SERVE, GUNICORN], ids=["serve", "gunicorn"])
def test_a_line_of_the_env_file_that_cannot_be_read(command: list[str], tmp_path: Path) -> None:
    """Refused at start, with file and line, and without the value."""
    (tmp_path / ".env").write_text("LOG_LEVEL=INFO\nSSE_CALLBACK_SECRET: hunter2\n")
    shell = f"cd '{tmp_path}' && exec " + " ".join(f"'{part}'" for part in command)
    config = shell.replace("'gunicorn.conf.py'", f"'{ROOT / 'gunicorn.conf.py'}'")
    ended = run(["sh", "-c", config], PYTHONPATH=str(ROOT))
    assert_refused(ended, r"\.env line 2: SSE_CALLBACK_SECRET must be written with an equal sign")
    assert len(ended.output.splitlines()) == 1
    assert "hunter2" not in ended.output


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


def test_gunicorn_with_an_error_log_file(tmp_path: Path) -> None:
    """gunicorn's lines and the application's are in the file, in one format."""
    path = tmp_path / "error.log"
    with GunicornServer("--error-logfile", str(path), env={"LOG_FORMAT": "json"}) as server:
        assert server.terminate() == 0
        assert "Booting worker" not in server.log
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    messages = {(line["logger"], line["message"].partition(" with")[0]) for line in lines}
    assert ("gunicorn.error", "Booting worker") in messages
    assert ("app.lifecycle", "shutdown is complete") in messages


def test_gunicorn_with_a_preloaded_application() -> None:
    """Refused as a second worker is."""
    assert_refused(run([*GUNICORN, "--preload"]), "sse-monolith: --preload: .* leave it out")


@pytest.mark.parametrize("name", ["gevent", "gthread"])
def test_gunicorn_with_a_worker_that_cannot_hold_streams(name: str) -> None:
    """It would look healthy and answer 503 to every stream."""
    assert_refused(run([*GUNICORN, "-k", name]), f"sse-monolith: --worker-class {name}: ")


def test_a_server_in_a_program_without_a_log(tmp_path: Path) -> None:
    """``base_options`` alone: the server of an embedding program says that it starts."""
    program = """
import sys
from gateway_shim.server.gunicorn_server import GunicornServer
from gateway_shim.server.options import base_options

def load():
    from app import create_app
    return create_app()

GunicornServer(load, base_options("127.0.0.1", int(sys.argv[1]), drain_seconds=1)).run()
"""
    with Server([sys.executable, "-c", program, "{port}"], cwd=tmp_path) as server:
        assert "Listening at: http://127.0.0.1" in server.log


# ------------------------------------------------------------------ the gateway


@pytest.mark.parametrize("url", ["foo", "ftp://x", "http://[::1"])
def test_a_gateway_with_a_callback_url_that_is_none(url: str) -> None:
    """Refused at start; it never says that it is ready."""
    ended = run([sys.executable, "-m", "gateway_shim"], CALLBACK_URL=url, HOST="127.0.0.1")
    assert_refused(
        ended, rf"ERROR gateway_shim.standalone.command: CALLBACK_URL .* '{re.escape(url)}'\n"
    )


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("HOST", "unix:/run/x.sock", "gunicorn with --bind unix:/path"),
        ("HOST", "127.0.0.1:80", "without scheme and port"),
        ("ADMIN_BIND", "::1:6261", r"write \[::1\]:6261"),
    ],
)
@pytest.mark.parametrize("command", [SERVE, GUNICORN], ids=["serve", "gunicorn"])
def test_an_address_that_is_none(command: list[str], name: str, value: str, advice: str) -> None:
    """The line names the variable, its value, and what to write."""
    ended = run(command, **{name: value})
    assert_refused(ended, rf"{name}: .*{advice}.*\(it is '{re.escape(value)}'\)")
