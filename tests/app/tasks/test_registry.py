"""TaskRegistry: the offered tasks, and the errors of tasks that cannot be offered."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from pydantic import BaseModel

from app.config import InvalidSettings, Settings
from app.errors import BadRequest
from app.tasks.base import BaseTask, TaskProgressHandle
from app.tasks.builtin.demo_task import DemoTask
from app.tasks.builtin.digest_tree import DigestTree
from app.tasks.registry import ENTRY_POINT_GROUP, TaskRegistry

HERE = __name__


class Count(BaseTask):
    """A task of a user."""

    class Nested(BaseTask):
        """A task inside a class."""

        def execute(self, progress_handle: TaskProgressHandle) -> BaseModel:  # type: ignore[override]
            """Raise an error, because no test calls this."""
            raise NotImplementedError

    def execute(  # type: ignore[override]
        self, progress_handle: TaskProgressHandle, *, number: int = 1
    ) -> BaseModel:
        """Not called here."""
        raise NotImplementedError


class Demanding(Count):
    """A task that cannot be constructed without arguments."""

    def __init__(self, need: object) -> None:
        raise NotImplementedError


class Unfinished(BaseTask):
    """A task without ``execute``."""


class Rival(Count):
    """A task whose name is used already."""

    name = "demo_task"


def registry(
    app_tasks: str = "", root: str | None = None, installed: Iterable[EntryPoint] = ()
) -> TaskRegistry:
    """Make a registry with these settings and installed tasks."""
    settings = Settings(_env_file=None, app_tasks=app_tasks, task_files_root=root)
    return TaskRegistry(settings, lambda: installed)


def test_the_demonstration_tasks_are_always_offered() -> None:
    """Without a folder, ``digest_tree`` is not offered."""
    assert registry().names == ["demo_task", "failing_task"]


def test_digest_tree_is_offered_with_a_folder(tmp_path: Path) -> None:
    """With a folder, ``digest_tree`` is offered and confined to it."""
    (tmp_path / "below").mkdir()
    offered = registry(root=str(tmp_path))
    assert offered.names == ["demo_task", "digest_tree", "failing_task"]
    task, params = offered.create("digest_tree", {"path": "below"})
    assert (type(task), params) == (DigestTree, {"path": "below"})


def test_a_missing_folder_is_an_invalid_setting(tmp_path: Path) -> None:
    """A missing folder is an invalid setting, and is reported at the start."""
    with pytest.raises(InvalidSettings, match=r"^TASK_FILES_ROOT: '.*/none' is not a directory$"):
        registry(root=str(tmp_path / "none"))


def test_the_users_tasks_are_offered() -> None:
    """APP_TASKS may name several tasks, with spaces and a trailing comma."""
    offered = registry(app_tasks=f" {HERE}:Count , {HERE}:Count.Nested,")
    assert offered.names == ["count", "demo_task", "failing_task", "nested"]
    task, params = offered.create("count", {"number": 2})
    assert (type(task), params) == (Count, {"number": 2})


def test_each_start_gets_a_task_of_its_own() -> None:
    """Each start gets a new instance of the task."""
    offered = registry()
    first, second = (offered.create("demo_task", {})[0] for _ in range(2))
    assert type(first) is type(second) is DemoTask
    assert first is not second


def test_installed_tasks_are_offered() -> None:
    """An installed task is offered, even if APP_TASKS names the same class."""
    point = EntryPoint("anything", f"{HERE}:Count", ENTRY_POINT_GROUP)
    assert "count" in registry(installed=[point]).names
    assert "count" in registry(app_tasks=f"{HERE}:Count", installed=[point]).names


def test_entry_points_are_read_by_default() -> None:
    """By default, the entry points of all installed packages are read."""
    assert "demo_task" in TaskRegistry(Settings(_env_file=None)).names


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("nothing", "must look like package.module:ClassName"),
        ("module:", "must look like package.module:ClassName"),
        (":Count", "must look like package.module:ClassName"),
        (
            "no.such:Count",
            "cannot be imported: ModuleNotFoundError: No module named 'no'",
        ),
        ("json:NoSuch", "the module has no NoSuch"),
        ("json:loads", "is not a subclass of app.tasks.base.BaseTask"),
        ("json:JSONDecoder", "is not a subclass of app.tasks.base.BaseTask"),
        (f"{HERE}:Unfinished", "lacks the method execute"),
        (
            f"{HERE}:Demanding",
            "must be constructible without arguments: missing a required argument: 'need'",
        ),
    ],
)
def test_an_invalid_task_is_one_clear_error(entry: str, why: str) -> None:
    """An invalid task is one error with the setting, the entry and the reason."""
    with pytest.raises(InvalidSettings) as caught:
        registry(app_tasks=entry)
    assert str(caught.value) == f"APP_TASKS: {entry!r}: {why}"
    with pytest.raises(InvalidSettings) as caught:
        registry(installed=[EntryPoint("mine", entry, ENTRY_POINT_GROUP)])
    assert str(caught.value) == f"entry point mine of group app.tasks: {entry!r}: {why}"


def test_a_module_that_raises_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any exception of an import is one error."""
    (tmp_path / "broken_tasks.py").write_text(
        textwrap.dedent(
            """
            raise OSError("no licence")
            """
        )
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(InvalidSettings) as caught:
        registry(app_tasks="broken_tasks:Task")
    assert str(caught.value) == (
        "APP_TASKS: 'broken_tasks:Task': cannot be imported: OSError: no licence"
    )


def test_an_exception_that_hides_its_name_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that hides its class name is one error, too."""
    text = "from tests.support.hostile_objects import Nameless\nraise Nameless('no licence')\n"
    (tmp_path / "nameless_tasks.py").write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(InvalidSettings, match=r"cannot be imported: Nameless: no licence$"):
        registry(app_tasks="nameless_tasks:Task")


def test_a_name_can_be_taken_once() -> None:
    """Two tasks with the same name are an error that names the second one."""
    with pytest.raises(InvalidSettings) as caught:
        registry(app_tasks=f"{HERE}:Rival")
    assert str(caught.value) == (
        f"APP_TASKS: {HERE}:Rival: another task has the name demo_task already"
    )


def test_an_unknown_type() -> None:
    """The error of an unknown name lists the allowed names, and is bounded."""
    with pytest.raises(BadRequest) as caught:
        registry().create("x" * 1000, {})
    assert caught.value.message == (
        f"Unknown task type: {'x' * 100}; allowed: demo_task, failing_task"
    )


def test_invalid_params() -> None:
    """Invalid params are refused before the task starts."""
    with pytest.raises(BadRequest, match=r"^Invalid params for demo_task; allowed: steps, delay$"):
        registry().create("demo_task", {"stepz": 1})
