"""The shutdown of the process, step by step."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent
import pytest
from gevent.event import Event as Signal

from app.lifecycle import LifetimeEvent, ShutdownCoordinator
from tests.support.timing import TIME_LIMIT

PREPARE = LifetimeEvent.PREPARE_SHUTDOWN
SHUTDOWN = LifetimeEvent.SHUTDOWN
AFTER = LifetimeEvent.AFTER_SHUTDOWN

FOREVER = 3600.0
"""A time limit, in seconds, that no test reaches."""


def coordinator(timeout: float = FOREVER) -> ShutdownCoordinator:
    """Return a coordinator whose clock stands still."""
    return ShutdownCoordinator(timeout, clock=lambda: 100.0)


def messages(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """Return the messages that were logged at a level."""
    return [record.getMessage() for record in caplog.records if record.levelno == level]


def run(target: Callable[[], None]) -> gevent.Greenlet[[], None]:
    """Start a function in a greenlet, and let it run until it blocks."""
    greenlet = gevent.spawn(target)
    gevent.sleep(0)
    return greenlet


def test_runs_the_steps_in_order() -> None:
    """Waiters run between PREPARE_SHUTDOWN and SHUTDOWN, with the whole time limit."""
    ending = coordinator(timeout=25.0)
    seen: list[object] = []

    def wait(seconds: float) -> bool:
        seen.append(seconds)
        return True

    ending.register_lifetime_notification(seen.append)
    ending.register_shutdown_waiter("tasks", wait)
    ending.shutdown()
    assert seen == [PREPARE, 25.0, SHUTDOWN, AFTER]


def test_callbacks_are_called_in_order_of_registration() -> None:
    """Each step calls the callbacks in the order of their registration."""
    ending = coordinator()
    seen: list[tuple[str, LifetimeEvent]] = []
    ending.register_lifetime_notification(lambda event: seen.append(("a", event)))
    ending.register_lifetime_notification(lambda event: seen.append(("b", event)))
    ending.shutdown()
    assert seen == [(who, event) for event in (PREPARE, SHUTDOWN, AFTER) for who in "ab"]


def test_is_shutting_down_from_the_first_callback_on() -> None:
    """The shutdown has begun before the first callback is called."""
    ending = coordinator()
    seen: list[bool] = []
    ending.register_lifetime_notification(lambda _: seen.append(ending.is_shutting_down()))
    before = ending.is_shutting_down()
    ending.shutdown()
    assert (before, seen, ending.is_shutting_down()) == (False, [True] * 3, True)


@pytest.mark.parametrize("error", [ValueError("no"), gevent.Timeout(1)])
def test_a_callback_that_raises_is_logged_and_the_others_go_on(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """A callback that raises, even a timeout, does not keep the others from running."""
    ending = coordinator()
    seen: list[LifetimeEvent] = []

    def fail(event: LifetimeEvent) -> None:
        raise error

    ending.register_lifetime_notification(fail)
    ending.register_lifetime_notification(seen.append)
    ending.shutdown()
    assert seen == [PREPARE, SHUTDOWN, AFTER]
    assert messages(caplog, logging.ERROR) == ["a shutdown callback failed"] * 3
    assert vars(caplog.records[0])["callback"].endswith("fail")


def test_a_callback_without_a_name_is_logged_by_its_repr(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A callable object without a name is logged by its representation."""

    class Failing:
        def __call__(self, event: LifetimeEvent) -> None:
            raise ValueError

        def __repr__(self) -> str:
            return "<the failing one>"

    ending = coordinator()
    ending.register_lifetime_notification(Failing())
    ending.shutdown()
    assert vars(caplog.records[0])["callback"] == "<the failing one>"


def test_waiters_run_side_by_side() -> None:
    """Two waiters that need each other's progress both finish."""
    ending = coordinator()
    first, second = Signal(), Signal()

    def wait_first(seconds: float) -> bool:
        first.set()
        return second.wait(seconds)

    def wait_second(seconds: float) -> bool:
        second.set()
        return first.wait(seconds)

    ending.register_shutdown_waiter("same name", wait_first)
    ending.register_shutdown_waiter("same name", wait_second)
    with gevent.Timeout(TIME_LIMIT):
        ending.shutdown()


def test_waiters_share_one_deadline() -> None:
    """A waiter that starts later gets the remaining time, not the whole time."""
    now = [100.0]
    ending = ShutdownCoordinator(25.0, clock=lambda: now[0])
    left: list[float] = []

    def wait(seconds: float) -> bool:
        left.append(seconds)
        now[0] += 20.0
        return True

    for name in ("a", "b", "c"):
        ending.register_shutdown_waiter(name, wait)
    ending.shutdown()
    assert left == [25.0, 5.0, 0.0]


def test_a_waiter_out_of_time_is_interrupted(caplog: pytest.LogCaptureFixture) -> None:
    """At the deadline, the shutdown continues, and the waiter is interrupted."""
    ending = coordinator(timeout=0.01)
    seen: list[str] = []

    def wait(seconds: float) -> bool:
        try:
            return Signal().wait(FOREVER)
        finally:
            seen.append("interrupted")

    ending.register_shutdown_waiter("tasks", wait)
    ending.shutdown()
    gevent.sleep(0)
    assert seen == ["interrupted"]
    assert messages(caplog, logging.WARNING) == ["a shutdown waiter is out of time"]
    assert (vars(caplog.records[-1])["waiter"], vars(caplog.records[-1])["hurried"]) == (
        "tasks",
        False,
    )


def test_no_time_at_all_still_asks_every_waiter() -> None:
    """With a time limit of 0, a waiter that has nothing to wait for is still done."""
    ending = coordinator(timeout=0.0)
    seen: list[float] = []

    def wait(seconds: float) -> bool:
        seen.append(seconds)
        return True

    ending.register_shutdown_waiter("a", wait)
    ending.register_shutdown_waiter("b", wait)
    ending.shutdown()
    assert seen == [0.0, 0.0]


def test_a_waiter_that_gives_up_or_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A waiter that fails is logged, and SHUTDOWN follows."""
    ending = coordinator()
    seen: list[LifetimeEvent] = []

    def fail(seconds: float) -> bool:
        raise ValueError("no")

    ending.register_lifetime_notification(seen.append)
    ending.register_shutdown_waiter("unfinished", lambda _: False)
    ending.register_shutdown_waiter("broken", fail)
    ending.shutdown()
    assert messages(caplog, logging.WARNING) == ["a shutdown waiter gave up"]
    assert messages(caplog, logging.ERROR) == ["a shutdown waiter failed"]
    assert [vars(record)["waiter"] for record in caplog.records] == ["unfinished", "broken"]
    assert seen == [PREPARE, SHUTDOWN, AFTER]


def test_stop_waiting_ends_the_wait_at_once() -> None:
    """After the second signal, SHUTDOWN follows without waiting for the deadline."""
    ending = coordinator()
    seen: list[LifetimeEvent] = []
    ending.register_lifetime_notification(seen.append)
    ending.register_shutdown_waiter("tasks", Signal().wait)
    running = run(ending.shutdown)
    gevent.sleep(0)
    before = list(seen)
    ending.stop_waiting()
    running.join(TIME_LIMIT)
    assert (before, seen) == ([PREPARE], [PREPARE, SHUTDOWN, AFTER])


def test_stop_waiting_before_the_waiters_leaves_them_no_time() -> None:
    """A second signal during PREPARE_SHUTDOWN is not lost."""
    ending = coordinator()
    left: list[float] = []

    def stop_waiting(event: LifetimeEvent) -> None:
        ending.stop_waiting()

    def wait(seconds: float) -> bool:
        left.append(seconds)
        return Signal().wait(FOREVER)

    ending.register_lifetime_notification(stop_waiting)
    ending.register_shutdown_waiter("tasks", wait)
    with gevent.Timeout(TIME_LIMIT):
        ending.shutdown()
    assert left == [0.0]


def test_a_second_call_waits_and_runs_nothing() -> None:
    """A second call returns when the shutdown of the first call is complete."""
    ending = coordinator()
    gate = Signal()
    seen: list[LifetimeEvent] = []
    ending.register_lifetime_notification(seen.append)
    ending.register_shutdown_waiter("tasks", gate.wait)
    first, second = run(ending.shutdown), run(ending.shutdown)
    waiting = not second.ready()
    gate.set()
    gevent.joinall([first, second], timeout=TIME_LIMIT, raise_error=True)
    ending.shutdown()
    assert (waiting, second.ready(), seen) == (True, True, [PREPARE, SHUTDOWN, AFTER])


def test_a_call_from_a_callback_returns_at_once() -> None:
    """A callback that calls shutdown does not wait for itself."""
    ending = coordinator()
    seen: list[LifetimeEvent] = []

    def again(event: LifetimeEvent) -> None:
        ending.shutdown()
        seen.append(event)

    ending.register_lifetime_notification(again)
    with gevent.Timeout(TIME_LIMIT):
        ending.shutdown()
    assert seen == [PREPARE, SHUTDOWN, AFTER]


def test_an_exit_during_the_shutdown_frees_the_other_callers() -> None:
    """An exit during the shutdown is passed on, and other callers stop waiting."""
    ending = coordinator()

    def leave(event: LifetimeEvent) -> None:
        raise SystemExit(1)

    ending.register_lifetime_notification(leave)
    with pytest.raises(SystemExit):
        ending.shutdown()
    with gevent.Timeout(TIME_LIMIT):
        run(ending.shutdown).join()
