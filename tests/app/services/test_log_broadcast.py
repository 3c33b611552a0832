"""The log as a stream of lines."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import gevent
import pytest
from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

from app.lifecycle import ShutdownCoordinator
from app.services.log_broadcast import LogBroadcaster, SubscriptionClosed
from tests.support.timing import TIME_LIMIT

logger = logging.getLogger("app.somewhere")


@pytest.fixture
def coordinator() -> ShutdownCoordinator:
    """Return a coordinator whose shutdown ends the subscriptions."""
    return ShutdownCoordinator(0.0)


@pytest.fixture
def broadcaster(coordinator: ShutdownCoordinator) -> Iterator[LogBroadcaster]:
    """Return the broadcaster under test, with three lines for each subscription."""
    made = LogBroadcaster(logging.Formatter("%(message)s"), coordinator, capacity=3)
    yield made
    logging.getLogger().removeHandler(made)


@pytest.fixture(autouse=True)
def _level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_every_subscription_gets_every_line_in_order(broadcaster: LogBroadcaster) -> None:
    """Two subscriptions get the same lines, in the same order."""
    one, two = broadcaster.subscribe(), broadcaster.subscribe()
    logger.info("a")
    logger.info("b")
    assert [one.take(0), one.take(0), one.take(0)] == ["a", "b", None]
    assert [two.take(0), two.take(0), two.take(0)] == ["a", "b", None]


def test_a_reader_that_waits_is_woken(broadcaster: LogBroadcaster) -> None:
    """A line wakes a reader that waits for it."""
    subscription = broadcaster.subscribe()
    reader = gevent.spawn(subscription.take, 3600)
    gevent.sleep(0)
    logger.info("a")
    assert reader.get(timeout=TIME_LIMIT) == "a"


def test_a_line_from_a_native_thread_wakes_the_reader(broadcaster: LogBroadcaster) -> None:
    """A line that a native thread logs wakes the reader."""
    subscription = broadcaster.subscribe()
    reader = gevent.spawn(subscription.take, 3600)
    gevent.sleep(0)
    pool = ThreadPool(1)
    try:
        pool.spawn(logger.info, "from a thread").get(timeout=TIME_LIMIT)
        assert reader.get(timeout=TIME_LIMIT) == "from a thread"
    finally:
        pool.kill()


def test_a_line_that_was_taken_does_not_end_the_next_wait(broadcaster: LogBroadcaster) -> None:
    """A line that was already taken does not end the next wait."""
    subscription = broadcaster.subscribe()
    logger.info("a")
    assert subscription.take(TIME_LIMIT) == "a"
    reader = gevent.spawn(subscription.take, 3600)
    gevent.sleep(0)
    gevent.sleep(0.001)  # the signal of the first line is handled by now
    assert not reader.ready()
    logger.info("b")
    assert reader.get(timeout=TIME_LIMIT) == "b"
    assert subscription.take(0) is None


def test_a_line_from_a_thread_does_not_wait(broadcaster: LogBroadcaster) -> None:
    """A native thread can log while the event loop is blocked."""
    subscription = broadcaster.subscribe()
    done = get_original("_thread", "allocate_lock")()
    done.acquire()

    def log() -> None:
        for number in range(3):
            logger.info("%d", number)
        done.release()

    pool = ThreadPool(1)
    try:
        pool.spawn(log)
        # A native lock: no other greenlet runs in this thread meanwhile.
        assert done.acquire(timeout=TIME_LIMIT)
        assert [subscription.take(TIME_LIMIT) for _ in range(3)] == ["0", "1", "2"]
    finally:
        pool.kill()


def test_past_its_capacity_the_oldest_lines_go(broadcaster: LogBroadcaster) -> None:
    """Beyond the capacity, the oldest lines are dropped and counted."""
    subscription = broadcaster.subscribe()
    for number in range(5):
        logger.info("%d", number)
    assert subscription.dropped == 2
    assert [subscription.take(0) for _ in range(4)] == ["2", "3", "4", None]


def test_the_handler_is_installed_only_with_subscriptions(broadcaster: LogBroadcaster) -> None:
    """Without subscriptions, the handler is not on the root logger."""
    root = logging.getLogger()
    installed = [broadcaster in root.handlers]
    one, two = broadcaster.subscribe(), broadcaster.subscribe()
    one.close()
    installed.append(broadcaster in root.handlers)
    two.close()
    installed.append(broadcaster in root.handlers)
    assert (installed, broadcaster.subscribers) == ([False, True, False], 0)


def test_a_closed_subscription_keeps_its_lines(broadcaster: LogBroadcaster) -> None:
    """Lines from before the close can still be taken; later lines are not added."""
    subscription = broadcaster.subscribe()
    logger.info("before")
    subscription.close()
    subscription.close("again")
    logger.info("after")
    assert subscription.take(3600) == "before"
    with pytest.raises(SubscriptionClosed) as caught:
        subscription.take(3600)
    assert caught.value.reason == "unsubscribed"


def test_shutdown_ends_readers_that_wait(
    broadcaster: LogBroadcaster, coordinator: ShutdownCoordinator
) -> None:
    """At SHUTDOWN, a waiting reader gets the last lines, and then the reason."""
    subscription = broadcaster.subscribe()

    def read() -> list[str | None]:
        lines = []
        try:
            while True:
                lines.append(subscription.take(3600))
        except SubscriptionClosed as closed:
            return [*lines, closed.reason]

    reader = gevent.spawn(read)
    gevent.sleep(0)
    coordinator.shutdown()
    lines = reader.get(timeout=TIME_LIMIT)
    assert (lines[0], lines[-1]) == ("shutdown begins", "server_shutdown")
    assert broadcaster.subscribers == 0


def test_a_subscription_after_the_shutdown_is_closed(
    broadcaster: LogBroadcaster, coordinator: ShutdownCoordinator
) -> None:
    """A subscription that is opened after the shutdown is closed from the beginning."""
    coordinator.shutdown()
    with pytest.raises(SubscriptionClosed, match="server_shutdown"):
        broadcaster.subscribe().take(3600)
    assert broadcaster not in logging.getLogger().handlers


def test_a_line_that_cannot_be_rendered_is_reported_not_raised(
    broadcaster: LogBroadcaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that cannot be formatted is reported; the code that logs gets no error."""
    reported: list[logging.LogRecord] = []
    monkeypatch.setattr(broadcaster, "handleError", reported.append)
    subscription = broadcaster.subscribe()
    broadcaster.handle(logging.makeLogRecord({"msg": "%d", "args": ("x",)}))
    assert (len(reported), subscription.take(0)) == (1, None)
