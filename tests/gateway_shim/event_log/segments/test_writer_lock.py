"""Tests of the lock that appends hold."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import gevent
import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.segments.writer_lock import WriterLock
from tests.support.timing import TIME_LIMIT, wait_until

STOPPED = """
import os, signal, sys
from pathlib import Path
from gateway_shim.event_log.segments.writer_lock import WriterLock
lock = WriterLock(Path(sys.argv[1]))
lock.acquire()
os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_one_at_a_time(tmp_path: Path) -> None:
    """A second holder has to wait until the first one has released the lock."""
    first, second = WriterLock(tmp_path), WriterLock(tmp_path)
    first.acquire()
    assert not second.try_to_acquire()
    waiting = gevent.spawn(second.acquire, TIME_LIMIT)
    gevent.idle()
    assert not waiting.ready()
    first.release()
    waiting.get(timeout=TIME_LIMIT)
    assert not first.try_to_acquire()
    second.close()
    second.close()
    assert first.try_to_acquire()
    first.close()


def test_stopped_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process that holds the lock delays an append, but never stops the event loop."""
    lock = WriterLock(tmp_path)
    attempts: list[bool] = []
    attempt = lock.try_to_acquire
    with subprocess.Popen([sys.executable, "-c", STOPPED, str(tmp_path)]) as holder:
        try:
            stat = Path(f"/proc/{holder.pid}/stat")
            wait_until(lambda: ") T " in stat.read_text(), "the process to be stopped")
            with pytest.raises(LogUnavailable, match=r"lock for 0.05 seconds.*fuser"):
                lock.acquire(0.05)
            monkeypatch.setattr(
                lock, "try_to_acquire", lambda: attempts.append(attempt()) or attempts[-1]
            )
            waiting = gevent.spawn(lock.acquire, TIME_LIMIT)
            seen: set[int] = set()
            # An acquire that stops the loop makes all of its attempts before this greenlet goes on.
            while len(seen) < 10 and not waiting.ready():
                gevent.sleep(0)
                seen.add(len(attempts))
            assert not waiting.ready()
        finally:
            holder.kill()
        waiting.get(timeout=TIME_LIMIT)
    lock.close()


def test_reopen(tmp_path: Path) -> None:
    """After the directory was removed, the lock is one of the new directory."""
    (tmp_path / "log").mkdir()
    lock = WriterLock(tmp_path / "log")
    shutil.rmtree(tmp_path / "log")
    lock.reopen()
    other = WriterLock(tmp_path / "log")
    other.acquire()
    assert not lock.try_to_acquire()
    for one in (lock, other):
        one.close()


def test_closed(tmp_path: Path) -> None:
    """A lock that was closed cannot be taken."""
    lock = WriterLock(tmp_path)
    lock.close()
    for call in (lock.acquire, lock.try_to_acquire, lock.reopen):
        with pytest.raises(LogUnavailable, match="was closed"):
            call()
