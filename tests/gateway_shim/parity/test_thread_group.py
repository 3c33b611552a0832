"""Groups of threads: all tasks are awaited, also after an interruption."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

from gateway_shim.parity.thread_group import ThreadGroup
from tests.gateway_shim.parity.conftest import ROOT
from tests.support.timing import TIME_LIMIT


def test_all_are_waited_for() -> None:
    """After ``wait`` every task has run."""
    ran: list[int] = []
    threads = ThreadGroup([lambda: ran.append(1), lambda: ran.append(2)])
    threads.wait()
    threads.wait()
    assert sorted(ran) == [1, 2]


def test_tasks_run_at_the_same_time() -> None:
    """Each task has its own thread."""
    met = threading.Barrier(2, timeout=TIME_LIMIT)
    ThreadGroup([met.wait, met.wait]).wait()
    assert not met.broken


def test_waiting_goes_on_after_ctrl_c() -> None:
    """An interrupted wait can be repeated and then waits for the tasks."""
    code = (
        "import threading\n"
        "from gateway_shim.parity.thread_group import ThreadGroup\n"
        "go = threading.Event()\n"
        "threads = ThreadGroup([lambda: (go.wait(10), print('cleaned up', flush=True))])\n"
        "try:\n    print('ready', flush=True)\n    threads.wait()\n"
        "except KeyboardInterrupt:\n    go.set()\n    threads.wait()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert (ready, rest, process.returncode) == ("ready\n", "cleaned up\n", 0)


def test_a_signal_to_another_thread_ends_the_wait() -> None:
    """A signal that the system gives to another thread ends the wait, too."""
    code = (
        "import signal, threading, time\n"
        "from gateway_shim.parity.thread_group import ThreadGroup\n"
        "ready, go = threading.Event(), threading.Event()\n"
        "def task():\n"
        "    ready.wait(5)\n"
        "    time.sleep(0.1)\n"  # the beginning of the wait cannot be observed
        "    signal.pthread_kill(threading.get_ident(), signal.SIGINT)\n"
        "    print(go.wait(5))\n"
        "threads = ThreadGroup([task])\n"
        "try:\n    ready.set()\n    threads.wait()\n"
        "except KeyboardInterrupt:\n    go.set()\n    threads.wait()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=TIME_LIMIT
    )
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr
