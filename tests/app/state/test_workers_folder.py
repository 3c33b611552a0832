"""The folder in which the workers of a server leave their figures."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from app.state.workers_folder import WorkersFolder
from gateway_shim.event_log.places.place import LogPlace


def folder_of(place: LogPlace | None) -> WorkersFolder:
    """Return the folder of a process that has started."""
    folder = WorkersFolder(lambda: place)
    folder.open()
    return folder


@pytest.fixture
def place(tmp_path: Path) -> LogPlace:
    """Return the place of a server with two workers."""
    return LogPlace(tmp_path, survives_restart=True, workers=2)


def test_workers_see_each_other(place: LogPlace) -> None:
    """Each worker has a name, and all see who runs."""
    one, two = folder_of(place), folder_of(place)
    assert one.is_open
    assert one.server == two.server == place.server
    assert one.workers == 2
    assert one.running() == two.running() == sorted([one.process, two.process])
    two.close()
    assert (one.running(), two.is_open, two.process) == ([one.process], False, "")
    assert stat.S_IMODE(one.directory.stat().st_mode) == 0o700
    one.close()


@pytest.mark.parametrize("workers", [None, 1])
def test_one_worker_has_no_folder(tmp_path: Path, workers: int | None) -> None:
    """Nothing is made for a worker that is alone."""
    place = None if workers is None else LogPlace(tmp_path, survives_restart=True, workers=workers)
    folder = folder_of(place)
    folder.look()
    folder.close()
    assert (folder.is_open, list(tmp_path.iterdir())) == (False, [])


def test_an_earlier_run_is_forgotten(place: LogPlace) -> None:
    """A server that is started again in the same directory removes what the earlier one left."""
    old = folder_of(place)
    (old.directory / "metrics.json").write_text("{}")
    new = folder_of(LogPlace(place.directory, survives_restart=True, workers=2))
    assert (old.directory.exists(), new.directory.exists()) == (False, True)
    old.close()
    new.close()


def test_a_folder_that_was_removed(place: LogPlace) -> None:
    """A program that cleans folders does not end the figures: the worker enters again."""
    folder = folder_of(place)
    name = folder.process
    shutil.rmtree(folder.directory.parent)
    assert folder.running() == [name]
    folder.look()
    assert folder.running() == [folder.process] != [name]
    folder.close()


def test_a_folder_that_cannot_be_made(place: LogPlace, caplog: pytest.LogCaptureFixture) -> None:
    """The worker goes on alone, and the log says so."""
    (place.directory / "workers").write_text("in the way")
    folder = folder_of(place)
    folder.look()
    assert (folder.is_open, len(caplog.records)) == (False, 1)


def test_the_lock(place: LogPlace) -> None:
    """One worker has the lock at a time. Another one waits for a limited time."""
    one, two = folder_of(place), folder_of(place)
    with one.locked(0) as has_first, two.locked(0.01) as has_second:
        assert (has_first, has_second) == (True, False)
    with two.locked(0) as has_second:
        assert has_second
    shutil.rmtree(one.directory)
    with one.locked(0) as is_locked:
        assert not is_locked
    one.close()
    two.close()
