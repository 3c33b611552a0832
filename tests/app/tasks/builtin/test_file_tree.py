"""scan: every regular file once, nothing through a link, and whatever else by its reason."""

from __future__ import annotations

import os
import resource

import pytest
from gevent.monkey import get_original

from app.tasks.builtin.confined_path import ConfinedFolder
from app.tasks.builtin.file_tree import FoundFile, reason_of, scan

native_close = get_original("os", "close")  # gevent's waits for the event loop


@pytest.fixture
def folder(tmp_path):
    """A folder to scan."""
    return ConfinedFolder(str(tmp_path))


def test_files_are_found_in_the_order_of_their_paths(folder, tmp_path):
    """At every depth, with their sizes; empty directories are nothing."""
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


def test_links_are_not_followed_wherever_they_lead(folder, tmp_path):
    """Out, in, up, in circles, nowhere: each is named, none is entered."""
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


def test_special_files_are_named(folder, tmp_path):
    """Not as files."""
    os.mkfifo(tmp_path / "fifo")
    assert scan(folder, ()).skipped == [(("fifo",), "not a regular file")]


def test_a_directory_that_goes_away_is_skipped(folder, tmp_path, monkeypatch):
    """One below; the one to begin at must be there."""
    (tmp_path / "gone").mkdir()
    real = folder.open_directory

    def open_directory(names):
        if names == ("gone",):
            (tmp_path / "gone").rmdir()
        return real(names)

    monkeypatch.setattr(folder, "open_directory", open_directory)
    assert scan(folder, ()).skipped == [(("gone",), "No such file or directory")]
    with pytest.raises(FileNotFoundError):
        scan(folder, ("none",))


def test_a_file_that_goes_away_is_skipped(folder, monkeypatch):
    """Between the listing and the look."""

    class Entry:
        name = "gone"

        def is_symlink(self):
            return False

        def is_dir(self, *, follow_symlinks):
            return False

        def is_file(self, *, follow_symlinks):
            return True

        def stat(self, *, follow_symlinks):
            raise FileNotFoundError(2, "No such file or directory", "gone")

    class Listing(list):
        def __enter__(self):
            return self

        def __exit__(self, *exc):
            return None

    monkeypatch.setattr(os, "scandir", lambda descriptor: Listing([Entry()]))
    assert scan(folder, ()).skipped == [(("gone",), "No such file or directory")]


def test_a_deep_tree_needs_few_descriptors(folder, tmp_path):
    """Two at a time, whatever the number of levels."""
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


def test_each_entry_is_a_chance_to_stop(folder, tmp_path):
    """What the check raises ends the scan."""
    (tmp_path / "a").touch()

    class Stop(BaseException):
        pass

    def check():
        raise Stop

    with pytest.raises(Stop):
        scan(folder, (), check)


def test_a_reason_names_no_path():
    """Only what went wrong."""
    assert reason_of(PermissionError(13, "Permission denied", "/secret/path")) == (
        "Permission denied"
    )
    assert reason_of(OSError("odd")) == "odd"
