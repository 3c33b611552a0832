"""Watchers that wait for one child process each, on the loop of any thread."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import gevent
import gevent.subprocess
import pytest
from gevent.monkey import get_original

from gateway_shim.errors import NotAllowedHere
from gateway_shim.event_loop.child_watcher import ChildWatcher, use_child_watchers, wait_for_child
from tests.support.native_threads import run_native
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.slow

native_waitpid = get_original("os", "waitpid")
native_spawn = get_original("os", "posix_spawn")


def spawn(script: str) -> int:
    """Start a shell script and return its process id."""
    pid: int = native_spawn("/bin/sh", ["sh", "-c", script], os.environ)
    return pid


@pytest.fixture(params=["pidfd", "looking"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Learn of a child's end by a descriptor, or by looking again and again."""
    if request.param == "looking":

        def no_pidfd(pid: int) -> int:
            raise OSError

        monkeypatch.setattr(os, "pidfd_open", no_pidfd)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 255", 255), ("kill -9 $$", -9)])
def test_waiting_lets_others_run(script: str, code: int) -> None:
    """A greenlet and a native thread each learn how their child ended, and the loop goes on."""
    turns = 0

    def turn() -> None:
        nonlocal turns
        while True:
            gevent.sleep(0.001)  # without a pause the native thread could not run
            turns += 1

    others = gevent.spawn(turn)
    try:
        pid = spawn(f"sleep 0.05; {script}")
        assert wait_for_child(pid) == (pid, native_status(code))
        assert turns > 0
        pid = spawn(script)
        assert run_native(lambda: wait_for_child(pid)) == [(pid, native_status(code))]
    finally:
        others.kill()


def native_status(code: int) -> int:
    """Return an exit code as a wait status of ``os.waitpid``."""
    return -code if code < 0 else code << 8


@pytest.mark.usefixtures("_way")
def test_several_may_watch_one_child() -> None:
    """All greenlets that wait for one child get its status."""
    pid = spawn("sleep 0.05; exit 3")
    greenlets = [gevent.spawn(wait_for_child, pid) for _ in range(3)]
    gevent.sleep(0)  # each watcher has looked once, and now waits
    gevent.joinall(greenlets, timeout=TIME_LIMIT, raise_error=True)
    assert [greenlet.value for greenlet in greenlets] == [(pid, 3 << 8)] * 3


@pytest.mark.usefixtures("_way")
def test_a_child_that_somebody_else_has_waited_for() -> None:
    """A status that other code has taken counts as failure, and waiting for it is an error."""
    pid = spawn("exit 0")
    native_waitpid(pid, 0)
    with pytest.raises(ChildProcessError):
        wait_for_child(pid)
    pid = spawn("exit 0")
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    seen: list[int] = []
    watcher = ChildWatcher(gevent.get_hub().loop, pid)
    native_waitpid(pid, 0)
    watcher.start(lambda: seen.append(watcher.rstatus))
    gevent.sleep(0.1)
    watcher.close()
    watcher.close()
    assert seen == [255 << 8]


def test_a_watcher_that_is_stopped_calls_nothing() -> None:
    """A stopped watcher calls nothing and leaves the status to the next one that waits."""
    pid = spawn("exit 4")
    watcher = ChildWatcher(gevent.get_hub().loop, pid)
    watcher.start(lambda: pytest.fail("it was stopped"))
    watcher.stop()
    watcher.close()
    assert wait_for_child(pid) == (pid, 4 << 8)


def test_any_child_is_refused() -> None:
    """A watcher of any child is refused, because it would take the statuses of others."""
    with pytest.raises(NotAllowedHere, match="any child"):
        ChildWatcher(gevent.get_hub().loop, 0)


def test_nobody_else_waits_for_all_children() -> None:
    """gevent's own processes leave the statuses of other children alone, also in threads."""
    pid = spawn("exit 5")
    assert gevent.subprocess.call(["sh", "-c", "exit 6"]) == 6
    assert run_native(lambda: gevent.subprocess.call(["sh", "-c", "exit 7"])) == [7]
    assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
    assert native_waitpid(pid, 0) == (pid, 5 << 8)


def test_a_second_call_changes_nothing() -> None:
    """A second set-up keeps the loop that has the watchers already."""
    hub = gevent.get_hub()
    use_child_watchers()
    assert gevent.get_hub() is hub
    assert isinstance(hub.loop.child(os.getpid()), ChildWatcher)


def test_a_loop_that_is_there_already_is_replaced() -> None:
    """A process that was patched first, as ``python -m gevent.monkey`` does, gets the watchers."""
    script = (
        "from gevent import monkey; monkey.patch_all()\n"
        "import gevent; gevent.sleep(0)\n"
        "from gateway_shim.event_loop.child_watcher import use_child_watchers\n"
        "use_child_watchers()\n"
        "from gateway_shim.event_loop.serving_process import prepare_serving_process\n"
        "prepare_serving_process()\n"
        "import subprocess; gevent.sleep(0)\n"
        "from gevent.threadpool import ThreadPool\n"
        "call = lambda: subprocess.call(['sh', '-c', 'exit 3'])\n"
        "print(call(), ThreadPool(1).apply(call), gevent.get_hub().loop.watches_each_child)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("3 3 True\n", "")
