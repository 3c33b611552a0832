"""Reloads, stops and the ends of workers, without any process."""

from __future__ import annotations

import logging
import os
import signal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from tests.gateway_shim.server.arbiter_rig import Rig


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    """An arbiter with one worker that serves."""
    rig = Rig(monkeypatch)
    rig.turn()
    assert rig.workers == [101]
    return rig


# ------------------------------------------------------------------------- reloads


def test_a_reload(rig: Rig) -> None:
    """The check first; then the next worker, and the old one is told to end, once."""
    rig.signals(signal.SIGHUP)
    rig.turn()
    rig.turn()
    assert (len(rig.checks), rig.reloads, rig.sent) == (1, 0, [])
    rig.checks[0].over = True
    for _ in range(3):
        rig.turn()
    assert (rig.reloads, rig.workers, rig.sent) == (1, [102], [(101, signal.SIGTERM)])
    rig.end(101)
    assert rig.workers == [102]


def test_many_reloads_are_two(rig: Rig) -> None:
    """All that come during a reload are one more, which begins when the old worker has ended."""
    rig.signals(*[signal.SIGHUP] * 30)
    rig.turn()
    rig.signals(*[signal.SIGHUP] * 30)
    rig.checks[0].over = True
    for _ in range(5):
        rig.turn()
        rig.signals(signal.SIGHUP)
    assert (rig.reloads, len(rig.checks)) == (1, 1)
    rig.end(101)
    rig.checks[1].over = True
    for _ in range(5):
        rig.turn()
    assert (rig.reloads, len(rig.checks), rig.workers) == (2, 2, [103])


def test_a_reload_that_could_not_work(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """It is refused with the reason, and the worker that serves is not touched."""
    rig.signals(signal.SIGHUP)
    rig.turn()
    rig.checks[0].over, rig.checks[0].problem = True, "X: no good"
    rig.turn()
    assert (rig.reloads, rig.workers, rig.sent) == (0, [101], [])
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        "reload refused, the running worker goes on: X: no good"
    ]


@pytest.mark.parametrize("during_the_check", [False, True])
def test_a_program_that_was_replaced(rig: Rig, during_the_check: bool) -> None:
    """The next worker would be half old and half new, also if that happens during the check."""
    change: list[str | None] = [None, "x was replaced"] if during_the_check else ["x was replaced"]
    rig.arbiter._program = cast(Any, SimpleNamespace(change=lambda: change.pop(0)))
    rig.signals(signal.SIGHUP)
    rig.turn()
    assert len(rig.checks) == during_the_check
    for check in rig.checks:
        check.over = True
    rig.turn()
    assert (rig.reloads, change) == (0, [])


def test_without_a_check(rig: Rig) -> None:
    """The gateway on a port has nothing to check."""
    rig.arbiter._start_check = None
    rig.signals(signal.SIGHUP)
    rig.turn()
    assert (rig.reloads, rig.workers) == (1, [102])


def test_a_crash_during_a_check(rig: Rig) -> None:
    """The worker is replaced, although the check still runs."""
    rig.signals(signal.SIGHUP)
    rig.turn()
    rig.end(101, signal.SIGSEGV)
    assert (rig.workers, rig.reloads) == ([102], 0)


def test_a_crash_while_the_old_worker_ends(rig: Rig) -> None:
    """The one that is told to end does not count as one that serves."""
    rig.arbiter._start_check = None
    rig.signals(signal.SIGHUP)
    rig.turn()
    rig.end(102, signal.SIGSEGV)
    assert rig.workers == [103]


def test_a_replaced_worker_that_does_not_end(rig: Rig) -> None:
    """It is killed when its time is over, and the next reload can begin."""
    rig.arbiter._start_check = None
    rig.signals(signal.SIGHUP)
    rig.turn()
    rig.clock.now += rig.arbiter.cfg.graceful_timeout - 1
    rig.turn()
    assert rig.sent == [(101, signal.SIGTERM)]
    rig.clock.now += 1
    rig.turn()
    rig.turn()
    assert rig.sent[1:] == [(101, signal.SIGKILL)]


def test_options_that_would_lose_events(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """gunicorn does not ask the worker class again; each is set back, with a line in the log."""
    app = rig.arbiter.app
    for name, value in {"workers": 2, "max_requests": 5, "preload_app": True}.items():
        app.cfg.set(name, value)
    rig.arbiter.setup(app)
    assert (app.cfg.workers, app.cfg.max_requests, app.cfg.preload_app) == (1, 0, False)
    ignored = [record.message.split()[1] for record in caplog.records]
    assert ignored == ["--workers", "--max-requests", "--preload:"]


# ------------------------------------------------------------------------- stops


def stop(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stop; return the signals that gunicorn's own method finds in the queue."""
    monkeypatch.setattr(Arbiter, "stop", lambda self, graceful: self.kill_workers(signal.SIGTERM))
    rig.arbiter.stop()
    return rig.arbiter.wait_for_signals(timeout=0.001)


def test_a_stop_ends_the_check(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is killed, and no reload follows."""
    rig.signals(signal.SIGHUP)
    rig.turn()
    assert stop(rig, monkeypatch) == []
    assert (rig.checks[0].killed, rig.reloads, rig.sent) == (True, 0, [(101, signal.SIGTERM)])


def test_a_stop_during_a_reload(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the worker that was replaced it is the second SIGTERM: it waits for no task."""
    rig.arbiter._start_check = None
    rig.signals(signal.SIGHUP)
    rig.turn()
    stop(rig, monkeypatch)
    assert rig.sent == [
        (101, signal.SIGTERM),
        (102, signal.SIGTERM),
        (101, signal.SIGTERM),
    ]
    assert sorted(rig.workers) == [101, 102]  # gunicorn waits for both


def test_a_second_stop_is_never_lost(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it comes just before the stop begins or later, gunicorn finds what it looks for."""
    rig.signals(signal.SIGUSR1, signal.SIGHUP, signal.SIGTERM)
    assert stop(rig, monkeypatch) == [signal.SIGQUIT]
    rig.signals(signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)
    rig.arbiter.signal_chld(signal.SIGCHLD, None)
    # gunicorn takes one signal every 0.1 s: only what hurries may wait there.
    assert [rig.arbiter.SIG_QUEUE.get_nowait() for _ in range(2)] == [signal.SIGQUIT] * 2
    assert rig.arbiter.SIG_QUEUE.empty()


def test_a_worker_that_has_not_served_is_not_waited_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed if it does not end within a second; one that has served drains."""
    rig.arbiter._start_check = None
    rig.signals(signal.SIGHUP)
    rig.turn()
    rig.served.remove(2)
    stop(rig, monkeypatch)
    rig.sent.clear()
    rig.clock.now += 0.9
    rig.arbiter.reap_workers()
    assert rig.sent == []
    rig.clock.now += 0.2
    rig.arbiter.reap_workers()
    rig.arbiter.reap_workers()
    assert rig.sent == [(102, signal.SIGKILL)]


# ------------------------------------------------------------------------- ends of workers


@pytest.mark.parametrize("code", [0, 1, 3, 4, 255])
def test_a_worker_that_has_served_is_replaced(rig: Rig, code: int) -> None:
    """Whatever a task has ended it with."""
    rig.end(101, code << 8)
    assert rig.workers == [102]


@pytest.mark.parametrize(("code", "reason"), [(3, "Worker failed to boot."), (4, "App failed")])
def test_a_worker_that_cannot_start(rig: Rig, code: int, reason: str) -> None:
    """The next one could not start either: the server ends with the same status."""
    rig.served.clear()
    with pytest.raises(HaltServer, match=reason) as caught:
        rig.end(101, code << 8)
    assert caught.value.exit_status == code


def test_a_replaced_worker_ends_as_it_likes(rig: Rig) -> None:
    """The one that serves goes on."""
    rig.arbiter._start_check = None
    rig.signals(signal.SIGHUP)
    rig.turn()
    rig.end(101, 3 << 8)
    assert (rig.workers, rig.arbiter._pauses.may_start(0.0)) == ([102], True)


def test_workers_that_crash_one_after_the_other(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """The first is replaced at once, each later one after twice the pause; then half a minute."""
    pauses = []
    for _ in range(9):
        (pid,) = rig.workers
        rig.end(pid, signal.SIGKILL)
        before = rig.clock.now
        while not rig.workers:
            rig.clock.now += 0.5
            rig.turn()
        pauses.append(rig.clock.now - before)
    assert pauses == [0, 1, 2, 4, 8, 16, 30, 30, 30]
    assert sum("crash one after the other" in record.message for record in caplog.records) == 8
    rig.clock.now += 60
    (pid,) = rig.workers
    rig.end(pid, signal.SIGKILL)
    assert len(rig.workers) == 1


def test_the_log_says_how_a_worker_ended(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """By its status or its signal; a clean end is no news."""
    rig.clock.now += 100
    for status in (0, 3 << 8, signal.SIGKILL, 64):
        rig.clock.now += 100
        rig.end(rig.workers[0], status)
    said = [r.message for r in caplog.records if r.message.startswith("Worker (")]
    assert said == [
        "Worker (pid:102) exited with code 3.",
        "Worker (pid:103) was sent SIGKILL! Perhaps out of memory?",
        f"Worker (pid:104) was ended by a signal: {signal.strsignal(64)}",
    ]


def test_other_children(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a task has left behind is no worker, and gunicorn's next first process neither."""
    rig.arbiter.reexec_pid = 77
    rig.ends = [(55, 3 << 8), (77, 0)]
    rig.end(66, signal.SIGKILL)
    assert (rig.workers, rig.arbiter.reexec_pid) == ([101], 0)

    def no_child(*_: object) -> tuple[int, int]:
        raise ChildProcessError

    monkeypatch.setattr(os, "waitpid", no_child)
    rig.arbiter.reap_workers()
