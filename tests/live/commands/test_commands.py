"""The commands in a shell: their output, and their end if they cannot work."""

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

from gateway_shim.parity.ports import free_port
from tests.support.backend_client import connect
from tests.support.http.client import request
from tests.support.processes.server import ROOT, GunicornServer, Server, ServeServer
from tests.support.timing import TIME_LIMIT

SERVE = [sys.executable, "-m", "app", "serve"]
GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"]


@dataclass(frozen=True)
class CommandResult:
    """The exit status and the output of a command."""

    status: int
    output: str


def run(command: Sequence[str], **env: str) -> CommandResult:
    """Run a command that must end by itself."""
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
    return CommandResult(result.returncode, result.stdout)


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of this process with a free port and these additions."""
    inherited = {name: value for name, value in os.environ.items() if name != "GUNICORN_CMD_ARGS"}
    return {**inherited, "PORT": str(free_port()), **env}


def assert_refused(ended: CommandResult, pattern: str, *, status: int | None = 1) -> None:
    """Check that a command failed at once, without a traceback, and with one line that matches."""
    assert ended.status == status if status else ended.status != 0
    assert "Traceback" not in ended.output
    assert len(re.findall(pattern, ended.output)) == 1, ended.output
    assert "Retrying" not in ended.output


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port that is in use."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


# ------------------------------------------------------------------ a full disk, a bad file

PRINTING = ("config", "check", "--help", "serve --help")
"""One command of each kind: without gevent, patched for gevent, the program, and a server.

tests/app/commands/test_group.py has all commands.
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this machine")
@pytest.mark.parametrize("arguments", PRINTING)
def test_output_to_a_full_disk(arguments: str) -> None:
    """A command that prints to a full disk ends with one line of error and status 1."""
    command = f"{sys.executable} -m app {arguments} >/dev/full"
    ended = run(["sh", "-c", command], PYTHONUNBUFFERED="")
    assert (ended.status, ended.output) == (
        1,
        "Error: cannot write the output: No space left on device\n",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this machine")
@pytest.mark.parametrize("command", [SERVE, GUNICORN], ids=["serve", "gunicorn"])
def test_a_server_ends_cleanly_on_a_full_disk(command: list[str]) -> None:
    """A server whose outputs are on a full disk ends with status 0."""
    quoted = " ".join(f"'{part}'" for part in command)
    shell = ["sh", "-c", f"exec {quoted} >/dev/full 2>&1"]
    with Server(shell, env={"PYTHONUNBUFFERED": ""}) as server:
        assert server.terminate() == 0


@pytest.mark.parametrize("command", [SERVE, GUNICORN], ids=["serve", "gunicorn"])
def test_a_line_of_the_env_file_that_cannot_be_read(command: list[str], tmp_path: Path) -> None:
    """A bad line of .env is refused with the file and the line, and without the value."""
    (tmp_path / ".env").write_text("LOG_LEVEL=INFO\nSSE_CALLBACK_SECRET: hunter2\n")
    shell = f"cd '{tmp_path}' && exec " + " ".join(f"'{part}'" for part in command)
    config = shell.replace("'gunicorn.conf.py'", f"'{ROOT / 'gunicorn.conf.py'}'")
    ended = run(["sh", "-c", config], PYTHONPATH=str(ROOT))
    assert_refused(ended, r"\.env line 2: SSE_CALLBACK_SECRET must be written with an equal sign")
    assert len(ended.output.splitlines()) == 1
    assert "hunter2" not in ended.output


# ------------------------------------------------------------------ serve


def test_serve_prints_commands_that_work() -> None:
    """The commands that ``serve`` prints have the real port, and work."""
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
    """An option overrides the environment, also for the worker."""
    with ServeServer("--host", "127.0.0.1", env={"PORT": "1", "HOST": "203.0.113.1"}) as server:
        assert request(server.port, "GET", "/healthz").status == 200


def test_serve_at_a_port_in_use(taken: int) -> None:
    """A port in use is refused with one line, and no worker is started."""
    ended = run([*SERVE, "--port", str(taken)])
    assert ended.output == (
        f"Error: cannot listen on 127.0.0.1:{taken}: Address already in use;"
        " choose another with --port\n"
    )
    assert_refused(ended, "cannot listen")


# The cases that a new process does not need are in tests/app: commands/test_group.py has those of
# ``serve``, serving/test_gunicorn_settings.py has those of gunicorn.conf.py, and test_init.py has
# those of the worker.


@pytest.mark.parametrize("command", [SERVE, GUNICORN], ids=["serve", "gunicorn"])
def test_a_bad_setting(command: list[str]) -> None:
    """A bad setting is refused with one line that has its name and its value."""
    ended = run(command, FLASK_ENV="live")
    assert_refused(ended, r"FLASK_ENV: .*\(it is 'live'\)")
    assert len(ended.output.splitlines()) == 1


@pytest.mark.parametrize("command", [SERVE, GUNICORN], ids=["serve", "gunicorn"])
def test_a_setting_that_only_the_worker_can_check(command: list[str]) -> None:
    """A bad setting that the worker finds ends the server with one line."""
    ended = run(command, APP_TASKS="nowhere:Task")
    line = "sse-monolith: APP_TASKS: .*cannot be imported: ModuleNotFoundError.*"
    assert_refused(ended, line, status=None)


@pytest.mark.parametrize("command", [SERVE, GUNICORN], ids=["serve", "gunicorn"])
def test_a_temporary_directory_that_is_not_writable(command: list[str], tmp_path: Path) -> None:
    """A server works without a writable temporary directory."""
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
    """With another worker the API works, and a stream is refused with advice."""
    command = [
        *(sys.executable, "-m", "gunicorn", "--no-control-socket"),
        *("--bind", "127.0.0.1:{port}", "app:create_app()"),
    ]
    with Server(command, cwd=tmp_path) as server:
        answer = request(server.port, "GET", "/api/sse/stream?request_id=me")
        assert (answer.status, "sse-monolith serve" in answer.json()["error"]) == (503, True)


def test_gunicorn_takes_its_own_options() -> None:
    """An option on gunicorn's command line overrides the file."""
    with GunicornServer("--log-level", "warning") as server:
        assert "Booting worker" not in server.log


def test_gunicorn_with_an_error_log_file(tmp_path: Path) -> None:
    """The lines of gunicorn and of the application are in the file, in one format."""
    path = tmp_path / "error.log"
    with GunicornServer("--error-logfile", str(path), env={"LOG_FORMAT": "json"}) as server:
        assert server.terminate() == 0
        assert "Booting worker" not in server.log
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    messages = {(line["logger"], line["message"].partition(" with")[0]) for line in lines}
    assert ("gunicorn.error", "Booting worker") in messages
    assert ("app.lifecycle", "shutdown is complete") in messages


def test_gunicorn_with_a_preloaded_application() -> None:
    """A preloaded application is refused with advice."""
    assert_refused(run([*GUNICORN, "--preload"]), "sse-monolith: --preload: .* remove the option")


def test_gunicorn_with_a_worker_that_cannot_hold_streams() -> None:
    """A worker class that cannot serve streams is refused, because every stream would get 503."""
    assert_refused(run([*GUNICORN, "-k", "gevent"]), "sse-monolith: --worker-class gevent: ")


def test_a_server_in_a_program_without_a_log(tmp_path: Path) -> None:
    """A program that embeds the server with ``base_options`` has the log lines of the start."""
    program = """
import sys
from gateway_shim.server import gunicorn_application, options

def load():
    from app import create_app
    return create_app()
settings = options.base_options("127.0.0.1", int(sys.argv[1]), drain_seconds=1)
gunicorn_application.GunicornApplication(load, settings).run()
"""
    with Server([sys.executable, "-c", program, "{port}"], cwd=tmp_path) as server:
        assert "Listening at: http://127.0.0.1" in server.log


# ------------------------------------------------------------------ the gateway


def test_a_gateway_with_a_bad_callback_url() -> None:
    """A gateway with a bad CALLBACK_URL is refused at the start."""
    ended = run([sys.executable, "-m", "gateway_shim"], CALLBACK_URL="ftp://x", HOST="127.0.0.1")
    assert_refused(ended, r"ERROR \S+command: CALLBACK_URL .* 'ftp://x'\n")
