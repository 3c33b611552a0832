"""gateway_shim.arbiter: signals, reloads and the ends of workers, without any process."""

from __future__ import annotations

import logging
import os
import signal
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from gateway_shim import arbiter as arbiter_module
from gateway_shim.arbiter import StreamArbiter
from gateway_shim.refused_options import ONE_WORKER
from gateway_shim.reload_check import ReloadCheck
from gateway_shim.server import GunicornServer, base_options
from tests.gateway_shim.rig import FakeClock


class FakeCheck:
    """A check whose end the test decides."""

    def __init__(self) -> None:
        self.over = self.killed = False
        self.problem: str | None = None

    def is_over(self) -> bool:
        """Whether the test has said so."""
        return self.over

    def kill(self) -> None:
        """Note it."""
        self.killed = True


class Rig:
    """An arbiter whose workers are no processes.

    Attributes:
        sent: the signals that were sent to workers, with their pids.
        ends: what ``waitpid`` returns next.
        served: the ages of the workers that have served.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[int, int]] = []
        self.ends: list[tuple[int, int]] = []
        self.served: set[int] = set()
        self.checks: list[FakeCheck] = []
        self.reloads = 0
        self.clock = FakeClock()
        self.gone: set[int] = set()
        running = GunicornServer(lambda: None, base_options("127.0.0.1", 1, drain_seconds=5))
        made: Any = Arbiter(running)
        made.pid = os.getpid()
        made.WORKERS = {}
        StreamArbiter.take_over(made, self._start_check)
        self.arbiter: StreamArbiter = made
        monkeypatch.setattr(os, "kill", self._kill)
        monkeypatch.setattr(os, "waitpid", lambda *_: self.ends.pop(0) if self.ends else (0, 0))
        monkeypatch.setattr(arbiter_module, "monotonic", self.clock)
        monkeypatch.setattr(Arbiter, "spawn_worker", lambda _: self._spawn())
        monkeypatch.setattr(Arbiter, "reload", lambda _: self._reload())

    def turn(self) -> list[int]:
        """Let the loop turn once; return the signals that it has seen."""
        arbiter = self.arbiter
        signals = arbiter.wait_for_signals(timeout=0.001)
        for sig in signals:
            if sig == signal.SIGCHLD:
                arbiter.reap_workers()
        arbiter.murder_workers()
        arbiter.manage_workers()
        return signals

    def end(self, pid: int, status: int = 0) -> None:
        """Let a worker end, and the arbiter hear of it."""
        self.ends.append((pid, status))
        self.arbiter.signal_chld(signal.SIGCHLD, None)
        self.turn()

    def signals(self, *numbers: int) -> None:
        """Let signals arrive."""
        for number in numbers:
            self.arbiter.signal(number, None)

    @property
    def workers(self) -> list[int]:
        """The pids of the workers that have no successor."""
        return list(self.arbiter.WORKERS)

    def _start_check(self) -> ReloadCheck:
        self.checks.append(FakeCheck())
        return cast(ReloadCheck, self.checks[-1])

    def _kill(self, pid: int, sig: int) -> None:
        if pid in self.gone:
            raise ProcessLookupError
        self.sent.append((pid, sig))

    def _spawn(self) -> int:
        self.arbiter.worker_age += 1
        age = self.arbiter.worker_age
        tmp = SimpleNamespace(close=lambda: None, last_update=time.monotonic)
        generations = SimpleNamespace(has_served=lambda age: age in self.served)
        worker = SimpleNamespace(age=age, tmp=tmp, generations=generations, aborted=False)
        self.arbiter.WORKERS[100 + age] = cast(Any, worker)
        self.served.add(age)
        return 100 + age

    def _reload(self) -> None:
        self.reloads += 1
        self.arbiter.spawn_worker()
        self.arbiter.manage_workers()


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


def test_no_second_worker(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """SIGTTIN adds no worker, and the log says why."""
    rig.arbiter.handle_ttin()
    rig.turn()
    assert rig.workers == [101]
    assert [record.message for record in caplog.records] == [f"SIGTTIN ignored: {ONE_WORKER}"]


# ------------------------------------------------------------------------- stops


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
    assert (rig.workers, rig.arbiter._crashes) == ([102], 0)


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
