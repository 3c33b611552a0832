"""Calls from other threads, which run in the loop's thread."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event as Signal
from gevent.monkey import get_original

from gateway_shim.errors import LoopNotRunning
from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread
from tests.support.native_threads import begin_native, run_native
from tests.support.timing import TIME_LIMIT, wait_until

native_ident = get_original("_thread", "get_ident")


@pytest.fixture
def loop_thread() -> Iterator[LoopThread]:
    """Start a loop thread that serves other threads."""
    loop_thread = LoopThread()
    loop_thread.start()
    yield loop_thread
    loop_thread.stop()


class Counter:
    """An object whose methods any thread may call."""

    def __init__(self, loop_thread: LoopThread) -> None:
        self.loop_thread = loop_thread
        self.calls: list[tuple[int, object]] = []

    @from_any_thread
    def add(self, value: object, *, pause: bool = False) -> int:
        """Note the thread and the value."""
        if pause:
            gevent.sleep(0)
        self.calls.append((native_ident(), value))
        return len(self.calls)

    @from_any_thread
    def fail(self) -> None:
        """Raise."""
        raise ValueError("no")


def test_calls_of_another_thread_run_in_the_loops(loop_thread: LoopThread) -> None:
    """A call runs in the loop's thread, and its result or error comes back to the caller."""
    counter = Counter(loop_thread)
    assert counter.add("here") == 1
    assert run_native(lambda: counter.add("there", pause=True)) == [2]
    with pytest.raises(ValueError, match="no"):
        run_native(counter.fail)
    assert counter.calls == [(native_ident(), "here"), (native_ident(), "there")]


def test_here(loop_thread: LoopThread) -> None:
    """Only the thread that called start is the loop's thread."""
    assert loop_thread.here
    assert loop_thread.serves_here
    assert run_native(lambda: (loop_thread.here, loop_thread.serves_here)) == [(False, False)]
    assert run_native(lambda: loop_thread.run(lambda: loop_thread.here)) == [True]


def test_the_order_of_each_thread_holds(loop_thread: LoopThread) -> None:
    """The calls of each thread run in order while three threads and the loop call at once."""
    counter = Counter(loop_thread)

    def call(name: str) -> None:
        for number in range(300):
            counter.add((name, number), pause=number % 3 == 0)

    own = gevent.spawn(call, "loop")
    run_native(*(lambda name=name: call(name) for name in "abc"))
    own.get(timeout=TIME_LIMIT)
    for name in ("a", "b", "c", "loop"):
        numbers = [number for _, (who, number) in counter.calls if who == name]  # type: ignore[misc]
        assert numbers == list(range(300))
    assert {ident for ident, _ in counter.calls} == {native_ident()}


def test_a_call_that_blocks_holds_up_nobody_else(loop_thread: LoopThread) -> None:
    """A call goes through while the call of another thread waits."""
    gate = Signal()
    [waiting] = begin_native(lambda: loop_thread.run(gate.wait))
    wait_until(lambda: loop_thread._begun, "the call to begin")
    assert run_native(lambda: loop_thread.run(lambda: 7)) == [7]
    assert not waiting.ready()
    gate.set()
    assert waiting.get() is True
    assert not loop_thread._begun


def test_a_call_may_hop_within_a_hop(loop_thread: LoopThread) -> None:
    """A call that was carried to the loop's thread may make further calls, which are direct."""
    counter = Counter(loop_thread)
    assert run_native(lambda: loop_thread.run(counter.add, 1)) == [1]


@pytest.mark.parametrize("kind", [gevent.GreenletExit, KeyboardInterrupt, SystemExit])
def test_whatever_is_raised_reaches_the_caller_only(
    kind: type[BaseException], loop_thread: LoopThread
) -> None:
    """An exception that would end the process ends only the call."""

    def fail() -> None:
        raise kind

    def call() -> str:
        try:
            loop_thread.run(fail)
        except kind:
            return "caught"
        return "nothing"

    assert run_native(call) == ["caught"]


def test_the_end_of_the_loop_ends_the_waiting(loop_thread: LoopThread) -> None:
    """At the end of the loop, waiting and later calls raise; the loop's thread may still call."""
    gate = Signal()
    waiting = begin_native(lambda: loop_thread.run(gate.wait))
    wait_until(lambda: loop_thread._begun, "the call to begin")
    # The call has not begun: the watcher's turn comes only after the stop.
    waiting += begin_native(lambda: loop_thread.run(gate.wait))
    native_wait(lambda: bool(loop_thread._calls))
    loop_thread.stop()
    for call in waiting:
        with pytest.raises(LoopNotRunning, match="has ended"):
            call.get()
    gate.set()
    gevent.sleep(0)  # the call that has begun ends, and its caller has already got an error
    with pytest.raises(LoopNotRunning):
        run_native(lambda: loop_thread.run(lambda: 7))
    assert loop_thread.run(lambda: 7) == 7
    loop_thread.stop()


def native_wait(predicate) -> None:  # type: ignore[no-untyped-def]
    """Wait for another thread without letting the loop run."""
    sleep = get_original("time", "sleep")
    for _ in range(int(TIME_LIMIT / 0.001)):
        if predicate():
            return
        sleep(0.001)
    raise AssertionError("it did not happen")


def test_it_can_be_started_again(loop_thread: LoopThread) -> None:
    """A second start serves as the first one did."""
    loop_thread.stop()
    loop_thread.start()
    assert run_native(lambda: loop_thread.run(lambda: 7)) == [7]
    loop_thread.start()
    assert run_native(lambda: loop_thread.run(lambda: 8)) == [8]


def test_before_the_start_calls_are_direct() -> None:
    """Before start, a call runs at once in the calling thread."""
    loop_thread = LoopThread()
    [ident] = run_native(lambda: loop_thread.run(native_ident))
    assert ident != native_ident()
    assert loop_thread.serves_here
    assert run_native(lambda: loop_thread.serves_here) == [False]
