"""Tests of the lock of a directory: one server has it, and never one of its workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway_shim.event_log.places.directory_lock import LOCK_FILE, DirectoryInUse, DirectoryLock
from tests.support.processes.server import ROOT
from tests.support.timing import TIME_LIMIT


def test_one_server_at_a_time(tmp_path: Path) -> None:
    """The second server is told the process id of the first one; after its end it gets the lock."""
    first = DirectoryLock(tmp_path)
    with pytest.raises(DirectoryInUse) as caught:
        DirectoryLock(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} is used by the server with process id {os.getpid()}; stop that server, or give"
        " this one another directory"
    )
    first.close()
    first.close()
    DirectoryLock(tmp_path).close()


def test_a_server_that_has_not_written_its_process_id(tmp_path: Path) -> None:
    """The holder is unknown until its process id is in the file."""
    lock = DirectoryLock(tmp_path)
    (tmp_path / LOCK_FILE).write_text("")
    with pytest.raises(DirectoryInUse, match="is used by another server; stop that server"):
        DirectoryLock(tmp_path)
    lock.close()


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_lock_that_was_removed_meanwhile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_replaced: bool
) -> None:
    """The lock of a file that is no longer in the directory excludes nobody, so it is refused."""
    real_open = os.open

    def open_and_remove(path: Path, flags: int, mode: int) -> int:
        descriptor = real_open(path, flags, mode)
        path.unlink()
        if is_replaced:
            path.write_text("")
        return descriptor

    monkeypatch.setattr(os, "open", open_and_remove)
    with pytest.raises(FileNotFoundError):
        DirectoryLock(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """No file elsewhere is overwritten through a link with the name of the lock."""
    target = tmp_path / "precious"
    target.write_text("text")
    (tmp_path / LOCK_FILE).symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        DirectoryLock(tmp_path)
    assert target.read_text() == "text"


def test_a_worker_does_not_hold_the_lock(tmp_path: Path) -> None:
    """After SIGKILL of an arbiter its worker still runs, and another server gets the lock."""
    script = """
import os, signal, sys
from pathlib import Path
from gateway_shim.event_log.places.directory_lock import DirectoryLock
lock = DirectoryLock(Path(sys.argv[1]))
if os.fork() == 0:
    print(os.getpid(), flush=True)
    signal.pause()
signal.pause()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as arbiter:
        assert arbiter.stdout is not None
        worker = int(arbiter.stdout.readline())
        try:
            with pytest.raises(DirectoryInUse, match=f"process id {arbiter.pid};"):
                DirectoryLock(tmp_path)
            arbiter.kill()
            arbiter.wait(TIME_LIMIT)
            DirectoryLock(tmp_path).close()
            os.kill(worker, 0)  # the worker still runs
        finally:
            arbiter.kill()
            os.kill(worker, 9)
