"""Signals to a gateway's process, at the instants that a step names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway_shim.parity.play.launcher import GatewayFailed
from gateway_shim.parity.play.player import Player
from gateway_shim.parity.play.stub_backend import StubBackend
from gateway_shim.parity.play.targets import Command
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.steps import Interrupt, Open, Step, Terminate
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.slow

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
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    """Provide a player whose gateways react to each signal in a known way."""
    script: Path = tmp_path_factory.mktemp("gateway") / "gateway.py"
    script.write_text(_GATEWAY)
    with Command(f"'{sys.executable}' '{script}'").player(Process()) as player:
        yield player


def _play(player: Player, observe: Any, *steps: Step) -> Any:
    return player.play(Scenario("s", steps, observe))


@pytest.mark.parametrize(
    ("signal", "end"),
    [
        ("SIGTERM", "ended"),
        ("SIGUSR2", "ended"),
        ("SIGQUIT", "exit status 3"),
        ("SIGUSR1", "still there"),
    ],
)
def test_the_effect_of_a_signal_is_shown(player: Player, signal: str, end: str) -> None:
    """Exit status 0 and the signal itself are orderly ends; any other end is shown as it is."""
    within = 0.2 if end == "still there" else TIME_LIMIT
    assert _play(player, "$value:end", Interrupt(signal, "health", within=within)) == end


def test_a_signal_before_the_port_is_open(player: Player) -> None:
    """A signal at the start needs no readiness, and no process remains."""
    assert _play(player, "$value:end", Interrupt("SIGKILL")) == "ended"
    assert len(player.context.processes) == 1


def test_a_signal_when_the_port_is_open(player: Player) -> None:
    """A signal can be sent as soon as a connection is accepted."""
    assert _play(player, "$value:end", Interrupt("SIGTERM", "port")) == "ended"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_closed_terminal_sends_sighup(player: Player, terminal: bool) -> None:
    """The kernel sends SIGHUP only to the process that was started at the terminal."""
    step = Interrupt("SIGHUP", "health", terminal=terminal)
    assert _play(player, "$value:end", step) == ("ended" if terminal else "exit status 4")


def test_a_process_that_never_listens_has_failed() -> None:
    """A gateway that ends before it listens is a failure, because the signal has no instant."""
    command = Command(f"'{sys.executable}' -c pass")
    with command.player(Process(start=False)) as player, pytest.raises(GatewayFailed):
        _play(player, "$value:end", Interrupt("SIGTERM", "port"))


def test_a_gateway_that_runs_already_gets_no_signal() -> None:
    """The kit sends no signal to a gateway that it has not started."""
    backend = StubBackend()
    try:
        player = Player("127.0.0.1", 9, backend, None)
        assert _play(player, "$value:end", Interrupt("SIGTERM")) is None
    finally:
        backend.stop()


def test_sigterm_is_measured(shim: Command) -> None:
    """The values are the exit status, the time in tens of seconds, and the ends of the streams."""
    with shim.player(Process()) as player:
        observe = ["$value:exit_code", "$value:seconds", "$ended:s", "$disconnects"]
        seen = _play(player, observe, Open(), Terminate())
    assert seen == [0, 0, "clean", [["disconnect", "server_closed"]]]
