"""Tests of reloads and stops, with simulated workers."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gunicorn.arbiter import Arbiter

from gateway_shim.event_log.places import place as places
from gateway_shim.event_log.places.place import LogPlace
from gateway_shim.server import arbiter as module
from gateway_shim.server.arbiter import StreamArbiter, prepare_arbiter
from gateway_shim.server.gunicorn_application import GunicornApplication
from gateway_shim.server.options import base_options
from tests.gateway_shim.server.arbiter_simulation import ArbiterSimulation, FakeStart

# ------------------------------------------------------------------------- reloads


def test_a_reload(simulation: ArbiterSimulation) -> None:
    """A reload runs a check, starts the next worker, and sends the old worker one SIGTERM."""
    simulation.send(signal.SIGHUP)
    simulation.turn()
    simulation.turn()
    assert (len(simulation.checks), simulation.reloads, simulation.sent) == (1, 0, [])
    simulation.checks[0].over = True
    for _ in range(3):
        simulation.turn()
    assert (simulation.reloads, simulation.workers) == (1, [102])
    assert simulation.sent == [(101, signal.SIGTERM)]
    simulation.end_worker(101)
    assert simulation.workers == [102]


def test_many_reloads_are_two(simulation: ArbiterSimulation) -> None:
    """All SIGHUPs during a reload are one more reload, which begins when the old worker ends."""
    simulation.send(*[signal.SIGHUP] * 30)
    simulation.turn()
    simulation.send(*[signal.SIGHUP] * 30)
    simulation.checks[0].over = True
    for _ in range(5):
        simulation.turn()
        simulation.send(signal.SIGHUP)
    assert (simulation.reloads, len(simulation.checks)) == (1, 1)
    simulation.end_worker(101)
    simulation.checks[1].over = True
    for _ in range(5):
        simulation.turn()
    assert (simulation.reloads, len(simulation.checks), simulation.workers) == (2, 2, [103])


def test_a_failed_check_refuses_the_reload(
    simulation: ArbiterSimulation, caplog: pytest.LogCaptureFixture
) -> None:
    """A failed check is logged with its reason, and the worker that serves is not touched."""
    simulation.send(signal.SIGHUP)
    simulation.turn()
    simulation.checks[0].over, simulation.checks[0].problem = True, "X: no good"
    simulation.turn()
    assert (simulation.reloads, simulation.workers, simulation.sent) == (0, [101], [])
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        "reload refused, the running worker continues: X: no good"
    ]


@pytest.mark.parametrize("during_the_check", [False, True])
def test_a_replaced_program_refuses_the_reload(
    simulation: ArbiterSimulation, during_the_check: bool
) -> None:
    """A reload is refused if a file of the program was replaced, before or during the check."""
    change: list[str | None] = [None, "x was replaced"] if during_the_check else ["x was replaced"]
    simulation.arbiter._program = cast(Any, SimpleNamespace(change=lambda: change.pop(0)))
    simulation.send(signal.SIGHUP)
    simulation.turn()
    assert len(simulation.checks) == during_the_check
    for check in simulation.checks:
        check.over = True
    simulation.turn()
    assert (simulation.reloads, change) == (0, [])


def test_a_reload_without_a_check(simulation: ArbiterSimulation) -> None:
    """A gateway on a port has nothing to check, so the next worker starts at once."""
    simulation.arbiter._start_check = None
    simulation.send(signal.SIGHUP)
    simulation.turn()
    assert (simulation.reloads, simulation.workers) == (1, [102])


def test_a_crash_during_a_check(simulation: ArbiterSimulation) -> None:
    """A worker that crashes is replaced although a check still runs."""
    simulation.send(signal.SIGHUP)
    simulation.turn()
    simulation.end_worker(101, signal.SIGSEGV)
    assert (simulation.workers, simulation.reloads) == ([102], 0)


def test_a_crash_while_the_old_worker_ends(simulation: ArbiterSimulation) -> None:
    """A worker that was told to end does not count as one that serves."""
    simulation.arbiter._start_check = None
    simulation.send(signal.SIGHUP)
    simulation.turn()
    simulation.end_worker(102, signal.SIGSEGV)
    assert simulation.workers == [103]


def test_a_reload_of_two(pair: ArbiterSimulation) -> None:
    """Both workers are replaced at the same time, and the next reload waits for both."""
    pair.arbiter._start_check = None
    pair.send(signal.SIGHUP)
    pair.turn()
    assert (pair.workers, pair.numbers) == ([103, 104], [1, 2])
    assert pair.sent == [(101, signal.SIGTERM), (102, signal.SIGTERM)]
    assert [pair.seats[pid].has_successor for pid in (101, 102, 103, 104)] == [
        True,
        True,
        False,
        False,
    ]
    pair.send(signal.SIGHUP)
    pair.turn()
    pair.end_worker(102)
    assert (pair.reloads, pair.workers) == (1, [103, 104])
    pair.end_worker(101)
    pair.turn()
    assert (pair.reloads, pair.workers, pair.numbers) == (2, [105, 106], [1, 2])


def test_a_reload_without_space(
    pair: ArbiterSimulation, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A reload is refused while several workers could not start in their directory."""
    (tmp_path / "file").touch()
    places.set_place(LogPlace(tmp_path / "file", survives_restart=True, workers=2))
    try:
        pair.arbiter._start_check = None
        pair.send(signal.SIGHUP)
        pair.turn()
    finally:
        places.set_place(None)
    assert (pair.reloads, pair.sent, pair.workers) == (0, [], [101, 102])
    assert f"reload refused, the running worker continues: cannot use {tmp_path}" in caplog.text


def test_a_crash_while_two_old_workers_end(pair: ArbiterSimulation) -> None:
    """A new worker that crashes is replaced under its number while the old ones still end."""
    pair.arbiter._start_check = None
    pair.send(signal.SIGHUP)
    pair.turn()
    pair.end_worker(103, signal.SIGSEGV)
    assert (pair.workers, pair.numbers) == ([104, 105], [2, 1])
    assert len(pair.sent) == 2


def test_the_number_of_workers_stays(
    pair: ArbiterSimulation, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload keeps the number of workers, whatever the configuration says by then."""
    place = LogPlace(Path("unused"), survives_restart=False, workers=2)
    monkeypatch.setattr(places, "_place", place)
    app = pair.arbiter.app
    for number in (1, 3, 0):
        app.cfg.set("workers", number)
        pair.arbiter.setup(app)
        assert (app.cfg.workers, pair.arbiter.num_workers) == (2, 2)
    assert [record.message.split(": ")[1] for record in caplog.records] == [
        "--workers 1",
        "--workers 3",
        "--workers 0",
    ]


def test_options_that_would_lose_events(
    simulation: ArbiterSimulation, caplog: pytest.LogCaptureFixture
) -> None:
    """A reload sets options that would lose events back, and logs each of them."""
    app = simulation.arbiter.app
    for name, value in {"workers": 2, "max_requests": 5, "preload_app": True}.items():
        app.cfg.set(name, value)
    simulation.arbiter.setup(app)
    assert (app.cfg.workers, app.cfg.max_requests, app.cfg.preload_app) == (1, 0, False)
    ignored = [
        record.message.removeprefix("option ignored at the reload: ").split()[0]
        for record in caplog.records
    ]
    assert ignored == ["--workers", "--max-requests", "--preload:"]


# ------------------------------------------------------------------------- stops


def stop(simulation: ArbiterSimulation, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stop the arbiter; return the signals that gunicorn's own method finds in the queue."""
    monkeypatch.setattr(Arbiter, "stop", lambda self, graceful: self.kill_workers(signal.SIGTERM))
    simulation.arbiter.stop()
    return simulation.arbiter.wait_for_signals(timeout=0.001)


def test_a_stop_is_known_before_the_first_signal(
    pair: ArbiterSimulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that gets the signal first does not think that the other one goes on."""
    assert pair.seats[101].others_accept
    accepting: list[bool] = []
    monkeypatch.setattr(os, "kill", lambda *_: accepting.append(pair.seats[101].others_accept))
    stop(pair, monkeypatch)
    assert accepting == [False, False]


def test_a_stop_ends_the_check(
    simulation: ArbiterSimulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop kills a check, and no reload follows."""
    simulation.send(signal.SIGHUP)
    simulation.turn()
    assert stop(simulation, monkeypatch) == []
    assert (simulation.checks[0].killed, simulation.reloads) == (True, 0)
    assert simulation.sent == [(101, signal.SIGTERM)]


def test_a_stop_during_a_reload(
    simulation: ArbiterSimulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop sends a replaced worker its second SIGTERM, so that it does not wait for tasks."""
    simulation.arbiter._start_check = None
    simulation.send(signal.SIGHUP)
    simulation.turn()
    stop(simulation, monkeypatch)
    assert simulation.sent == [
        (101, signal.SIGTERM),
        (102, signal.SIGTERM),
        (101, signal.SIGTERM),
    ]
    assert sorted(simulation.workers) == [101, 102]  # gunicorn waits for both


def test_a_second_stop_is_never_lost(
    simulation: ArbiterSimulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second stop signal reaches gunicorn, whether it arrives before the stop begins or later."""
    simulation.send(signal.SIGUSR1, signal.SIGHUP, signal.SIGTERM)
    assert stop(simulation, monkeypatch) == [signal.SIGQUIT]
    simulation.send(signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)
    simulation.arbiter.signal_chld(signal.SIGCHLD, None)
    # gunicorn takes one signal every 0.1 s, so only stop signals may be in the queue.
    assert [simulation.arbiter.SIG_QUEUE.get_nowait() for _ in range(2)] == [signal.SIGQUIT] * 2
    assert simulation.arbiter.SIG_QUEUE.empty()


def test_a_worker_that_has_not_served_is_not_waited_for(
    simulation: ArbiterSimulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that has not served is killed after a second; a worker that has served drains."""
    simulation.arbiter._start_check = None
    simulation.serves = False
    simulation.send(signal.SIGHUP)
    simulation.turn()
    stop(simulation, monkeypatch)
    simulation.sent.clear()
    simulation.clock.now += 0.9
    simulation.arbiter.reap_workers()
    assert simulation.sent == []
    simulation.clock.now += 0.2
    simulation.arbiter.reap_workers()
    simulation.arbiter.reap_workers()
    assert simulation.sent == [(102, signal.SIGKILL)]


# ------------------------------------------------------------------------- who makes the arbiter


@pytest.mark.parametrize("kind", [Arbiter, StreamArbiter])
def test_an_arbiter_is_prepared_whoever_made_it(
    kind: type[Arbiter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An arbiter of gunicorn's own command becomes a StreamArbiter; ours stays one."""
    monkeypatch.setattr(module, "adopt_orphans", lambda: None)
    server = GunicornApplication(lambda: None, base_options("127.0.0.1", 1, drain_seconds=5))
    made: Any = kind(server)
    prepare_arbiter(made, None, start=FakeStart())
    assert type(made) is StreamArbiter
    made.pid, made.LISTENERS = os.getpid(), ["a listener"]
    made.signal(signal.SIGUSR1, None)
    assert made.wait_for_signals(timeout=0.001) == [signal.SIGUSR1]
