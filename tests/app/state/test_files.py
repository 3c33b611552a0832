"""StateFiles: which file is used, and what happens to a damaged one."""

from __future__ import annotations

import fcntl
from pathlib import Path

import gevent
import pytest

from app.state import files
from app.state.database import StateUnavailable
from app.state.files import StateFiles
from tests.support.timing import TIME_LIMIT


def names(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_the_file_with_the_highest_number_is_used(tmp_path: Path) -> None:
    """The first file has the number 1; other names do not count."""
    state = StateFiles(tmp_path)
    assert state.current() == tmp_path / "state-1.sqlite3"
    for name in ("state-9.sqlite3", "state-10.sqlite3", "state-99.txt", "state-0.sqlite3", "lock"):
        (tmp_path / name).touch()
    assert state.current() == tmp_path / "state-10.sqlite3"


def test_a_damaged_file_is_kept_and_older_ones_go(tmp_path: Path) -> None:
    """The last damaged file keeps its name, so that somebody can look at it."""
    state = StateFiles(tmp_path)
    for name in ("state-1.sqlite3", "state-1.sqlite3-wal", "state-1.sqlite3-shm"):
        (tmp_path / name).touch()
    (tmp_path / "note").touch()
    assert state.set_aside() == tmp_path / "state-2.sqlite3"
    (tmp_path / "state-2.sqlite3").touch()
    assert state.set_aside() == tmp_path / "state-3.sqlite3"
    assert names(tmp_path) == ["note", "state-2.sqlite3"]


def test_one_process_opens_at_a_time(tmp_path: Path) -> None:
    """The lock is waited for, and other greenlets run meanwhile."""
    order: list[str] = []

    def opens(name: str) -> None:
        with StateFiles(tmp_path / "new").locked():
            order.append(f"{name} begins")
            gevent.sleep(0.03)
            order.append(f"{name} ends")

    gevent.joinall([gevent.spawn(opens, name) for name in "ab"], timeout=TIME_LIMIT)
    assert order == ["a begins", "a ends", "b begins", "b ends"]


def test_a_process_that_never_ends_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process that holds the lock does not keep others from starting."""
    monkeypatch.setattr(files, "_LOCK_SECONDS", 0.05)
    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with (
            pytest.raises(StateUnavailable, match="is locked by another process"),
            StateFiles(tmp_path).locked(),
        ):
            pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """The error has the path and the reason."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(StateUnavailable, match=r"file/folder: Not a directory"),
        StateFiles(tmp_path / "file" / "folder").locked(),
    ):
        pass
