"""What the arbiter makes of each signal, without any process."""

from __future__ import annotations

import os
import signal

import pytest
from gunicorn.workers.base import Worker

from gateway_shim.server.refused_options import ONE_WORKER
from tests.gateway_shim.server.arbiter_rig import Rig


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    """An arbiter with one worker that serves."""
    rig = Rig(monkeypatch)
    rig.turn()
    assert rig.workers == [101]
    return rig


def test_no_second_worker(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """SIGTTIN adds no worker, and the log says why."""
    rig.arbiter.handle_ttin()
    rig.turn()
    assert rig.workers == [101]
    assert [record.message for record in caplog.records] == [f"SIGTTIN ignored: {ONE_WORKER}"]


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
def test_a_stop_overtakes(rig: Rig, arrived: list[int], seen: list[int]) -> None:
    """Nothing is done before it; two of them at once are a stop that hurries."""
    rig.signals(*arrived)
    assert rig.arbiter.wait_for_signals(timeout=0.001) == seen


def test_a_stop_before_the_worker_has_its_handlers(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was just forked ends itself: it would queue the signal for nobody."""
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    rig.arbiter.pid += 1
    rig.signals(signal.SIGHUP, signal.SIGUSR1)
    assert ended == []
    rig.signals(signal.SIGTERM)
    assert ended == [0]


def test_a_stop_before_it_listens(rig: Rig) -> None:
    """gunicorn tries for seconds to listen at an address, so a stop does not wait for that."""
    rig.arbiter.LISTENERS = []
    with pytest.raises(SystemExit) as ended:
        rig.signals(signal.SIGTERM)
    assert ended.value.code == 0


# ------------------------------------------------------------------------- hangups


def test_a_hangup_is_a_reload(rig: Rig) -> None:
    """So it is at a terminal that is still there, and without one."""
    rig.signals(signal.SIGHUP, signal.SIGHUP)
    assert rig.turn() == [signal.SIGHUP]
    assert len(rig.checks) == 1


def test_a_hangup_before_the_handlers(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that came while the program was imported is a reload, too."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    rig.arbiter.init_signals()
    assert rig.turn() == []
    rig.start.hangup = True
    rig.arbiter.init_signals()
    assert rig.turn() == [signal.SIGHUP]


def test_a_closed_terminal(rig: Rig) -> None:
    """It stops the server, also while a reload is wanted or going on."""
    rig.arbiter._start_check = None
    rig.signals(signal.SIGHUP)
    rig.turn()
    rig.signals(signal.SIGHUP)
    rig.turn()  # wanted, and waiting for the worker that was replaced
    rig.start.closed = True
    rig.signals(signal.SIGHUP)
    with pytest.raises(StopIteration):
        rig.turn()


@pytest.mark.parametrize("ends", [False, True])
def test_a_hangup_before_anything_was_served(rig: Rig, ends: bool) -> None:
    """It ends a gateway on a port; the backend reloads. Later it is a reload for both."""
    rig.arbiter._ends_at_early_hangup = ends
    rig.served.clear()
    rig.signals(signal.SIGHUP)
    if ends:
        with pytest.raises(StopIteration):
            rig.turn()
    else:
        rig.turn()
    rig.served.add(1)
    rig.signals(signal.SIGHUP)
    rig.turn()
    assert len(rig.checks) == 1


def test_a_hangup_between_two_workers(rig: Rig) -> None:
    """A gateway whose only worker has just crashed has been started."""
    rig.arbiter._ends_at_early_hangup = True
    rig.arbiter.WORKERS.clear()
    rig.arbiter.signal(signal.SIGHUP, None)
    rig.arbiter.handle_hup()


def test_workers_and_hangups(rig: Rig) -> None:
    """A worker does not set a handler, or the default, for SIGHUP: it keeps the arbiter's."""
    assert signal.SIGHUP in Worker.SIGNALS
    assert signal.SIGHUP not in rig.arbiter.worker_class.SIGNALS
    assert set(rig.arbiter.worker_class.SIGNALS) == {*Worker.SIGNALS} - {signal.SIGHUP}
