"""A signal ends a server at once at any moment of its start."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.processes.server import GunicornServer, Server, ServeServer
from tests.support.timing import TIME_LIMIT, TimeLimitPassed

SERVE = [sys.executable, "-m", "app", "serve"]
GATEWAY = [sys.executable, "-m", "gateway_shim"]
SERVERS = pytest.mark.parametrize("command", [SERVE, GATEWAY], ids=["serve", "gateway"])

INSTANTS = 25
"""The number of moments that are spread over the start."""

AT_PORT = 10
"""The number of starts that are stopped when the port opens.

The first worker is forked then. A stop at this moment is lost most easily.
"""

SECONDS_TO_END = 2.0
"""The limit of an end during the start, in seconds. A slow machine has a higher limit."""

STUBBORN_TASKS = "tests.live.tasks.stubborn_import:NoTask"

# This module acts like a library with a slow import: it waits for a file.
_SLOW_CLICK = """
import os, sys, time
print("importing", flush=True)
while not os.path.exists({gate!r}):
    time.sleep(0.01)
sys.path.remove({folder!r})
del sys.modules["click"]
import click
"""


@dataclass(frozen=True)
class ServerEnd:
    """A server that was sent a signal while it started.

    Args:
        instant: the time of the signal, in seconds after the start; None: when the port opened.
        seconds: the duration of the end, in seconds.
        status: the exit status.
        left: True if a process of its group was still running.
        output: the output of the server.
    """

    instant: float | None
    seconds: float
    status: int
    left: bool
    output: str


def wait_for_port(server: Server) -> None:
    """Wait until the port of a server is open, and return within a millisecond or two."""
    deadline = time.monotonic() + TIME_LIMIT
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", server.port)).close()
            return
        time.sleep(0.001)
    raise TimeLimitPassed(f"port {server.port} is not open")


def start_and_signal(
    command: Sequence[str], sig: signal.Signals, instant: float | None
) -> ServerEnd:
    """Start a server, send a signal at an instant of :class:`ServerEnd`, and wait for the end."""
    with Server(command, ready_path=None) as server:
        if instant is None:
            wait_for_port(server)
        else:
            time.sleep(instant)
        started = time.monotonic()
        server.send_signal(sig)
        status = server.wait()
        seconds = time.monotonic() - started
        try:
            os.killpg(server.pid, 0)
        except ProcessLookupError:
            left = False
        else:
            left = True
        return ServerEnd(instant, seconds, status, left, server.log)


def seconds_to_start(command: Sequence[str]) -> float:
    """Return how many seconds a server needs until it answers on this machine now."""
    started = time.monotonic()
    with Server(command):
        return time.monotonic() - started


@SERVERS
def test_sigterm_at_any_instant(command: Sequence[str]) -> None:
    """SIGTERM at many moments of the start, and after it, ends the server quickly."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # pytest shows it if the test fails
    start = seconds_to_start(command)
    limit = max(SECONDS_TO_END, SECONDS_TO_END * start)
    # One moment in each part of the time, because random moments alone leave gaps.
    chosen = random.Random(seed)
    width = max(1.0, 1.3 * start) / INSTANTS
    instants: list[float | None] = [
        (number + chosen.random()) * width for number in range(INSTANTS)
    ]
    instants += [None] * AT_PORT
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        ends = list(pool.map(lambda at: start_and_signal(command, signal.SIGTERM, at), instants))
    assert [end for end in ends if end.status not in (0, -signal.SIGTERM)] == []
    assert [end for end in ends if end.left or "Traceback" in end.output] == []
    assert [end for end in ends if end.seconds > limit] == []
    assert {end.status for end in ends} == {0, -signal.SIGTERM}, "not all of the start was tried"


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Return the file that lets a server of :func:`in_mid_import` go on."""
    return tmp_path / "gate"


def in_mid_import(command: Sequence[str], gate: Path) -> Server:
    """Return a server that waits in an import, before the arbiter sets its signal handlers."""
    folder = str(gate.parent)
    (gate.parent / "click.py").write_text(_SLOW_CLICK.format(gate=str(gate), folder=folder))
    return Server(command, env={"PYTHONPATH": folder}, ready_path=None)


@SERVERS
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_stop_in_mid_import(command: Sequence[str], sig: signal.Signals, gate: Path) -> None:
    """A stop during an import ends the program by the signal itself, without a traceback."""
    with in_mid_import(command, gate) as server:
        server.wait_for_log("importing")
        server.send_signal(sig)
        assert server.wait() == -sig
        assert server.log == "importing\n"


def test_a_hangup_in_mid_import_of_serve(gate: Path) -> None:
    """SIGHUP during an import is not lost. The backend reloads after its start."""
    with in_mid_import(SERVE, gate) as server:
        server.wait_for_log("importing")
        server.send_signal(signal.SIGHUP)
        gate.touch()
        server.wait_for_log("(?s)(?=.*Handling signal: hup).*Booting worker.*Booting worker")
        assert server.terminate() == 0


def test_a_hangup_in_mid_import_of_the_gateway(gate: Path) -> None:
    """SIGHUP during an import ends the gateway, as it ends the Node gateway."""
    with in_mid_import(GATEWAY, gate) as server:
        server.wait_for_log("importing")
        server.send_signal(signal.SIGHUP)
        assert server.wait() == -signal.SIGHUP


@pytest.mark.parametrize("make", [ServeServer, GunicornServer])
@pytest.mark.parametrize(
    ("sig", "whole_group"),
    [(signal.SIGTERM, False), (signal.SIGINT, True), (signal.SIGQUIT, False)],
    ids=["SIGTERM", "SIGINT to all", "SIGQUIT"],
)
def test_a_stop_while_the_worker_starts(
    make: type[Server], sig: signal.Signals, whole_group: bool
) -> None:
    """A stop does not wait for a worker that ignores signals before it has served a request."""
    env = {"APP_TASKS": STUBBORN_TASKS, "GRACEFUL_SHUTDOWN_TIMEOUT": "3600"}
    with make(env=env, ready_path=None) as server:  # type: ignore[call-arg]
        server.wait_for_log("import does not end")
        if whole_group:
            os.killpg(server.pid, sig)
        else:
            server.send_signal(sig)
        assert server.wait() == 0
        assert "has not served and does not end; killing it" in server.log
        assert "Traceback" not in server.log
