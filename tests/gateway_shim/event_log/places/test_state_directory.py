"""Tests of the state directory: each fault is a message that says what to do."""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from zlib import crc32

import pytest

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.event_log.places.directory_lock import LOCK_FILE, DirectoryInUse, DirectoryLock
from gateway_shim.event_log.places.owner import Owner
from gateway_shim.event_log.places.state_directory import (
    check_state_directory,
    open_state_directory,
)

NOBODY = Owner(65534, 65534)
NOT_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture(name="user")
def fixture_user() -> Iterator[Owner]:
    """Run the test as a user without privileges, and yield that user."""
    if os.geteuid() != 0:
        yield Owner.of_this_process()
        return
    os.setegid(NOBODY.gid)
    os.seteuid(NOBODY.uid)
    try:
        yield NOBODY
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture(name="home")
def fixture_home(user: Owner) -> Iterator[Path]:
    """Make a folder that this user owns, and in which the state directory will be."""
    folder = Path(tempfile.mkdtemp())
    yield folder
    shutil.rmtree(folder)


def problems(directory: Path, owner: Owner) -> str:
    """Return why a directory is refused, which is the same for a check and for a start."""
    found = []
    uses: list[Callable[[], object]] = [
        lambda: check_state_directory(directory),
        lambda: open_state_directory(directory, owner),
    ]
    for use in uses:
        with pytest.raises(InvalidConfiguration) as caught:
            use()
        found.append(str(caught.value))
    assert found[0] == found[1]
    return found[0]


def test_a_missing_directory_is_made(home: Path, user: Owner) -> None:
    """A start makes the directory for its owner only; a check makes nothing."""
    directory = home / "state"
    check_state_directory(directory)
    assert not directory.exists()
    lock = open_state_directory(directory, user)
    assert directory.stat().st_mode & 0o7777 == 0o700
    assert os.listdir(directory) == [LOCK_FILE]
    lock.close()


def test_a_restart_uses_the_same_directory(home: Path, user: Owner) -> None:
    """Whatever this program has left in the directory is no reason to refuse it."""
    open_state_directory(home / "state", user).close()
    (home / "state" / "log").mkdir()
    (home / "state" / "log" / "segment").touch()
    check_state_directory(home / "state")
    open_state_directory(home / "state", user).close()


def test_the_directory_of_a_running_server(home: Path, user: Owner) -> None:
    """A second start is refused with the process id; a check, as before a reload, is not."""
    lock = open_state_directory(home / "state", user)
    with pytest.raises(DirectoryInUse, match=f"process id {os.getpid()};"):
        open_state_directory(home / "state", user)
    check_state_directory(home / "state")
    lock.close()


def test_other_users_may_no_longer_read(home: Path, user: Owner) -> None:
    """The mode of systemd's StateDirectory=, 0755, becomes 0700, because events are private."""
    home.chmod(0o755)
    check_state_directory(home)
    assert home.stat().st_mode & 0o777 == 0o755
    open_state_directory(home, user).close()
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_link_to_a_directory(home: Path, user: Owner) -> None:
    """The directory may be a link, as with systemd's DynamicUser=."""
    (home / "private").mkdir(mode=0o700)
    (home / "link").symlink_to(home / "private")
    check_state_directory(home / "link")
    open_state_directory(home / "link", user).close()
    assert (home / "private" / LOCK_FILE).exists()


# ------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_others_can_write(home: Path, user: Owner, mode: int) -> None:
    """A directory that others can write to may hold forged events."""
    home.chmod(mode)
    assert problems(home, user) == (
        f"other users can write to {home} (mode {mode:04o}); run chmod 700 on it, or name a"
        " directory in it that does not exist yet"
    )


def test_not_a_directory(home: Path, user: Owner) -> None:
    """A file is refused, and stays as it is."""
    (home / "file").write_text("text")
    assert problems(home / "file", user) == f"{home}/file is not a directory; name a directory"
    assert (home / "file").read_text() == "text"
    assert problems(home / "file" / "state", user) == (
        f"there is no directory {home}/file; make it"
    )


def test_files_of_another_program(home: Path, user: Owner) -> None:
    """A directory with other files, and without the lock's file, is not ours."""
    (home / "b.txt").touch()
    (home / "a.txt").touch()
    assert problems(home, user) == (
        f"{home} holds files of another program, such as 'a.txt'; name an empty directory, or one"
        " that does not exist yet"
    )
    assert sorted(os.listdir(home)) == ["a.txt", "b.txt"]


def test_emptied_while_a_server_ran(home: Path, user: Owner) -> None:
    """The folders that a running server has made again do not keep it from its next start."""
    (home / "log").mkdir(mode=0o700)
    (home / "backend").mkdir(mode=0o700)
    check_state_directory(home)
    open_state_directory(home, user).close()
    assert LOCK_FILE in os.listdir(home)


def test_no_parent(home: Path, user: Owner) -> None:
    """Only the last part of the path is made, so that a typing error makes no tree."""
    assert problems(home / "a" / "b", user) == f"there is no directory {home}/a; make it"
    assert os.listdir(home) == []


def test_a_broken_link(home: Path, user: Owner) -> None:
    """A link to nothing is refused."""
    (home / "link").symlink_to(home / "nothing")
    assert "is a link to a directory that does not exist" in problems(home / "link", user)


def test_a_parent_that_cannot_be_written_to(home: Path, user: Owner) -> None:
    """The message says who needs the right."""
    home.chmod(0o500)
    assert problems(home / "state", user) == (
        f"{home}/state does not exist and cannot be made, because user id {user.uid} cannot write"
        f" to {home}; make {home}/state, with this user as its owner"
    )
    home.chmod(0o700)


def test_a_directory_that_cannot_be_written_to(home: Path, user: Owner) -> None:
    """The owner may have taken his own right to write away."""
    (home / "state").mkdir(mode=0o500)
    with pytest.raises(InvalidConfiguration, match="cannot be written to by user id"):
        check_state_directory(home / "state")
    with pytest.raises(InvalidConfiguration, match="cannot be used: Permission denied; name a"):
        open_state_directory(home / "state", user)


def test_a_directory_that_cannot_be_entered(home: Path, user: Owner) -> None:
    """A right that is missing on the way is reported as the system names it."""
    (home / "a" / "state").mkdir(parents=True)
    (home / "a").chmod(0)
    assert "cannot be used: Permission denied; name a directory" in problems(
        home / "a" / "state", user
    )
    (home / "a").chmod(0o700)


@pytest.mark.parametrize("name", ["made", "missing"])
def test_a_read_only_file_system(
    monkeypatch: pytest.MonkeyPatch, home: Path, user: Owner, name: str
) -> None:
    """The message helps where systemd makes everything read-only."""
    (home / "made").mkdir(mode=0o700)
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_flag=os.ST_RDONLY))
    read_only = home / "made" if name == "made" else home
    assert problems(home / name, user) == (
        f"{read_only} is on a read-only file system; name a directory that can be written to. With"
        " systemd's ProtectSystem=, this is the one of StateDirectory="
    )


def test_another_error_of_the_system(
    monkeypatch: pytest.MonkeyPatch, home: Path, user: Owner
) -> None:
    """The system's reason is in the message."""

    def refuse(path: Path) -> DirectoryLock:
        raise OSError(37, "No locks available", str(path))

    monkeypatch.setattr(f"{open_state_directory.__module__}.DirectoryLock", refuse)
    with pytest.raises(InvalidConfiguration, match="cannot be used: No locks available; name a"):
        open_state_directory(home, user)


def test_the_log_of_a_newer_version(home: Path, user: Owner) -> None:
    """An older version neither reads nor removes the log of a newer one."""
    open_state_directory(home / "state", user).close()
    log = home / "state" / "log"
    log.mkdir(mode=0o700)
    start = b"SSE-LOG\n" + struct.pack("<I", 99)
    head = (start + struct.pack("<I", crc32(start))).ljust(4096, b"\0")
    (log / "head").write_bytes(head)
    message = problems(home / "state", user)
    assert message.startswith(f"the log in {log} cannot be used: a newer version of this program")
    assert (log / "head").read_bytes() == head


def test_the_log_of_another_user_group(home: Path, user: Owner) -> None:
    """The directory of the log is checked like the state directory itself."""
    open_state_directory(home / "state", user).close()
    (home / "state" / "log").mkdir()
    (home / "state" / "log").chmod(0o770)
    assert "could forge events" in problems(home / "state", user)


@pytest.mark.parametrize("content", [b"", b"x" * 4096])
def test_a_damaged_log(home: Path, user: Owner, content: bytes) -> None:
    """A damaged log is no reason to refuse the start: the worker begins a new epoch."""
    open_state_directory(home / "state", user).close()
    (home / "state" / "log").mkdir(mode=0o700)
    (home / "state" / "log" / "head").write_bytes(content)
    check_state_directory(home / "state")
    open_state_directory(home / "state", user).close()


@NOT_ROOT
def test_another_owner(home: Path, user: Owner) -> None:
    """A directory of another user is refused with both user ids."""
    os.seteuid(0)
    os.chown(home, 12345, 12345)
    home.chmod(0o755)
    os.seteuid(NOBODY.uid)
    assert problems(home, user) == (
        f"{home} belongs to user id 12345, but the server runs as user id {user.uid}; change the"
        " owner, or name a directory that does not exist yet"
    )
    os.seteuid(0)


@NOT_ROOT
def test_the_workers_run_as_another_user(tmp_path: Path) -> None:
    """With gunicorn's ``--user``, root makes the directory for that user, and checks it for it."""
    directory = tmp_path / "state"
    open_state_directory(directory, NOBODY).close()
    assert (directory.stat().st_uid, directory.stat().st_gid) == NOBODY
    check_state_directory(directory)  # root does not know the option
    open_state_directory(directory, NOBODY).close()
    with pytest.raises(InvalidConfiguration, match=r"belongs to user id 65534, but .* user id 0;"):
        open_state_directory(directory, Owner.of_this_process())
