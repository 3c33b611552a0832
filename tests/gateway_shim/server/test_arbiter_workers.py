"""Tests of the ends of workers, which are simulated."""

from __future__ import annotations

import os
import signal

import pytest
from gunicorn.errors import HaltServer

from tests.gateway_shim.server.arbiter_simulation import ArbiterSimulation

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("code", [0, 1, 3, 4, 255])
def test_a_worker_that_has_served_is_replaced(simulation: ArbiterSimulation, code: int) -> None:
    """A worker that has served is replaced, whatever its exit status is."""
    simulation.end_worker(101, code << 8)
    assert simulation.workers == [102]


@pytest.mark.parametrize(("code", "reason"), [(3, "Worker failed to boot."), (4, "App failed")])
def test_a_worker_that_cannot_start(simulation: ArbiterSimulation, code: int, reason: str) -> None:
    """A worker that cannot start ends the server with the same exit status."""
    simulation.served.clear()
    with pytest.raises(HaltServer, match=reason) as caught:
        simulation.end_worker(101, code << 8)
    assert caught.value.exit_status == code


def test_a_replaced_worker_may_end_with_any_status(simulation: ArbiterSimulation) -> None:
    """The exit status of a replaced worker neither ends the server nor counts as a crash."""
    simulation.arbiter._start_check = None
    simulation.send(signal.SIGHUP)
    simulation.turn()
    simulation.end_worker(101, 3 << 8)
    assert (simulation.workers, simulation.arbiter._pauses.may_start(0.0)) == ([102], True)


def test_a_replaced_worker_that_does_not_end(simulation: ArbiterSimulation) -> None:
    """A replaced worker is killed once, when its time is over."""
    simulation.arbiter._start_check = None
    simulation.send(signal.SIGHUP)
    simulation.turn()
    simulation.clock.now += simulation.arbiter.cfg.graceful_timeout - 1
    simulation.turn()
    assert simulation.sent == [(101, signal.SIGTERM)]
    simulation.clock.now += 1
    simulation.turn()
    simulation.turn()
    assert simulation.sent[1:] == [(101, signal.SIGKILL)]


def test_workers_that_crash_one_after_the_other(
    simulation: ArbiterSimulation, caplog: pytest.LogCaptureFixture
) -> None:
    """The pause before a worker's replacement doubles with each crash, up to 30 seconds."""
    pauses = []
    for _ in range(9):
        (pid,) = simulation.workers
        simulation.end_worker(pid, signal.SIGKILL)
        before = simulation.clock.now
        while not simulation.workers:
            simulation.clock.now += 0.5
            simulation.turn()
        pauses.append(simulation.clock.now - before)
    assert pauses == [0, 1, 2, 4, 8, 16, 30, 30, 30]
    assert sum("crash repeatedly" in record.message for record in caplog.records) == 8
    simulation.clock.now += 60
    (pid,) = simulation.workers
    simulation.end_worker(pid, signal.SIGKILL)
    assert len(simulation.workers) == 1


def test_the_end_of_a_worker_is_logged(
    simulation: ArbiterSimulation, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the exit status or the signal of each end, and nothing about a clean end."""
    simulation.clock.now += 100
    for status in (0, 3 << 8, signal.SIGKILL, 64):
        simulation.clock.now += 100
        simulation.end_worker(simulation.workers[0], status)
    messages = [r.message for r in caplog.records if r.message.startswith("Worker (")]
    assert messages == [
        "Worker (pid:102) exited with code 3.",
        "Worker (pid:103) was sent SIGKILL! Perhaps out of memory?",
        f"Worker (pid:104) was ended by a signal: {signal.strsignal(64)}",
    ]


def test_other_children(simulation: ArbiterSimulation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ends of orphans and of gunicorn's next first process are collected, and start nothing."""
    simulation.arbiter.reexec_pid = 77
    simulation.ends = [(55, 3 << 8), (77, 0)]
    simulation.end_worker(66, signal.SIGKILL)
    assert (simulation.workers, simulation.arbiter.reexec_pid) == ([101], 0)

    def no_child(*_: object) -> tuple[int, int]:
        raise ChildProcessError

    monkeypatch.setattr(os, "waitpid", no_child)
    simulation.arbiter.reap_workers()
