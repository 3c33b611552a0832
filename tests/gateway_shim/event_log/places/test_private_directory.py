"""Tests of private directories: who may enter them, and when they are removed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_shim.event_log.places import private_directory
from gateway_shim.event_log.places.directory_lock import DirectoryLock
from gateway_shim.event_log.places.owner import Owner
from gateway_shim.event_log.places.private_directory import (
    PrivateDirectory,
    private_folders,
    remove_unused,
)
from gateway_shim.event_log.processes import ProcessMark
from tests.support.processes.server import ROOT
from tests.support.timing import TIME_LIMIT

ME = Owner.of_this_process()
MAKE = """
import os, signal, sys
from pathlib import Path
from gateway_shim.event_log.places.owner import Owner
from gateway_shim.event_log.places.private_directory import PrivateDirectory
made = PrivateDirectory(Path(sys.argv[1]), 0, Owner.of_this_process())
"""
"""A program that makes a directory; the tests append what it does next."""


def run(folder: Path, rest: str) -> subprocess.CompletedProcess[str]:
    """Run a program that makes a directory in a folder."""
    return subprocess.run(
        [sys.executable, "-c", MAKE + rest, str(folder)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )


@pytest.fixture(name="directory")
def fixture_directory(tmp_path: Path) -> Iterator[PrivateDirectory]:
    """Make a directory, and remove it after the test."""
    made = PrivateDirectory(tmp_path, 0, ME)
    yield made
    made.remove()


def test_only_its_owner_can_enter(directory: PrivateDirectory, tmp_path: Path) -> None:
    """The directory has mode 0700, and a name with the user, the process and a random part."""
    assert directory.path.parent == tmp_path
    assert directory.path.stat().st_mode & 0o777 == 0o700
    *words, random = directory.path.name.split("-")
    assert words == ["sse", "monolith", str(ME.uid), str(os.getpid())]
    assert len(random) == 8


def test_a_second_removal(directory: PrivateDirectory, tmp_path: Path) -> None:
    """A directory is removed once: what has the same name later is not touched."""
    directory.remove()
    assert not directory.path.exists()
    directory.path.mkdir()
    directory.remove()
    assert directory.path.exists()


def test_a_directory_in_use_stays(directory: PrivateDirectory, tmp_path: Path) -> None:
    """The directory of an arbiter that runs is not removed."""
    remove_unused([tmp_path], ME)
    assert directory.path.is_dir()


@pytest.mark.parametrize("ending", ["", "raise SystemExit(3)", "raise OSError"])
def test_removed_at_the_end_of_the_arbiter(tmp_path: Path, ending: str) -> None:
    """The directory goes with its arbiter, however Python ends, and not with a worker."""
    worker = """
if os.fork() == 0:
    sys.exit(0)  # as gunicorn's workers end
os.wait()
print(made.path.is_dir(), flush=True)
"""
    assert run(tmp_path, worker + ending).stdout == "True\n"
    assert list(tmp_path.iterdir()) == []


def test_removed_after_sigkill_at_the_next_start(tmp_path: Path) -> None:
    """A killed arbiter leaves its directory, which the next start removes."""
    assert run(tmp_path, "os.kill(os.getpid(), 9)").returncode == -9
    (left,) = tmp_path.iterdir()
    (left / "log").mkdir()
    (left / "log" / "segment").write_text("events")
    remove_unused([tmp_path], ME)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["", "log"])
def test_a_worker_that_outlives_its_arbiter_keeps_the_directory(
    tmp_path: Path, folder: str
) -> None:
    """A directory with the mark of a running process stays; without the mark it goes."""
    assert run(tmp_path, "os.kill(os.getpid(), 9)").returncode == -9
    (left,) = tmp_path.iterdir()
    (left / folder).mkdir(exist_ok=True)
    mark = ProcessMark(left / folder)
    remove_unused([tmp_path], ME)
    assert left.is_dir()
    mark.close()
    remove_unused([tmp_path], ME)
    assert not left.exists()


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    """Links, files, other names and the directories of other users are not touched."""
    target = tmp_path / "elsewhere"
    target.mkdir()
    (target / "file").touch()
    (tmp_path / f"sse-monolith-{ME.uid}-1-00000000").symlink_to(target)
    (tmp_path / f"sse-monolith-{ME.uid}-2-00000000").touch()
    (tmp_path / f"sse-monolith-{ME.uid + 1}-3-00000000").mkdir()
    before = sorted(tmp_path.rglob("*"))
    remove_unused([tmp_path, tmp_path / "missing"], ME)
    # A directory with the name of another user's, which this user has made.
    remove_unused([tmp_path], Owner(ME.uid + 1, ME.gid))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_start_at_the_same_time_as_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A directory that another server removes before it is locked is made again."""
    calls = 0

    def lock(path: Path) -> DirectoryLock:
        nonlocal calls
        calls += 1
        if calls < 3:
            remove_unused([tmp_path], ME)
        return DirectoryLock(path)

    monkeypatch.setattr(private_directory, "DirectoryLock", lock)
    made = PrivateDirectory(tmp_path, 0, ME)
    assert list(tmp_path.iterdir()) == [made.path]
    made.remove()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError(2, "No such file"), "other servers remove the directory again and"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
    ],
)
def test_a_directory_that_cannot_be_locked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: OSError, message: str
) -> None:
    """The attempts end, and nothing is left behind."""

    def lock(path: Path) -> DirectoryLock:
        if isinstance(error, FileNotFoundError):
            path.rmdir()
        raise error

    monkeypatch.setattr(private_directory, "DirectoryLock", lock)
    with pytest.raises(OSError, match=message):
        PrivateDirectory(tmp_path, 0, ME)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One directory that cannot be locked does not keep the others from being removed."""
    for number in (1, 2):
        (tmp_path / f"sse-monolith-{ME.uid}-{number}-00000000").mkdir()

    def lock(path: Path) -> DirectoryLock:
        if "-1-" in path.name:
            raise PermissionError
        return DirectoryLock(path)

    monkeypatch.setattr(private_directory, "DirectoryLock", lock)
    remove_unused([tmp_path], ME)
    assert [path.name for path in tmp_path.iterdir()] == [f"sse-monolith-{ME.uid}-1-00000000"]


def test_a_locked_directory_is_left_alone_by_cleaners(directory: PrivateDirectory) -> None:
    """systemd-tmpfiles locks a directory before it removes anything in it, and cannot."""
    script = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDONLY)
try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("locked")
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(directory.path)],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=True,
    )
    assert done.stdout == "locked\n"


def test_too_little_space(tmp_path: Path) -> None:
    """The space is asked for before the directory is made."""
    with pytest.raises(OSError, match="bytes are free, and the log needs") as caught:
        PrivateDirectory(tmp_path, 2**62, ME)
    assert str(2**62) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory comes first; without any folder for temporary files there is memory only."""
    memory, temporary = private_folders()
    assert (memory, temporary) == (Path("/dev/shm"), Path(tempfile.gettempdir()))

    def missing() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(tempfile, "gettempdir", missing)
    assert private_folders() == [memory]
