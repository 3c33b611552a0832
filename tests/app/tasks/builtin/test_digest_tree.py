"""``digest_tree``: correct digests, progress by bytes, and no way out of the folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from app.errors import BadRequest
from app.tasks.base import TaskCancelled, TaskProgressHandle
from app.tasks.builtin import digest_tree, file_tree
from app.tasks.builtin.confined_path import ConfinedFolder, NotConfined
from app.tasks.builtin.digest_tree import DigestTree, DigestTreeResult
from app.tasks.builtin.file_tree import FileTree
from tests.app.tasks.builtin.sink import Sink
from tests.app.tasks.task_support import Clock, RecordedTasks


def sha(content: bytes) -> str:
    """Return the expected digest."""
    return hashlib.sha256(content).hexdigest()


def make(tmp_path: Path, clock: Clock | None = None) -> DigestTree:
    """Make a task for a folder."""
    return DigestTree(ConfinedFolder(str(tmp_path)), clock or Clock())


def run(
    tmp_path: Path, path: str = ".", clock: Clock | None = None, sink: Sink | None = None
) -> DigestTreeResult:
    """Run a task for a path."""
    task = make(tmp_path, clock)
    return task.execute(TaskProgressHandle(sink or Sink()), **task.validate_params({"path": path}))


def test_every_file_is_digested(tmp_path: Path) -> None:
    """Every file is digested, with its path relative to the requested directory."""
    contents = {"a/b/c.bin": b"x" * 3_000_000, "a/empty": b"", "a/é": b"1", "beside": b"no"}
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert run(tmp_path, "a") == DigestTreeResult(
        files={"b/c.bin": sha(b"x" * 3_000_000), "empty": sha(b""), "é": sha(b"1")},
        file_count=3,
        total_bytes=3_000_001,
        seconds=0.0,
        skipped={},
    )


def test_an_empty_directory_has_no_digests(tmp_path: Path) -> None:
    """An empty directory has an empty result."""
    sink = Sink()
    assert run(tmp_path, sink=sink).model_dump() == {
        "success": True,
        "error_message": None,
        "files": {},
        "file_count": 0,
        "total_bytes": 0,
        "seconds": 0.0,
        "skipped": {},
    }
    assert sink.items == [("Looking for files", 0.0), ("Digested 0 of 0 files", 1.0)]


def test_progress_counts_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block is reported if the interval has passed."""
    monkeypatch.setattr(digest_tree, "BLOCK_BYTES", 10)
    (tmp_path / "a").write_bytes(b"a" * 30)
    (tmp_path / "b").write_bytes(b"b" * 10)
    clock, sink = Clock(), Sink()

    class Slow(Clock):
        def __call__(self) -> float:
            clock.now += 0.05
            return clock.now

    result = run(tmp_path, clock=Slow(), sink=sink)
    assert sink.items == [
        ("Looking for files", 0.0),
        ("File 1 of 2: a", 0.0),
        ("File 1 of 2: a", 0.25),
        ("File 1 of 2: a", 0.5),
        ("File 1 of 2: a", 0.75),
        ("File 2 of 2: b", 0.75),
        ("File 2 of 2: b", 1.0),
        ("Digested 2 of 2 files", 1.0),
    ]
    assert result.seconds == pytest.approx(0.4)


def test_progress_comes_at_most_twenty_times_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand blocks in a second give about twenty updates."""
    monkeypatch.setattr(digest_tree, "BLOCK_BYTES", 1)
    (tmp_path / "a").write_bytes(b"a" * 1000)
    sink = Sink()

    class Ticking(Clock):
        def __call__(self) -> float:
            self.now += 0.001
            return self.now

    run(tmp_path, clock=Ticking(), sink=sink)
    assert 15 <= len(sink.items) <= 22
    assert [value for _, value in sink.items] == sorted(value for _, value in sink.items)


def test_empty_files_are_progress_too(tmp_path: Path) -> None:
    """Progress of empty files does not divide by zero."""
    (tmp_path / "a").touch()
    sink = Sink()

    class Slow(Clock):
        def __call__(self) -> float:
            self.now += 1.0
            return self.now

    assert run(tmp_path, clock=Slow(), sink=sink).files == {"a": sha(b"")}
    assert sink.items[1] == ("File 1 of 1: a", 0.0)


def test_skipped_files_are_listed_with_their_reasons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links, special files and unreadable files are listed, and all others are digested."""
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "ok").write_bytes(b"ok")
    (tmp_path / "dir" / "unreadable").write_bytes(b"no")
    (tmp_path / "dir" / "out").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "dir" / "fifo")
    real_open = os.open

    def deny(path: str, flags: int, *args: Any, **options: Any) -> int:
        if path == "unreadable":  # the tests may run as root, who may read everything
            raise PermissionError(13, "Permission denied", path)
        return real_open(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", deny)
    result = run(tmp_path, "dir")
    assert result.files == {"ok": sha(b"ok")}
    assert result.skipped == {
        "fifo": "not a regular file",
        "out": "symbolic link, not followed",
        "unreadable": "Permission denied",
    }
    assert list(result.skipped) == sorted(result.skipped)


def test_a_file_that_vanishes_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is removed after it was found is listed as skipped."""
    (tmp_path / "a").write_bytes(b"a")
    real = file_tree.scan

    def scan(*args: Any) -> FileTree:
        tree = real(*args)
        (tmp_path / "a").unlink()
        return tree

    monkeypatch.setattr(digest_tree, "scan", scan)
    result = run(tmp_path)
    assert (result.files, result.skipped) == ({}, {"a": "No such file or directory"})


@pytest.mark.parametrize("now", [b"", b"shorter", b"much longer than it was"])
def test_a_file_that_changes_size_is_digested_as_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: bytes
) -> None:
    """A file that changes its size is digested as it is read, and its progress stays in range."""
    (tmp_path / "a").write_bytes(b"as it was found")
    real = file_tree.scan

    def scan(*args: Any) -> FileTree:
        tree = real(*args)
        (tmp_path / "a").write_bytes(now)
        return tree

    monkeypatch.setattr(digest_tree, "scan", scan)
    sink = Sink()

    class Slow(Clock):
        def __call__(self) -> float:
            self.now += 1.0
            return self.now

    result = run(tmp_path, clock=Slow(), sink=sink)
    assert (result.files, result.total_bytes) == ({"a": sha(now)}, len(now))
    assert all(0.0 <= value <= 1.0 for _, value in sink.items)


def test_a_name_that_is_not_utf8_is_shown_with_its_bytes(tmp_path: Path) -> None:
    """The result is valid JSON even if a name is not UTF-8."""
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9"), "wb") as file:
        file.write(b"x")
    result = run(tmp_path)
    assert result.files == {"caf\\xe9": sha(b"x")}
    assert "caf" in result.model_dump_json()


def test_a_cancelled_task_leaves_at_the_next_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled task stops at the next block, or while it looks for files."""
    monkeypatch.setattr(digest_tree, "BLOCK_BYTES", 1)
    (tmp_path / "a").write_bytes(b"a" * 1000)
    reads: list[object] = []
    real_read = os.read

    class Closing(Sink):
        closed_after = 3

        @property
        def closed(self) -> bool:
            return len(reads) >= self.closed_after

        @closed.setter
        def closed(self, value: float) -> None:
            """Ignore it."""

    def read(*args: Any) -> bytes:
        reads.append(args)
        return real_read(*args)

    monkeypatch.setattr(os, "read", read)
    with pytest.raises(TaskCancelled):
        run(tmp_path, sink=Closing())
    assert len(reads) == 3
    Closing.closed_after = 0
    with pytest.raises(TaskCancelled):
        run(tmp_path, sink=Closing())
    assert len(reads) == 3


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("..", "the path must not contain '..'"),
        ("a/../..", "the path must not contain '..'"),
        ("/etc", "the path must be relative to the folder, not absolute"),
        ("out", "the path leads out of the folder through a symbolic link"),
        ("file", "there is no directory 'file' in the folder"),
        ("none", "there is no directory 'none' in the folder"),
        ("", "the path must be the name of a directory; '.' is the folder itself"),
    ],
)
def test_a_path_that_leads_out_is_refused_at_the_start(tmp_path: Path, path: str, why: str) -> None:
    """A path that is not allowed is a 400 with the reason."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").touch()
    (root / "out").symlink_to("..")
    with pytest.raises(BadRequest) as caught:
        make(root).validate_params({"path": path})
    assert caught.value.message == (
        f"Invalid params for digest_tree: {why}; name a directory relative to TASK_FILES_ROOT"
    )
    assert caught.value.details == [{"loc": ["path"], "msg": why, "type": "not_confined"}]


@pytest.mark.parametrize("params", [{}, {"path": 1}, {"path": "x" * 5000}, {"path": ".", "y": 1}])
def test_params_of_another_shape_are_refused(tmp_path: Path, params: dict[str, Any]) -> None:
    """Invalid params are refused with the allowed params."""
    with pytest.raises(BadRequest, match=r"^Invalid params for digest_tree; allowed: path"):
        make(tmp_path).validate_params(params)


def test_a_path_that_leads_out_after_the_check_is_not_read(tmp_path: Path) -> None:
    """A path that leads out of the folder after the check is not read."""
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    task = make(root)
    params = task.validate_params({"path": "a"})
    (root / "a").rmdir()
    (root / "a").symlink_to("..")
    with pytest.raises(NotConfined):
        task.execute(TaskProgressHandle(Sink()), **params)


def test_it_runs_on_a_native_thread_of_the_task_service(tmp_path: Path) -> None:
    """The task service runs the task and broadcasts its whole result."""
    for number in range(300):
        (tmp_path / f"{number:03}").write_bytes(str(number).encode())
    tasks = RecordedTasks()
    task = DigestTree(ConfinedFolder(str(tmp_path)))
    tasks.run(task, **task.validate_params({"path": "."}))
    assert tasks.sender.types("t1")[0] == "task_started"
    event_type, data = tasks.sender.last("t1")
    assert (event_type, data["file_count"], data["total_bytes"]) == ("task_completed", 300, 790)
    assert data["files"] == {f"{n:03}": sha(str(n).encode()) for n in range(300)}
