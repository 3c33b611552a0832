"""Tests of the lock of the carrier."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.brokers.carrier_lock import CarrierLock
from tests.support.processes.child import ChildProcess
from tests.support.timing import TIME_LIMIT


def test_one_process_has_the_lock(tmp_path: Path) -> None:
    """Another one gets it when the first one releases it."""
    one, two = CarrierLock(tmp_path), CarrierLock(tmp_path)
    assert one.try_to_acquire()
    assert one.try_to_acquire()
    assert not two.try_to_acquire()
    assert (one.is_held, two.is_held) == (True, False)
    one.release()
    assert two.try_to_acquire()
    two.release()


def test_a_process_that_is_killed_has_no_lock(tmp_path: Path) -> None:
    """The kernel releases it."""
    program = (
        "import sys; from pathlib import Path;"
        "from gateway_shim.event_log.brokers.carrier_lock import CarrierLock;"
        "lock = CarrierLock(Path(sys.argv[1])); print(lock.try_to_acquire(), flush=True);"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with ChildProcess(command, stdin=subprocess.PIPE) as child:
        assert child.process.stdout is not None
        assert child.process.stdout.readline() == b"True\n"
        lock = CarrierLock(tmp_path)
        assert not lock.try_to_acquire()
        child.process.kill()
        child.process.wait(TIME_LIMIT)
        assert lock.try_to_acquire()
        lock.release()


def test_a_file_that_was_removed(tmp_path: Path) -> None:
    """Its lock is worth nothing: another process makes another file."""
    lock = CarrierLock(tmp_path)
    assert lock.try_to_acquire()
    (tmp_path / "carrier").unlink()
    assert not lock.is_held
    assert lock.try_to_acquire()
    assert lock.is_held
    lock.release()


def test_a_lock_that_is_taken_away(tmp_path: Path) -> None:
    """Another process gets one on another file, and the first one finds out that it has none."""
    stopped, other = CarrierLock(tmp_path), CarrierLock(tmp_path)
    assert other.file == 0
    assert stopped.try_to_acquire()
    before = other.file
    assert not other.try_to_acquire()
    other.take_away()
    assert other.try_to_acquire()
    assert (stopped.is_held, other.is_held) == (False, True)
    assert not stopped.try_to_acquire()
    assert other.file == stopped.file != before
    other.release()
    assert stopped.try_to_acquire()
    stopped.release()


def test_a_file_that_cannot_be_made(tmp_path: Path) -> None:
    """The error says what to do."""
    with pytest.raises(LogUnavailable, match="cannot use"):
        CarrierLock(tmp_path / "gone").try_to_acquire()
