"""``scan``: each regular file once, no links followed, and a reason for every other entry."""

from __future__ import annotations

import os
import resource
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Never, Self

import pytest
from gevent.monkey import get_original

from app.tasks.builtin.confined_path import ConfinedFolder
from app.tasks.builtin.file_tree import FoundFile, reason_of, scan

native_close = get_original("os", "close")  # gevent's waits for the event loop


@pytest.fixture
def folder(tmp_path: Path) -> ConfinedFolder:
    """Make a folder to scan."""
    return ConfinedFolder(str(tmp_path))


def test_files_are_found_in_the_order_of_their_paths(
    folder: ConfinedFolder, tmp_path: Path
) -> None:
    """Files of all levels are found, with their sizes; directories are not listed."""
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    for name, content in {"b/deep/z": b"123", "b/a": b"", "a": b"1"}.items():
        (tmp_path / name).write_bytes(content)
    tree = scan(folder, ())
    assert tree.files == [
        FoundFile(("a",), 1),
        FoundFile(("b", "a"), 0),
        FoundFile(("b", "deep", "z"), 3),
    ]
    assert tree.skipped == []
    assert scan(folder, ("b", "deep")).files == [FoundFile(("b", "deep", "z"), 3)]


def test_links_are_not_followed_wherever_they_lead(folder: ConfinedFolder, tmp_path: Path) -> None:
    """Every kind of link is listed and not followed."""
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "file").touch()
    targets = {"out": "/etc", "in": "dir", "file": "dir/file", "loop": "loop", "no": "nowhere"}
    for name, target in targets.items():
        (tmp_path / name).symlink_to(target)
    (tmp_path / "dir" / "up").symlink_to("..")
    tree = scan(folder, ())
    assert tree.files == [FoundFile(("dir", "file"), 0)]
    assert tree.skipped == [
        (names, "symbolic link, not followed")
        for names in (("dir", "up"), ("file",), ("in",), ("loop",), ("no",), ("out",))
    ]


def test_special_files_are_named(folder: ConfinedFolder, tmp_path: Path) -> None:
    """A special file is listed as skipped."""
    os.mkfifo(tmp_path / "fifo")
    assert scan(folder, ()).skipped == [(("fifo",), "not a regular file")]


def test_a_directory_that_goes_away_is_skipped(
    folder: ConfinedFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A removed directory is skipped, unless it is the first one."""
    (tmp_path / "gone").mkdir()
    real = folder.open_directory

    def open_directory(names: tuple[str, ...]) -> AbstractContextManager[int]:
        if names == ("gone",):
            (tmp_path / "gone").rmdir()
        return real(names)

    monkeypatch.setattr(folder, "open_directory", open_directory)
    assert scan(folder, ()).skipped == [(("gone",), "No such file or directory")]
    with pytest.raises(FileNotFoundError):
        scan(folder, ("none",))


def test_a_file_that_goes_away_is_skipped(
    folder: ConfinedFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is removed after the listing is skipped."""

    class Entry:
        name = "gone"

        def is_symlink(self) -> bool:
            return False

        def is_dir(self, *, follow_symlinks: bool) -> bool:
            return False

        def is_file(self, *, follow_symlinks: bool) -> bool:
            return True

        def stat(self, *, follow_symlinks: bool) -> Never:
            raise FileNotFoundError(2, "No such file or directory", "gone")

    class Listing(list[Entry]):
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *exc: BaseException) -> None:
            return None

    monkeypatch.setattr(os, "scandir", lambda descriptor: Listing([Entry()]))
    assert scan(folder, ()).skipped == [(("gone",), "No such file or directory")]


def test_a_deep_tree_needs_few_descriptors(folder: ConfinedFolder, tmp_path: Path) -> None:
    """A scan needs two descriptors for a tree of any depth."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    depth = 200  # pytest removes the tree with a descriptor for each level
    for _ in range(depth):
        os.mkdir("d", dir_fd=descriptor)
        parent, descriptor = descriptor, os.open("d", os.O_RDONLY, dir_fd=descriptor)
        native_close(parent)
    native_close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    native_close(descriptor)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 10, hard))
    try:
        tree = scan(folder, ())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [len(file.names) for file in tree.files] == [depth + 1]


def test_each_entry_is_a_chance_to_stop(folder: ConfinedFolder, tmp_path: Path) -> None:
    """An exception of the check ends the scan."""
    (tmp_path / "a").touch()

    class Stop(BaseException):
        pass

    def check() -> Never:
        raise Stop

    with pytest.raises(Stop):
        scan(folder, (), check)


def test_a_reason_names_no_path() -> None:
    """A reason does not contain the path."""
    assert reason_of(PermissionError(13, "Permission denied", "/secret/path")) == (
        "Permission denied"
    )
    assert reason_of(OSError("odd")) == "odd"
