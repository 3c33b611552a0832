"""Tests of the marks of running processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log import processes
from gateway_shim.event_log.processes import (
    ProcessMark,
    is_running,
    remove_dead,
    running_processes,
)
from tests.support.timing import TIME_LIMIT

OTHER = """
import sys
from pathlib import Path
from gateway_shim.event_log.processes import ProcessMark
print(ProcessMark(Path(sys.argv[1])).name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[ProcessMark]:
    """Return the mark of this process."""
    mark = ProcessMark(tmp_path)
    yield mark
    mark.close()


def test_mark(mark: ProcessMark, tmp_path: Path) -> None:
    """A process runs until its mark is closed."""
    assert mark.name.startswith(f"p-{os.getpid()}-")
    assert is_running(tmp_path, mark.name)
    assert running_processes(tmp_path) == [mark.name]
    mark.close()
    mark.close()
    assert not is_running(tmp_path, mark.name)
    assert os.listdir(tmp_path / "processes") == []


def test_killed_process(tmp_path: Path) -> None:
    """The mark of a process that was killed is found and removed."""
    command = [sys.executable, "-c", OTHER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        name = one.stdout.readline().strip()
        assert is_running(tmp_path, name)
        assert remove_dead(tmp_path) == []
        one.send_signal(signal.SIGKILL)
        one.wait(TIME_LIMIT)
    assert not is_running(tmp_path, name)
    assert running_processes(tmp_path) == []
    assert remove_dead(tmp_path) == [name]
    assert os.listdir(tmp_path / "processes") == []


@pytest.mark.parametrize("name", ["", "..", "../x", "p-1-abc", "p-1-0123456789ab"])
def test_unknown_names(name: str, tmp_path: Path) -> None:
    """A name that no mark has is not running, and no path outside of the folder is opened."""
    (tmp_path / "x").write_text("")
    assert not is_running(tmp_path, name)


def test_foreign_files_stay(tmp_path: Path) -> None:
    """Only marks are removed."""
    (tmp_path / "processes").mkdir()
    (tmp_path / "processes" / "notes").write_text("")
    assert remove_dead(tmp_path) == []
    assert (tmp_path / "processes" / "notes").exists()


def test_no_folder(tmp_path: Path) -> None:
    """A directory without marks has no processes."""
    assert running_processes(tmp_path) == []
    assert remove_dead(tmp_path) == []


def test_removed_while_being_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark whose file another process removes before it is locked is made again."""
    flock, removed = processes.fcntl.flock, []

    def remove_first(descriptor: int, kind: int) -> None:
        if not removed:
            removed.extend(os.listdir(tmp_path / "processes"))
            (tmp_path / "processes" / removed[0]).unlink()
        flock(descriptor, kind)

    monkeypatch.setattr(processes.fcntl, "flock", remove_first)
    mark = ProcessMark(tmp_path)
    assert is_running(tmp_path, mark.name)
    assert os.listdir(tmp_path / "processes") == [mark.name] != removed
    mark.close()


def test_looked_at_while_being_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark that another process looks at before it is locked is made again."""
    flock, looking = processes.fcntl.flock, []

    def look_first(descriptor: int, kind: int) -> None:
        if not looking:
            [name] = os.listdir(tmp_path / "processes")
            looking.append(os.open(tmp_path / "processes" / name, os.O_RDONLY))
            flock(looking[0], processes.fcntl.LOCK_SH)
        flock(descriptor, kind)

    monkeypatch.setattr(processes.fcntl, "flock", look_first)
    mark = ProcessMark(tmp_path)
    assert os.listdir(tmp_path / "processes") == [mark.name]
    mark.close()
    os.close(looking[0])


def test_not_a_directory(tmp_path: Path) -> None:
    """A mark that cannot be made says what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LogUnavailable, match="Not a directory; make the directory writable"):
        ProcessMark(tmp_path / "file")
