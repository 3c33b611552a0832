"""Tests of the arbiter's signals, with simulated workers."""

from __future__ import annotations

import os
import signal

import pytest
from gunicorn.workers.base import Worker

from gateway_shim.server.refused_options import FIXED_NUMBER
from tests.gateway_shim.server.arbiter_simulation import ArbiterSimulation


def test_the_number_of_workers_is_fixed(
    pair: ArbiterSimulation, caplog: pytest.LogCaptureFixture
) -> None:
    """SIGTTIN adds no worker, SIGTTOU ends none, and the log says what to do."""
    pair.arbiter.handle_ttin()
    pair.arbiter.handle_ttou()
    pair.turn()
    assert (pair.workers, pair.sent) == ([101, 102], [])
    assert [record.message for record in caplog.records] == [
        f"SIGTTIN ignored: {FIXED_NUMBER}",
        f"SIGTTOU ignored: {FIXED_NUMBER}",
    ]


@pytest.mark.parametrize(
    ("arrived", "seen"),
    [
        ([signal.SIGTERM], [signal.SIGTERM]),
        ([signal.SIGINT], [signal.SIGINT]),
        ([signal.SIGUSR1, signal.SIGHUP, signal.SIGTERM], [signal.SIGTERM]),
        ([signal.SIGTERM, signal.SIGTERM], [signal.SIGQUIT]),
        ([signal.SIGTERM, signal.SIGHUP, signal.SIGINT], [signal.SIGQUIT]),
        ([signal.SIGUSR1, signal.SIGUSR1, signal.SIGHUP], [signal.SIGUSR1, signal.SIGHUP]),
    ],
)
def test_a_stop_overtakes(
    simulation: ArbiterSimulation, arrived: list[int], seen: list[int]
) -> None:
    """A stop signal overtakes all others, and two stop signals at once count as SIGQUIT."""
    simulation.send(*arrived)
    assert simulation.arbiter.wait_for_signals(timeout=0.001) == seen


def test_the_queue_is_native(simulation: ArbiterSimulation) -> None:
    """The queue of signals holds no lock that an interrupting handler would wait for."""
    assert type(simulation.arbiter.SIG_QUEUE).__module__ == "_queue"  # the module written in C


def test_a_stop_before_the_worker_has_its_handlers(
    simulation: ArbiterSimulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was just forked ends itself at a stop signal instead of queueing it."""
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    simulation.arbiter.pid += 1
    simulation.send(signal.SIGHUP, signal.SIGUSR1)
    assert ended == []
    simulation.send(signal.SIGTERM)
    assert ended == [0]


def test_a_stop_before_the_arbiter_listens(simulation: ArbiterSimulation) -> None:
    """A stop signal ends the arbiter at once while gunicorn still tries to listen."""
    simulation.arbiter.LISTENERS = []
    with pytest.raises(SystemExit) as ended:
        simulation.send(signal.SIGTERM)
    assert ended.value.code == 0


# ------------------------------------------------------------------------- hangups


def test_a_hangup_is_a_reload(simulation: ArbiterSimulation) -> None:
    """SIGHUP asks for a reload, with a terminal that is still open and without one."""
    simulation.send(signal.SIGHUP, signal.SIGHUP)
    assert simulation.turn() == [signal.SIGHUP]
    assert len(simulation.checks) == 1


def test_a_hangup_before_the_handlers(
    simulation: ArbiterSimulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A SIGHUP that arrived while the program was imported is a reload, too."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    simulation.arbiter.init_signals()
    assert simulation.turn() == []
    simulation.start.hangup = True
    simulation.arbiter.init_signals()
    assert simulation.turn() == [signal.SIGHUP]


def test_a_closed_terminal(simulation: ArbiterSimulation) -> None:
    """A closed terminal stops the server, even while a reload is wanted or runs."""
    simulation.arbiter._start_check = None
    simulation.send(signal.SIGHUP)
    simulation.turn()
    simulation.send(signal.SIGHUP)
    simulation.turn()  # a reload is wanted, and waits for the end of the replaced worker
    simulation.start.closed = True
    simulation.send(signal.SIGHUP)
    with pytest.raises(StopIteration):
        simulation.turn()


@pytest.mark.parametrize("ends", [False, True])
def test_a_hangup_before_a_worker_has_served(starting: ArbiterSimulation, ends: bool) -> None:
    """An early SIGHUP ends a gateway on a port and reloads the backend; later both reload."""
    starting.arbiter._ends_at_early_hangup = ends
    starting.send(signal.SIGHUP)
    if ends:
        with pytest.raises(StopIteration):
            starting.turn()
    else:
        starting.turn()
    starting.seats[101].serve()
    starting.send(signal.SIGHUP)
    starting.turn()
    assert len(starting.checks) == 1


def test_a_hangup_between_two_workers(simulation: ArbiterSimulation) -> None:
    """A gateway whose only worker has just crashed counts as started, so SIGHUP is a reload."""
    simulation.arbiter._ends_at_early_hangup = True
    simulation.arbiter.WORKERS.clear()
    simulation.arbiter.signal(signal.SIGHUP, None)
    simulation.arbiter.handle_hup()


def test_workers_keep_the_handler_of_hangups(simulation: ArbiterSimulation) -> None:
    """A worker keeps the arbiter's handler of SIGHUP and resets all other signals."""
    assert signal.SIGHUP in Worker.SIGNALS
    assert signal.SIGHUP not in simulation.arbiter.worker_class.SIGNALS
    assert set(simulation.arbiter.worker_class.SIGNALS) == {*Worker.SIGNALS} - {signal.SIGHUP}
