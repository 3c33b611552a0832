"""ConfinedFolder: nothing outside is ever reached, however it is asked for."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

import pytest

from app.tasks.builtin.confined_path import ConfinedFolder, NotConfined, NotRegular


@pytest.fixture
def root(tmp_path):
    """A folder with a tree in it, and a secret beside it."""
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "file").write_bytes(b"inside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    (tmp_path / "root-too").mkdir()
    return root


def read(folder, *names):
    """Read a file through the folder."""
    with folder.open_file(names) as descriptor:
        return os.read(descriptor, 100)


def open_descriptors():
    """The process's descriptors, and what each is of."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the listing's own is closed by now
            found[name] = os.readlink(f"/proc/self/fd/{name}")
    return found


@pytest.mark.parametrize(
    ("relative", "names"),
    [
        (".", ()),
        ("./", ()),
        ("a", ("a",)),
        ("a/b", ("a", "b")),
        ("a//b/", ("a", "b")),
        ("./a/./b", ("a", "b")),
        ("inward", ("a", "b")),
        ("a/up", ("a",)),
    ],
)
def test_directories_inside_are_allowed(root, relative, names):
    """Also through links that stay inside; what is returned holds no link."""
    (root / "inward").symlink_to("a/b")
    (root / "a" / "up").symlink_to("../a")
    assert ConfinedFolder(str(root)).directory(relative) == names


@pytest.mark.parametrize(
    ("relative", "why"),
    [
        ("", "the path must be the name of a directory; '.' is the folder itself"),
        (" ", "the path must be the name of a directory; '.' is the folder itself"),
        ("a\0b", "the path must be the name of a directory; '.' is the folder itself"),
        ("/etc", "the path must be relative to the folder, not absolute"),
        ("//etc", "the path must be relative to the folder, not absolute"),
        ("..", "the path must not contain '..'"),
        ("a/../../outside", "the path must not contain '..'"),
        ("a/..", "the path must not contain '..'"),
        ("../root", "the path must not contain '..'"),
        ("out", "the path leads out of the folder through a symbolic link"),
        ("out/deeper", "there is no directory 'out/deeper' in the folder"),
        ("beside", "the path leads out of the folder through a symbolic link"),
        ("absolute", "the path leads out of the folder through a symbolic link"),
        ("loop", "there is no directory 'loop' in the folder"),
        ("dangling", "there is no directory 'dangling' in the folder"),
        ("none", "there is no directory 'none' in the folder"),
        ("a/file", "there is no directory 'a/file' in the folder"),
        ("a/file/x", "there is no directory 'a/file/x' in the folder"),
        ("\ud800", "there is no directory '\\ud800' in the folder"),
        ("n" * 300, f"there is no directory '{'n' * 300}' in the folder"),
    ],
)
def test_every_other_path_is_refused(root, relative, why):
    """With a reason that a caller can act on."""
    (root / "out").symlink_to("../outside")
    (root / "beside").symlink_to("../root-too")
    (root / "absolute").symlink_to("/")
    (root / "loop").symlink_to("loop")
    (root / "dangling").symlink_to("nowhere")
    with pytest.raises(NotConfined) as caught:
        ConfinedFolder(str(root)).directory(relative)
    assert str(caught.value) == why


def test_the_folder_must_exist(tmp_path):
    """A file is none."""
    (tmp_path / "file").touch()
    for name in ("none", "file"):
        with pytest.raises(NotConfined, match=f"{name}' is not a directory$"):
            ConfinedFolder(str(tmp_path / name))


def test_the_folder_may_itself_be_reached_by_a_link(root, tmp_path):
    """Its own path is resolved once, when it is set up."""
    (tmp_path / "link").symlink_to("root")
    folder = ConfinedFolder(str(tmp_path / "link"))
    assert folder.path == str(root)
    assert read(folder, "a", "file") == b"inside"


def test_the_whole_file_system_can_be_the_folder():
    """The root of everything is a folder like another."""
    assert ConfinedFolder("/").directory("etc") == ("etc",)


def test_a_directory_that_was_replaced_by_a_link_is_not_entered(root):
    """The race between the check and the opening is lost by whoever tries it."""
    folder = ConfinedFolder(str(root))
    names = folder.directory("a")
    os.rename(root / "a", root / "old")
    (root / "a").symlink_to("../outside")
    with pytest.raises(NotADirectoryError), folder.open_directory(names):
        raise AssertionError
    with pytest.raises(NotADirectoryError):
        read(folder, "a", "secret")


def test_a_file_that_was_replaced_by_a_link_is_not_opened(root):
    """Wherever the link leads."""
    folder = ConfinedFolder(str(root))
    os.rename(root / "a" / "file", root / "a" / "old")
    (root / "a" / "file").symlink_to("../../outside/secret")
    with pytest.raises(NotRegular, match=r"^not a regular file$"):
        read(folder, "a", "file")


def test_a_link_that_appears_between_look_and_opening_is_not_followed(root, monkeypatch):
    """O_NOFOLLOW holds where the look came too early."""
    folder = ConfinedFolder(str(root))
    real_stat = os.stat

    def then_replaced(name, **options):
        found = real_stat(name, **options)
        os.rename(root / "a" / "file", root / "a" / "old")
        (root / "a" / "file").symlink_to("../../outside/secret")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", then_replaced)
        with pytest.raises(OSError, match="symbolic link"):
            read(folder, "a", "file")


def test_a_fifo_that_appears_between_look_and_opening_does_not_block(root, monkeypatch):
    """O_NONBLOCK returns, and the second look refuses."""
    folder = ConfinedFolder(str(root))
    real_stat = os.stat

    def then_replaced(name, **options):
        found = real_stat(name, **options)
        os.unlink(root / "a" / "file")
        os.mkfifo(root / "a" / "file")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", then_replaced)
        with pytest.raises(NotRegular):
            read(folder, "a", "file")


def test_special_files_are_not_opened(root, monkeypatch):
    """A FIFO, a socket and a directory are refused before they are opened."""
    os.mkfifo(root / "fifo")
    monkeypatch.chdir(root)  # a socket's path is short
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.close()
    folder = ConfinedFolder(str(root))
    for name in ("fifo", "socket", "a"):
        with pytest.raises(NotRegular, match=r"^not a regular file$"):
            read(folder, name)


def test_no_descriptor_is_left_open(root):
    """Neither by what works nor by what fails."""
    folder = ConfinedFolder(str(root))
    before = open_descriptors()
    read(folder, "a", "file")
    with folder.open_directory(("a", "b")):
        pass
    for names in (("none",), ("a", "none", "x"), ("a", "b")):
        with pytest.raises(OSError, match=r".+"):
            read(folder, *names)
    assert open_descriptors() == before
