"""A signal ends a server at once, at whichever instant of its start it comes."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.server import GunicornServer, Server, ServeServer

SERVE = [sys.executable, "-m", "app", "serve"]
GATEWAY = [sys.executable, "-m", "gateway_shim"]
SERVERS = pytest.mark.parametrize("command", [SERVE, GATEWAY], ids=["serve", "gateway"])

INSTANTS = 50
SECONDS_TO_END = 2.0
"""What an end in the start may take; longer on a machine that takes longer than that to start."""

STUBBORN_TASKS = "tests.live.stubborn_import:NoTask"

# Stands for a library that takes long to import: the program waits here for a file.
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
class Ended:
    """A server that was sent a signal while it started.

    Args:
        instant: when it was sent, seconds after the start.
        seconds: how long the end took.
        status: its exit status.
        left: whether a process of its group was still there.
        output: what it has printed.
    """

    instant: float
    seconds: float
    status: int
    left: bool
    output: str


def start_and_signal(command: Sequence[str], sig: signal.Signals, instant: float) -> Ended:
    """Start a server, send it a signal after a while, and wait for its end."""
    with Server(command, ready_path=None) as server:
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
        return Ended(instant, seconds, status, left, server.log)


def seconds_to_start(command: Sequence[str]) -> float:
    """Return how long a server takes until it answers, here and now."""
    started = time.monotonic()
    with Server(command):
        return time.monotonic() - started


@SERVERS
def test_sigterm_at_any_instant(command: Sequence[str]) -> None:
    """At fifty random instants, some of them after the port has opened, each end is quick."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # pytest shows it if the test fails
    start = seconds_to_start(command)
    limit = max(SECONDS_TO_END, SECONDS_TO_END * start)
    # One in each fiftieth of the time: instants that are only random leave parts of it out.
    chosen = random.Random(seed)
    width = max(1.0, 1.3 * start) / INSTANTS
    instants = [(number + chosen.random()) * width for number in range(INSTANTS)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        ends = list(pool.map(lambda at: start_and_signal(command, signal.SIGTERM, at), instants))
    assert [end for end in ends if end.status not in (0, -signal.SIGTERM)] == []
    assert [end for end in ends if end.left or "Traceback" in end.output] == []
    assert [end for end in ends if end.seconds > limit] == []
    assert {end.status for end in ends} == {0, -signal.SIGTERM}, "not all of the start was tried"


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The file that lets a program with :func:`in_mid_import` go on."""
    return tmp_path / "gate"


def in_mid_import(command: Sequence[str], gate: Path) -> Server:
    """Return a server that stops in an import, before the arbiter's handlers are set."""
    folder = str(gate.parent)
    (gate.parent / "click.py").write_text(_SLOW_CLICK.format(gate=str(gate), folder=folder))
    return Server(command, env={"PYTHONPATH": folder}, ready_path=None)


@SERVERS
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_stop_in_mid_import(command: Sequence[str], sig: signal.Signals, gate: Path) -> None:
    """The signal itself ends the program, and no traceback says where it was."""
    with in_mid_import(command, gate) as server:
        server.wait_for_log("importing")
        server.send_signal(sig)
        assert server.wait() == -sig
        assert server.log == "importing\n"


def test_a_hangup_in_mid_import_of_serve(gate: Path) -> None:
    """It is not lost: the backend reloads once it has started."""
    with in_mid_import(SERVE, gate) as server:
        server.wait_for_log("importing")
        server.send_signal(signal.SIGHUP)
        gate.touch()
        server.wait_for_log("(?s)(?=.*Handling signal: hup).*Booting worker.*Booting worker")
        assert server.terminate() == 0


def test_a_hangup_in_mid_import_of_the_gateway(gate: Path) -> None:
    """It ends the gateway, as it ends Node's."""
    with in_mid_import(GATEWAY, gate) as server:
        server.wait_for_log("importing")
        server.send_signal(signal.SIGHUP)
        assert server.wait() == -signal.SIGHUP


@pytest.mark.parametrize("make", [ServeServer, GunicornServer])
@pytest.mark.parametrize(
    ("sig", "everybody"),
    [(signal.SIGTERM, False), (signal.SIGINT, True), (signal.SIGQUIT, False)],
    ids=["SIGTERM", "SIGINT to all", "SIGQUIT"],
)
def test_a_stop_while_the_worker_starts(
    make: type[Server], sig: signal.Signals, everybody: bool
) -> None:
    """A worker that ignores the signal is not waited for: it has served nobody."""
    env = {"APP_TASKS": STUBBORN_TASKS, "GRACEFUL_SHUTDOWN_TIMEOUT": "3600"}
    with make(env=env, ready_path=None) as server:  # type: ignore[call-arg]
        server.wait_for_log("import does not end")
        if everybody:
            os.killpg(server.pid, sig)
        else:
            server.send_signal(sig)
        assert server.wait() == 0
        assert "has not served and does not end; killing it" in server.log
        assert "Traceback" not in server.log
