"""ConfinedFolder: no path leads out of the folder."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.tasks.builtin.confined_path import ConfinedFolder, NotConfined, NotRegular


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Create a folder with a tree in it, and a secret file beside it."""
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "file").write_bytes(b"inside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    (tmp_path / "root-too").mkdir()
    return root


def read(folder: ConfinedFolder, *names: str) -> bytes:
    """Read a file through the folder."""
    with folder.open_file(names) as descriptor:
        return os.read(descriptor, 100)


def open_descriptors() -> dict[str, str]:
    """Return the open descriptors of this process, and the file of each."""
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
def test_directories_inside_are_allowed(root: Path, relative: str, names: tuple[str, ...]) -> None:
    """Links inside the folder are allowed, and are resolved in the result."""
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
def test_every_other_path_is_refused(root: Path, relative: str, why: str) -> None:
    """A path that is not allowed is refused with the reason."""
    (root / "out").symlink_to("../outside")
    (root / "beside").symlink_to("../root-too")
    (root / "absolute").symlink_to("/")
    (root / "loop").symlink_to("loop")
    (root / "dangling").symlink_to("nowhere")
    with pytest.raises(NotConfined) as caught:
        ConfinedFolder(str(root)).directory(relative)
    assert str(caught.value) == why


def test_the_folder_must_exist(tmp_path: Path) -> None:
    """A missing folder, or a file, is refused."""
    (tmp_path / "file").touch()
    for name in ("none", "file"):
        with pytest.raises(NotConfined, match=f"{name}' is not a directory$"):
            ConfinedFolder(str(tmp_path / name))


def test_the_folder_may_itself_be_reached_by_a_link(root: Path, tmp_path: Path) -> None:
    """The path of the folder itself is resolved once, at the start."""
    (tmp_path / "link").symlink_to("root")
    folder = ConfinedFolder(str(tmp_path / "link"))
    assert folder.path == str(root)
    assert read(folder, "a", "file") == b"inside"


def test_the_whole_file_system_can_be_the_folder() -> None:
    """The root of the file system can be the folder."""
    assert ConfinedFolder("/").directory("etc") == ("etc",)


def test_a_directory_that_was_replaced_by_a_link_is_not_entered(root: Path) -> None:
    """A directory that becomes a link after the check is not opened."""
    folder = ConfinedFolder(str(root))
    names = folder.directory("a")
    os.rename(root / "a", root / "old")
    (root / "a").symlink_to("../outside")
    with pytest.raises(NotADirectoryError), folder.open_directory(names):
        raise AssertionError
    with pytest.raises(NotADirectoryError):
        read(folder, "a", "secret")


def test_a_file_that_was_replaced_by_a_link_is_not_opened(root: Path) -> None:
    """A file that becomes a link is not opened."""
    folder = ConfinedFolder(str(root))
    os.rename(root / "a" / "file", root / "a" / "old")
    (root / "a" / "file").symlink_to("../../outside/secret")
    with pytest.raises(NotRegular, match=r"^not a regular file$"):
        read(folder, "a", "file")


def test_a_link_that_appears_between_look_and_opening_is_not_followed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that becomes a link after the look is not opened: O_NOFOLLOW."""
    folder = ConfinedFolder(str(root))
    real_stat = os.stat

    def then_replaced(name: str, **options: Any) -> os.stat_result:
        found = real_stat(name, **options)
        os.rename(root / "a" / "file", root / "a" / "old")
        (root / "a" / "file").symlink_to("../../outside/secret")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", then_replaced)
        with pytest.raises(OSError, match="symbolic link"):
            read(folder, "a", "file")


def test_a_fifo_that_appears_between_look_and_opening_does_not_block(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that becomes a FIFO after the look does not block: O_NONBLOCK."""
    folder = ConfinedFolder(str(root))
    real_stat = os.stat

    def then_replaced(name: str, **options: Any) -> os.stat_result:
        found = real_stat(name, **options)
        os.unlink(root / "a" / "file")
        os.mkfifo(root / "a" / "file")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", then_replaced)
        with pytest.raises(NotRegular):
            read(folder, "a", "file")


def test_special_files_are_not_opened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_no_descriptor_is_left_open(root: Path) -> None:
    """Successful and failed calls close all their descriptors."""
    folder = ConfinedFolder(str(root))
    before = open_descriptors()
    read(folder, "a", "file")
    with folder.open_directory(("a", "b")):
        pass
    for names in (("none",), ("a", "none", "x"), ("a", "b")):
        with pytest.raises(OSError, match=r".+"):
            read(folder, *names)
    assert open_descriptors() == before
