"""Tests of the choice of the place: the operator's directory, or memory, or the disk, or none."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.event_log.places import choice
from gateway_shim.event_log.places.choice import make_place
from gateway_shim.event_log.places.owner import Owner
from gateway_shim.event_log.places.place import LogPlace

ME = Owner.of_this_process()
MIB = 1024 * 1024


def test_the_first_folder_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A private directory is in memory if there is room, and does not survive a restart."""
    place = make_place(None, MIB, ME, [tmp_path])
    assert place is not None
    assert place.directory.parent == tmp_path
    assert not place.survives_restart
    assert caplog.records == []


def test_the_folders_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without folders the usual ones are taken."""
    monkeypatch.setattr(choice, "private_folders", lambda: [tmp_path])
    place = make_place(None, 0, ME)
    assert place is not None
    assert place.directory.parent == tmp_path


@pytest.mark.parametrize("first", ["missing", "file"])
def test_the_next_folder_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, first: str
) -> None:
    """A machine without ``/dev/shm`` keeps the log in the folder for temporary files."""
    (tmp_path / "file").touch()
    (tmp_path / "second").mkdir()
    place = make_place(None, MIB, ME, [tmp_path / first, tmp_path / "second"])
    assert place is not None
    assert place.directory.parent == tmp_path / "second"
    assert caplog.records == []


@pytest.fixture(name="tiny")
def fixture_tiny(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 5 MiB in memory."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no command mount")
    if done.returncode != 0:
        pytest.skip(f"cannot mount a file system here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_folder_that_is_too_small(
    tiny: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log and what lies beside it must fit; else the next folder is taken, or none."""
    small = make_place(None, MIB, ME, [tiny])
    assert small is not None
    assert small.directory.parent == tiny
    (tmp_path / "second").mkdir()
    large = make_place(None, 2 * MIB, ME, [tiny, tmp_path / "second"])
    assert large is not None
    assert large.directory.parent == tmp_path / "second"
    assert caplog.records == []
    assert make_place(None, 2 * MIB, ME, [tiny]) is None
    (record,) = caplog.records
    assert record.message == (
        "no folder can hold the event log, so a reload or a killed worker loses events"
    )
    (reason,) = [record.__dict__["reason"]]
    assert reason.startswith(f"{tiny}: ")
    assert reason.endswith(f"bytes are free, and the log needs {6 * MIB}")


def test_what_a_killed_server_has_left_makes_room(tmp_path: Path) -> None:
    """The directories that nobody uses go first, also if the operator has named a directory."""
    left = tmp_path / f"sse-monolith-{ME.uid}-1-00000000"
    for state in (None, tmp_path / "state"):
        left.mkdir()
        make_place(state, 0, ME, [tmp_path])
        assert not left.exists()


def test_the_directory_of_the_operator(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The operator's directory survives a restart, and is locked for this server."""
    state = tmp_path / "state"
    assert make_place(state, MIB, ME, []) == LogPlace(state, survives_restart=True)
    with pytest.raises(InvalidConfiguration, match=f"process id {os.getpid()};"):
        make_place(state, MIB, ME, [])
    assert caplog.records == []


def test_little_space_for_the_operators_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that is nearly full is a warning; what the log takes already counts as free."""
    monkeypatch.setattr(choice, "free_bytes", lambda _folder: 5 * MIB)
    make_place(tmp_path / "a", 2 * MIB, ME, [])
    (record,) = caplog.records
    assert record.message == "the state directory has too little free space for the event log"
    assert record.__dict__["directory"] == str(tmp_path / "a")
    assert record.__dict__["available_bytes"] == 5 * MIB
    assert record.__dict__["needed_bytes"] == 6 * MIB
    caplog.clear()
    (tmp_path / "b" / "log").mkdir(parents=True, mode=0o700)
    (tmp_path / "b").chmod(0o700)
    (tmp_path / "b" / "sse-monolith.lock").touch()
    with (tmp_path / "b" / "log" / "segment").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, MIB)
    make_place(tmp_path / "b", 2 * MIB, ME, [])
    assert caplog.records == []
