"""Tests of the ends of workers, which are simulated."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from gateway_shim.log_lines.process_fields import process_fields
from gateway_shim.server import worker as worker_module
from gateway_shim.server.arbiter_signals import STOPS
from gateway_shim.server.request_worker import RequestWorker
from gateway_shim.server.worker import StreamWorker
from tests.gateway_shim.server.arbiter_simulation import ArbiterSimulation

pytestmark = pytest.mark.slow


def blocked() -> set[int]:
    """Return the stop signals that the kernel keeps from this thread."""
    return signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(STOPS)


def test_a_stop_during_a_fork_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python forgets the signals of a process that was just forked, so the kernel keeps a stop.

    The worker gets it as soon as it can act on it.
    """
    seen = []
    server = ArbiterSimulation(monkeypatch)
    fork = Arbiter.spawn_worker

    def spawn_worker(arbiter: Arbiter) -> int:
        seen.append(blocked())
        return cast(int, fork(arbiter))

    monkeypatch.setattr(Arbiter, "spawn_worker", spawn_worker)
    server.turn()
    assert (seen, blocked()) == ([set(STOPS)], set())

    for name in ("GarbageAtStart", "set_worker_number", "use_own_http"):
        monkeypatch.setattr(worker_module, name, lambda *_: None)
    monkeypatch.setattr(RequestWorker, "init_process", lambda _: seen.append(blocked()))
    worker: Any = object.__new__(StreamWorker)
    worker.seat = SimpleNamespace(number=1)
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        worker.init_process()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    assert seen[1:] == [set()]


@pytest.mark.parametrize("code", [0, 1, 3, 4, 255])
def test_a_worker_that_has_served_is_replaced(simulation: ArbiterSimulation, code: int) -> None:
    """A worker that has served is replaced, whatever its exit status is."""
    simulation.end_worker(101, code << 8)
    assert simulation.workers == [102]


@pytest.mark.parametrize(("code", "reason"), [(3, "Worker failed to boot."), (4, "App failed")])
def test_a_worker_that_cannot_start(starting: ArbiterSimulation, code: int, reason: str) -> None:
    """A worker that cannot start ends the server with the same exit status."""
    with pytest.raises(HaltServer, match=reason) as caught:
        starting.end_worker(101, code << 8)
    assert caught.value.exit_status == code


def test_one_of_two_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start and at a reload, one worker that cannot start ends the server."""
    pair = ArbiterSimulation(monkeypatch, workers=2, serves=False)
    pair.turn()
    pair.seats[101].serve()
    with pytest.raises(HaltServer):
        pair.end_worker(102, 3 << 8)


def test_one_of_two_cannot_start_at_a_reload(pair: ArbiterSimulation) -> None:
    """Once a reload has begun, the old workers end, so the server cannot go on with half."""
    pair.arbiter._start_check, pair.serves = None, False
    pair.send(signal.SIGHUP)
    pair.turn()
    pair.seats[103].serve()
    with pytest.raises(HaltServer):
        pair.end_worker(104, 4 << 8)


def test_log_lines_name_the_worker(pair: ArbiterSimulation) -> None:
    """Each of several workers is forked with its number for log lines; the arbiter has none."""
    pair.end_worker(102, signal.SIGKILL)
    assert pair.log_fields == [{"worker": 1}, {"worker": 2}, {"worker": 2}]
    assert process_fields() == {}


def test_log_lines_of_one_worker(simulation: ArbiterSimulation) -> None:
    """A worker that is alone has no number in its log lines."""
    simulation.end_worker(101)
    assert simulation.log_fields == [{}, {}]


def test_a_replacement_that_cannot_start(pair: ArbiterSimulation) -> None:
    """A replacement that cannot start is tried again after a pause while another worker serves."""
    pair.serves = False
    pair.end_worker(101, signal.SIGKILL)
    assert (pair.workers, pair.numbers) == ([102, 103], [2, 1])
    pair.end_worker(103, 3 << 8)
    assert pair.workers == [102]
    pair.clock.now += 1
    pair.turn()
    assert (pair.workers, pair.numbers) == ([102, 104], [2, 1])
    pair.end_worker(102, signal.SIGKILL)  # its replacement, 105, is forked at once
    with pytest.raises(HaltServer):
        pair.end_worker(104, 3 << 8)


def test_all_workers_are_killed_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Workers that are killed together are all replaced at once: a pause is for one number."""
    server = ArbiterSimulation(monkeypatch, workers=8)
    server.turn()
    server.ends = [(pid, signal.SIGKILL) for pid in range(101, 108)]
    server.end_worker(108, signal.SIGKILL)
    assert server.numbers == [1, 2, 3, 4, 5, 6, 7, 8]
    server.end_worker(111, signal.SIGKILL)
    assert server.numbers == [1, 2, 4, 5, 6, 7, 8]
    server.end_worker(112, signal.SIGKILL)
    assert server.numbers == [1, 2, 5, 6, 7, 8]
    server.clock.now += 1
    server.turn()
    assert server.numbers == [1, 2, 5, 6, 7, 8, 3, 4]


def test_the_row_of_a_worker_is_free_after_its_end(pair: ArbiterSimulation) -> None:
    """The streams of a dead worker count no longer, and its row is used again and again."""
    seat = pair.seats[102]
    seat.count_streams(7)
    assert [other.streams for other in pair.seats[101].others()] == [7]
    for _ in range(20):
        pair.clock.now += 100
        pair.end_worker(pair.workers[-1], signal.SIGKILL)
        assert [other.load for other in pair.seats[101].others()] == [0]


def test_a_replaced_worker_may_end_with_any_status(simulation: ArbiterSimulation) -> None:
    """The exit status of a replaced worker neither ends the server nor counts as a crash."""
    simulation.arbiter._start_check = None
    simulation.send(signal.SIGHUP)
    simulation.turn()
    simulation.end_worker(101, 3 << 8)
    assert (simulation.workers, simulation.arbiter._pauses[1].may_start(0.0)) == ([102], True)


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
