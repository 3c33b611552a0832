"""Child processes of greenlets and of native threads."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

import gevent
import pytest

from gateway_shim.errors import NotAllowedHere
from tests.support.native_threads import run_native
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.slow


def on_a_greenlet(function: Callable[[], Any]) -> Any:
    """Run a function in the event loop's thread."""
    return gevent.spawn(function).get(timeout=TIME_LIMIT)


def on_a_thread(function: Callable[[], Any]) -> Any:
    """Run a function on a native thread."""
    return run_native(function)[0]


@pytest.fixture(params=[on_a_greenlet, on_a_thread])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Any]], Any]:
    """Return a function that runs others, in the loop's thread or on a native thread."""
    return request.param  # type: ignore[no-any-return]


Run = Callable[[Callable[[], Any]], Any]


def test_the_status_and_the_output_are_right(run: Run) -> None:
    """subprocess, os.popen and os.waitpid report a program's status and output."""

    def use() -> None:
        script = ["sh", "-c", "cat; echo error >&2; exit 3"]
        done = subprocess.run(script, input="in", capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (3, "in", "error\n")
        assert isinstance(done, subprocess.CompletedProcess)
        assert subprocess.call(["sh", "-c", "exit 4"]) == 4
        assert subprocess.check_output(["echo", "out"]) == b"out\n"
        assert subprocess.getstatusoutput("echo out; exit 5") == (5, "out")
        with pytest.raises(subprocess.CalledProcessError):
            subprocess.check_call(["false"])
        with pytest.raises(FileNotFoundError):
            subprocess.run(["no-such-program"])
        pipe = os.popen("echo out; exit 6")
        assert (pipe.read(), pipe.close()) == ("out\n", 6 << 8)
        pid = os.posix_spawn("/bin/sh", ["sh", "-c", "sleep 0.05; exit 7"], os.environ)
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
        assert os.waitpid(pid, 0) == (pid, 7 << 8)
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, 0)

    run(use)


def test_time_limits_and_signals(run: Run) -> None:
    """A program ends when its time is up or when it is told to end."""

    def use() -> None:
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run(["sleep", "600"], timeout=0.05)
        with subprocess.Popen(["sleep", "600"]) as program:
            assert program.poll() is None
            with pytest.raises(subprocess.TimeoutExpired):
                program.wait(0.05)
            program.terminate()
        assert program.returncode == -15
        program.terminate()  # the program has ended already

    run(use)


def test_one_class_for_both() -> None:
    """isinstance recognizes a Popen of either kind."""

    class Own(subprocess.Popen[Any]):
        """A user's subclass, which is gevent's kind in any thread and works there."""

    def make() -> tuple[bool, bool, int]:
        with subprocess.Popen(["true"]) as plain, Own(["sh", "-c", "exit 3"]) as own:
            kinds = isinstance(plain, subprocess.Popen), isinstance(own, Own)
        assert not isinstance(plain, Own)
        return *kinds, own.returncode

    assert make() == (True, True, 3)
    assert run_native(make) == [(True, True, 3)]
    assert not isinstance(1, subprocess.Popen)


def test_large_output_both_ways(run: Run) -> None:
    """More data than a pipe holds is read and written at the same time."""
    data = b"x" * 1_000_000
    assert run(lambda: subprocess.run(["cat"], input=data, stdout=subprocess.PIPE).stdout) == data


def test_many_at_once() -> None:
    """Threads and greenlets start programs side by side, and each gets its own status."""

    def use(first: int) -> list[int]:
        return [subprocess.call(["sh", "-c", f"exit {first + n}"]) for n in range(10)]

    greenlets = [gevent.spawn(use, first) for first in (10, 20)]
    statuses = run_native(lambda: use(30), lambda: use(40), lambda: use(50))
    gevent.joinall(greenlets, timeout=TIME_LIMIT, raise_error=True)
    statuses += [greenlet.value for greenlet in greenlets]
    assert sorted(statuses) == [list(range(first, first + 10)) for first in (10, 20, 30, 40, 50)]


def test_close_takes_effect_at_once_on_a_thread() -> None:
    """A native thread closes a descriptor at once, even after its greenlets have run."""

    def use() -> bytes:
        time.sleep(0.001)  # the thread has a hub from now on, whose loop runs only in waits
        reader, writer = os.pipe()
        os.write(writer, b"x")
        os.close(writer)
        data = os.read(reader, 1) + os.read(reader, 1)  # to the end
        os.close(reader)
        return data

    assert run_native(use) == [b"x"]


def test_any_child_is_refused(run: Run) -> None:
    """Waiting for any child is refused, because it would take the statuses of others."""
    for wait in (os.wait, lambda: os.wait3(0), lambda: os.waitpid(-1, os.WNOHANG)):
        with pytest.raises(NotAllowedHere, match="by its process id"):
            run(wait)
