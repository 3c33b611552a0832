"""The tasks that can be started by name: built-in tasks, the user's tasks, installed tasks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from app.config import InvalidSettings, Settings
from app.errors import BadRequest
from app.tasks.base import BaseTask
from app.tasks.builtin.confined_path import ConfinedFolder, NotConfined
from app.tasks.builtin.demo_task import DemoTask
from app.tasks.builtin.digest_tree import DigestTree
from app.tasks.builtin.failing_task import FailingTask
from gateway_shim.log_lines.safe_text import describe, text_of

__all__ = ["ENTRY_POINT_GROUP", "TaskRegistry"]

ENTRY_POINT_GROUP = "app.tasks"
"""The group of entry points in which installed packages name their tasks."""


def _installed() -> Iterable[EntryPoint]:
    return entry_points(group=ENTRY_POINT_GROUP)


class TaskRegistry:
    """The task types by name.

    ``digest_tree`` is offered only if ``TASK_FILES_ROOT`` names the folder that it may read.

    Args:
        settings: the settings; ``app_tasks`` and ``task_files_root`` are used.
        installed: finds the entry points of installed packages.

    Raises:
        InvalidSettings: a task cannot be offered; the message names the task and the problem.
    """

    def __init__(
        self, settings: Settings, installed: Callable[[], Iterable[EntryPoint]] = _installed
    ) -> None:
        self._makers: dict[str, Callable[[], BaseTask]] = {}
        self._offer(DemoTask.name, DemoTask, "built in")
        self._offer(FailingTask.name, FailingTask, "built in")
        if settings.task_files_root is not None:
            self._offer(DigestTree.name, _digest_tree_maker(settings.task_files_root), "built in")
        for entry in filter(None, map(str.strip, settings.app_tasks.split(","))):
            task_class = _import_task(entry, "APP_TASKS")
            self._offer(task_class.name, task_class, f"APP_TASKS: {entry}")
        for point in installed():
            source = f"entry point {point.name} of group {ENTRY_POINT_GROUP}"
            task_class = _import_task(point.value, source)
            self._offer(task_class.name, task_class, f"{source}: {point.value}")

    @property
    def names(self) -> list[str]:
        """The names of all task types, in alphabetical order."""
        return sorted(self._makers)

    def create(self, task_type: str, params: Mapping[str, Any]) -> tuple[BaseTask, dict[str, Any]]:
        """Make a task and validate its params. Pass both to ``TaskService.start_task``.

        Args:
            task_type: the name of a task type.
            params: the params as the caller sent them.

        Returns:
            The task, and the keyword arguments for its ``execute``.

        Raises:
            BadRequest: the name is unknown or the params are invalid; the message names the
                allowed names or params.
        """
        task = self.make(task_type)
        return task, task.validate_params(params)

    def make(self, task_type: str) -> BaseTask:
        """Make a task without params, for example to describe its type.

        Raises:
            BadRequest: the name is unknown; the message names the allowed names.
        """
        try:
            make = self._makers[task_type]
        except KeyError:
            raise BadRequest(
                f"Unknown task type: {task_type[:100]}; allowed: {', '.join(self.names)}"
            ) from None
        return make()

    def _offer(self, name: str, make: Callable[[], BaseTask], source: str) -> None:
        # The same class may be named twice, for example by its package and in APP_TASKS.
        if self._makers.setdefault(name, make) is not make:
            raise InvalidSettings(f"{source}: another task has the name {name} already")


def _digest_tree_maker(root: str) -> Callable[[], BaseTask]:
    try:
        folder = ConfinedFolder(root)
    except NotConfined as exc:
        raise InvalidSettings(f"TASK_FILES_ROOT: {exc}") from exc
    return lambda: DigestTree(folder)


def _import_task(reference: str, source: str) -> type[BaseTask]:
    """Import the task class that ``package.module:ClassName`` names.

    Args:
        reference: the name of the class.
        source: the setting or entry point that contains the name, for messages.

    Raises:
        InvalidSettings: the class does not exist, or is not a task that can be constructed.
    """

    def invalid(problem: str) -> InvalidSettings:
        return InvalidSettings(f"{source}: {reference!r}: {problem}")

    module_name, _, class_name = reference.partition(":")
    if not module_name or not class_name:
        raise invalid("must look like package.module:ClassName")
    try:
        found: Any = import_module(module_name)
    except (Exception, SystemExit) as exc:
        # An import runs foreign code, which may raise any exception. The message is one line.
        raise invalid(f"cannot be imported: {describe(exc)}") from exc
    try:
        for part in class_name.split("."):
            found = getattr(found, part)
    except AttributeError as exc:
        raise invalid(f"the module has no {class_name}") from exc
    if not (isinstance(found, type) and issubclass(found, BaseTask)):
        raise invalid("is not a subclass of app.tasks.base.BaseTask")
    if inspect.isabstract(found):
        missing = ", ".join(sorted(found.__abstractmethods__))
        raise invalid(f"lacks the method {missing}")
    try:
        inspect.signature(found).bind()
    except TypeError as exc:
        raise invalid(f"must be constructible without arguments: {text_of(exc)}") from exc
    return found
