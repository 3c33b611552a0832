"""Tests of how the processes of a log wake each other, and wait for each other."""

from __future__ import annotations

import os
import select
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.processes import running_processes
from gateway_shim.event_log.segments import members as module
from gateway_shim.event_log.segments.head import Head
from gateway_shim.event_log.segments.layout import Identity
from gateway_shim.event_log.segments.members import LAG_ENTRIES, Members
from gateway_shim.event_loop.descriptors import close_now
from tests.support.timing import TIME_LIMIT


@pytest.fixture
def head(tmp_path: Path) -> Head:
    """Return the head of a log."""
    return Head.begin(tmp_path, Identity("abc", "", ""))


@pytest.fixture
def join(tmp_path: Path, head: Head) -> Iterator[Callable[[], Members]]:
    """Return a function that makes members, which leave at the end."""
    made: list[Members] = []

    def join() -> Members:
        made.append(Members(tmp_path, head))
        return made[-1]

    yield join
    for member in made:
        member.close(head)


def is_woken(member: Members) -> bool:
    """Return True if a member was woken, and drain its pipe."""
    readable = bool(select.select([member.descriptor], [], [], 0)[0])
    member.drain()
    return readable


def die(member: Members) -> None:
    """Close the descriptors of a member, as its death would, and leave its files."""
    os.set_inheritable(member.descriptor, False)
    close_now(member.descriptor)
    close_now(member._mark._descriptor)
    member.descriptor = member._mark._descriptor = -1


def test_wake(join: Callable[[], Members], head: Head) -> None:
    """A member wakes all others, also those that join later, and not itself."""
    first, second = join(), join()
    first.wake(head)
    assert (is_woken(first), is_woken(second)) == (False, True)
    third = join()
    second.wake(head)
    assert (is_woken(first), is_woken(second), is_woken(third)) == (True, False, True)
    assert not is_woken(first)
    third.close(head)
    first.wake(head)
    assert is_woken(second)


def test_full_pipe(join: Callable[[], Members], head: Head) -> None:
    """A member that does not read its pipe blocks nobody."""
    first, second = join(), join()
    for _ in range(70000):
        first.wake(head)
    assert is_woken(second)


def test_dead_member(join: Callable[[], Members], head: Head, tmp_path: Path) -> None:
    """The files of a member that has died are removed by who wants to wake it."""
    first, second, third = join(), join(), join()
    first.wake(head)
    die(second)
    first.wake(head)
    assert len(os.listdir(tmp_path / "wake")) == 2
    assert len(running_processes(tmp_path)) == len(os.listdir(tmp_path / "processes")) == 2
    die(third)
    fourth = join()
    fourth.wake(head)
    assert is_woken(first)
    assert len(os.listdir(tmp_path / "wake")) == 2


def test_close(join: Callable[[], Members], head: Head, tmp_path: Path) -> None:
    """A member that leaves leaves nothing behind."""
    member = join()
    assert member.is_in_place
    member.close(head)
    member.close(head)
    assert not member.is_in_place
    assert os.listdir(tmp_path / "wake") == os.listdir(tmp_path / "processes") == []


def test_others(join: Callable[[], Members], head: Head) -> None:
    """A member knows the others once they serve, and until they leave."""
    first, second, third = join(), join(), join()
    assert first.others(head) == []
    second.completed(0)
    assert first.others(head) == [second.name]
    third.completed(5)
    assert sorted(first.others(head)) == sorted([second.name, third.name])
    assert second.others(head) == [third.name]
    second.close(head)
    assert first.others(head) == [third.name]


def test_take_over(join: Callable[[], Members], head: Head) -> None:
    """A process that must make its files again stays known to the others."""
    first, second = join(), join()
    second.completed(7)
    assert first.others(head) == [second.name]
    second.close(head)
    again = join()
    assert first.others(head) == []
    again.take_over(second)
    assert first.others(head) == [again.name]


def test_the_end_of_a_member(join: Callable[[], Members], head: Head, tmp_path: Path) -> None:
    """The end of a process is reported at once, and only once; its files are removed."""
    first, second, third = join(), join(), join()
    for member in (first, second, third):
        member.completed(0)
    first.others(head)
    assert not ended(first)
    die(second)
    assert ended(first)
    first.remove_ended()
    assert not ended(first)
    assert first.others(head) == [third.name]
    assert sorted(os.listdir(tmp_path / "wake")) == sorted([first.name, third.name])
    third.close(head)
    first.remove_ended()
    assert not ended(first)
    assert first.others(head) == []


def test_a_member_that_is_ending(join: Callable[[], Members], head: Head, tmp_path: Path) -> None:
    """The files of a process are removed later if the kernel closes its pipe before its mark."""
    first, second = join(), join()
    second.completed(0)
    assert first.others(head) == [second.name]
    close_now(second.descriptor)
    second.descriptor = -1
    first.remove_ended()
    assert len(os.listdir(tmp_path / "wake")) == 2
    close_now(second._mark._descriptor)
    second._mark._descriptor = -1
    assert first.others(head) == []
    for folder in ("wake", "processes"):
        assert os.listdir(tmp_path / folder) == [first.name]


def test_the_end_of_a_member_whose_child_lives(join: Callable[[], Members], head: Head) -> None:
    """A forked process with a copy of the pipe's other end does not report its end for ever."""
    first, second = join(), join()
    first.wake(head)
    copy = os.dup(first._others[0].descriptor)
    die(second)
    first.remove_ended()
    assert not ended(first)
    os.close(copy)


def ended(member: Members) -> bool:
    """Return True if a member is to look which others have ended."""
    return bool(select.select([member.ends], [], [], 0)[0])


def test_closed_writer(join: Callable[[], Members], head: Head) -> None:
    """A member whose only waker has left is not woken without end."""
    first, second = join(), join()
    second.wake(head)
    assert is_woken(first)
    second.close(head)
    gevent.sleep(0)
    assert not is_woken(first)


def test_slow_member(
    join: Callable[[], Members], head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An append waits for a member that is far behind, until it has come nearer."""
    monkeypatch.setattr(module, "STUCK_SECONDS", TIME_LIMIT)
    first, second = join(), join()
    first.wait_for_slow(head, lambda: 10**6)  # the other one does not serve yet
    second.completed(100)
    first.wait_for_slow(head, lambda: 100 + LAG_ENTRIES)
    waiting = gevent.spawn(first.wait_for_slow, head, lambda: 101 + LAG_ENTRIES)
    gevent.sleep(0)
    assert not waiting.ready()
    assert is_woken(second)
    second.completed(101)
    waiting.get(timeout=TIME_LIMIT)


def test_slowest_member(
    join: Callable[[], Members], head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two members that are far behind, only the faster one waits."""
    monkeypatch.setattr(module, "STUCK_SECONDS", TIME_LIMIT)
    first, second = join(), join()
    first.completed(10)
    second.completed(9)
    second.wait_for_slow(head, lambda: 1000)
    waiting = gevent.spawn(first.wait_for_slow, head, lambda: 1000)
    gevent.sleep(0)
    assert not waiting.ready()
    second.completed(10)
    waiting.get(timeout=TIME_LIMIT)
    second.wait_for_slow(head, lambda: 1000)


def test_stuck_member(
    join: Callable[[], Members], head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member that makes no progress is waited for once, and again when it goes on."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    first, second = join(), join()
    second.completed(0)

    def is_waiting() -> bool:
        waiting = gevent.spawn(first.wait_for_slow, head, lambda: 1000)
        gevent.sleep(0)
        waits = not waiting.ready()
        waiting.kill()
        return waits

    assert is_waiting()
    now[0] = 0.9
    assert is_waiting()
    now[0] = 1.1
    assert not is_waiting()
    assert not is_waiting()
    second.completed(1)
    assert is_waiting()
    now[0] = 2.2
    assert not is_waiting()


def test_dying_while_slow(
    join: Callable[[], Members], head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a member that has died."""
    monkeypatch.setattr(module, "STUCK_SECONDS", 10 * TIME_LIMIT)
    first, second = join(), join()
    second.completed(0)
    waiting = gevent.spawn(first.wait_for_slow, head, lambda: 1000)
    gevent.sleep(0)
    assert not waiting.ready()
    die(second)
    waiting.get(timeout=TIME_LIMIT)


def test_removed_files(join: Callable[[], Members], tmp_path: Path) -> None:
    """A member notices that its files were removed."""
    member = join()
    shutil.rmtree(tmp_path / "wake")
    assert not member.is_in_place


def test_no_pipe(tmp_path: Path, head: Head) -> None:
    """A pipe that cannot be made is reported, and leaves no mark."""
    (tmp_path / "wake").write_text("")
    with pytest.raises(LogUnavailable, match=r"cannot use .*/wake"):
        Members(tmp_path, head)
    assert os.listdir(tmp_path / "processes") == []


def test_a_member_that_leaves_while_it_waits(join: Callable[[], Members], head: Head) -> None:
    """Its append may still wait for another member, and ends without an error."""
    first, second = join(), join()
    second.completed(0)
    newest = LAG_ENTRIES + 10
    waiting = gevent.spawn(first.wait_for_slow, head, lambda: newest)
    gevent.sleep(0)
    assert not waiting.ready()
    first.close(head)
    waiting.get(timeout=TIME_LIMIT)
    first.wake(head)
    assert first.others(head) == []
