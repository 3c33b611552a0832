"""Steps about a process, done: what a signal does to it, and where it listens."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway_shim.parity.play.launcher import GatewayFailed
from gateway_shim.parity.play.stage import Stage
from gateway_shim.parity.play.stub_backend import StubBackend
from gateway_shim.parity.play.targets import Command
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.steps import Interrupt, ListensOn, Step
from tests.support.timing import TIME_LIMIT

_GATEWAY = """
import http.server, os, signal, sys

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "15")
        self.end_headers()
        self.wfile.write(b'{"status":"ok"}')

def stop(number, frame):
    os._exit(0)

def fail(number, frame):
    os._exit(3)

signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGQUIT, fail)
def hang_up(number, frame):
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY))
    except OSError:
        os._exit(0 if TERMINAL else 4)
    os._exit(5)

try:
    os.close(os.open("/dev/tty", os.O_RDONLY))
    TERMINAL = True
except OSError:
    TERMINAL = False
signal.signal(signal.SIGHUP, hang_up)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
signal.signal(signal.SIGUSR2, signal.SIG_DFL)
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Health)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage whose gateways do with each signal what the test wants."""
    script: Path = tmp_path_factory.mktemp("gateway") / "gateway.py"
    script.write_text(_GATEWAY)
    with Command(f"'{sys.executable}' '{script}'").stage(Process()) as stage:
        yield stage


def _play(stage: Stage, observe: Any, *steps: Step) -> Any:
    return stage.play(Scenario("s", steps, observe))


@pytest.mark.parametrize(
    ("signal", "end"),
    [
        ("SIGTERM", "ended"),
        ("SIGUSR2", "ended"),
        ("SIGQUIT", "exit status 3"),
        ("SIGUSR1", "still there"),
    ],
)
def test_what_a_signal_does(stage: Stage, signal: str, end: str) -> None:
    """Exit status 0 and the signal itself are an end in order; all else is told as it is."""
    within = 0.2 if end == "still there" else TIME_LIMIT
    assert _play(stage, "$value:end", Interrupt(signal, "health", within=within)) == end


def test_a_signal_before_the_port_is_open(stage: Stage) -> None:
    """Nothing is waited for then, and nothing of the process is left."""
    assert _play(stage, "$value:end", Interrupt("SIGKILL")) == "ended"
    assert len(stage.processes) == 1


def test_a_signal_once_somebody_listens(stage: Stage) -> None:
    """It comes as soon as a connection is accepted."""
    assert _play(stage, "$value:end", Interrupt("SIGTERM", "port")) == "ended"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_that_closes(stage: Stage, terminal: bool) -> None:
    """The kernel says so to whoever was started at it, and to nobody else."""
    step = Interrupt("SIGHUP", "health", terminal=terminal)
    assert _play(stage, "$value:end", step) == ("ended" if terminal else "exit status 4")


def test_a_process_that_never_listens_has_failed() -> None:
    """There is no instant to send a signal at."""
    command = Command(f"'{sys.executable}' -c pass")
    with command.stage(Process(start=False)) as stage, pytest.raises(GatewayFailed):
        _play(stage, "$value:end", Interrupt("SIGTERM", "port"))


def test_where_it_listens(stage: Stage) -> None:
    """Each address for itself, those of the other IP version too."""
    seen = _play(stage, "$value:listens_on", ListensOn(("127.0.0.1", "127.0.0.2", "::1")))
    assert seen == {"127.0.0.1": True, "127.0.0.2": False, "::1": False}


def test_a_gateway_that_runs_already_gets_no_signal() -> None:
    """It is not the kit's process."""
    backend = StubBackend()
    try:
        stage = Stage("127.0.0.1", 9, backend, None)
        assert _play(stage, "$value:end", Interrupt("SIGTERM")) is None
    finally:
        backend.stop()
