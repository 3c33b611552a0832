"""The mailboxes between a task and its conductor: bounded, in order, closed for good."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

from app.schemas.task_schema import TaskProgress
from app.tasks.base import TaskCancelled
from app.tasks.run.mailbox import GreenletMailbox, NativeMailbox, ProgressMailbox
from gateway_shim.event_loop.turns import let_others_run
from tests.support.timing import TIME_LIMIT, wait_until

native_sleep = get_original("time", "sleep")


def update(number: object) -> TaskProgress:
    """Make an update whose text is a number."""
    return TaskProgress(text=str(number))


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    """Make native threads, and end them after the test."""
    pool = ThreadPool(2)
    yield pool
    pool.join()
    pool.kill()


def drain(mailbox: ProgressMailbox, count: int) -> list[str]:
    """Take this number of updates, and wait for them."""
    texts: list[str] = []
    while len(texts) < count:
        mailbox.wait()
        while (progress := mailbox.take()) is not None:
            texts.append(progress.text)
    return texts


def test_greenlets_wait_for_room_and_lose_nothing() -> None:
    """A greenlet waits while the mailbox is full, and all updates arrive in order."""
    mailbox = GreenletMailbox(capacity=2)
    done = []

    def fill() -> None:
        for number in range(5):
            mailbox.put(update(number))
            done.append(number)

    writer = gevent.spawn(fill)
    wait_until(lambda: len(done) == 2, "two updates to be put")
    for _ in range(3):
        let_others_run()
    assert done == [0, 1]
    assert drain(mailbox, 5) == ["0", "1", "2", "3", "4"]
    writer.get(timeout=TIME_LIMIT)


def test_a_native_thread_waits_for_room_and_loses_nothing(pool: ThreadPool) -> None:
    """A native thread waits while the mailbox is full, and all updates arrive in order."""
    mailbox = NativeMailbox(capacity=2)

    def fill() -> None:
        for number in range(200):
            mailbox.put(update(number))

    writer = pool.spawn(fill)
    assert drain(mailbox, 200) == [str(number) for number in range(200)]
    writer.get(timeout=TIME_LIMIT)
    mailbox.release()


def test_two_native_threads_may_fill_one_mailbox(pool: ThreadPool) -> None:
    """With two threads, the order of each thread is kept."""
    mailbox = NativeMailbox(capacity=1)

    def fill(name: str) -> None:
        for number in range(20):
            mailbox.put(update(f"{name}{number}"))

    writers = [pool.spawn(fill, name) for name in "ab"]
    texts = drain(mailbox, 40)
    for name in "ab":
        assert [t for t in texts if t[0] == name] == [f"{name}{n}" for n in range(20)]
    for writer in writers:
        writer.get(timeout=TIME_LIMIT)
    mailbox.release()


def test_closing_frees_a_greenlet_that_waits_for_room() -> None:
    """Closing wakes a waiting greenlet with TaskCancelled, and keeps the earlier updates."""
    mailbox = GreenletMailbox(capacity=1)
    mailbox.put(update(0))

    def fill() -> str:
        with pytest.raises(TaskCancelled):
            mailbox.put(update(1))
        return "refused"

    writer = gevent.spawn(fill)
    gevent.sleep(0)
    mailbox.close(discard=False)
    assert writer.get(timeout=TIME_LIMIT) == "refused"
    assert mailbox.closed is True
    assert mailbox.take() == update(0)
    assert mailbox.take() is None


def test_closing_frees_a_native_thread_that_waits_for_room(pool: ThreadPool) -> None:
    """Closing wakes a waiting native thread, and can discard the earlier updates."""
    mailbox = NativeMailbox(capacity=1)
    put_one = []

    def fill() -> str:
        mailbox.put(update(0))
        put_one.append(True)
        with pytest.raises(TaskCancelled):
            mailbox.put(update(1))
        return "refused"

    writer = pool.spawn(fill)
    mailbox.wait()
    while not put_one:
        gevent.sleep(0)
    mailbox.close(discard=True)
    assert writer.get(timeout=TIME_LIMIT) == "refused"
    assert mailbox.take() is None
    mailbox.release()


def test_a_closed_mailbox_wakes_its_reader() -> None:
    """Closing wakes a waiting reader."""
    mailbox = GreenletMailbox()
    reader = gevent.spawn(mailbox.wait)
    gevent.sleep(0)
    mailbox.close(discard=False)
    reader.get(timeout=TIME_LIMIT)


def test_a_released_mailbox_takes_nothing_more(pool: ThreadPool) -> None:
    """A released mailbox refuses all updates."""
    mailbox = NativeMailbox()
    mailbox.release()

    def fill() -> str:
        with pytest.raises(TaskCancelled):
            mailbox.put(update(0))
        return "refused"

    assert pool.spawn(fill).get(timeout=TIME_LIMIT) == "refused"


def test_each_kind_refuses_the_wrong_thread(pool: ThreadPool) -> None:
    """Each kind of mailbox refuses the wrong kind of thread and says what to do."""
    with pytest.raises(RuntimeError, match="call it from the thread that runs execute"):
        NativeMailbox().put(update(0))
    mailbox = GreenletMailbox()

    def fill() -> str:
        with pytest.raises(RuntimeError, match="declare the task cpu_bound = True"):
            mailbox.put(update(0))
        return "refused"

    assert pool.spawn(fill).get(timeout=TIME_LIMIT) == "refused"
    assert mailbox.take() is None
