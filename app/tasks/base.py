"""The base class of all tasks, and the handle that a task reports its progress with.

To write a task, subclass :class:`BaseTask` and return a pydantic model from ``execute``::

    class CountWords(BaseTask):
        params_model = CountWordsParams

        def execute(self, progress_handle, *, text):
            progress_handle.send_progress("counting", 0.5)
            return WordCount(words=len(text.split()))

Name the class in ``APP_TASKS``, and clients can start the task as ``count_words``.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, get_type_hints

from pydantic import BaseModel, PydanticUserError, TypeAdapter, ValidationError

from app.errors import BadRequest, validation_details
from app.schemas.task_schema import TaskProgress
from gateway_shim.log_lines.safe_text import class_name, text_of

__all__ = [
    "MAX_PROGRESS_TEXT",
    "BaseTask",
    "ProgressSink",
    "TaskCancelled",
    "TaskProgressHandle",
    "escape_surrogates",
]

MAX_PROGRESS_TEXT = 1000
"""The kept length of a progress text, characters: the text is broadcast to every browser."""

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class TaskCancelled(BaseException):
    """Raised inside a task that must stop, because it was cancelled, timed out, or is over.

    This is a ``BaseException``, so that a task's own ``except Exception`` does not catch it. A task
    may raise it, too, and then ends as ``cancelled``.
    """


class ProgressSink(Protocol):
    """The receiver of a handle's progress."""

    @property
    def closed(self) -> bool:
        """True if no update is accepted any more, because the task is over or must stop."""
        ...

    def put(self, progress: TaskProgress) -> None:
        """Accept one update; this may wait for room.

        Raises:
            TaskCancelled: the sink is closed.
        """
        ...


class TaskProgressHandle:
    """The handle that a running task reports its progress with. The task service makes it.

    Updates arrive in the order of the calls. If a task reports faster than the updates can be sent,
    the call waits; no update is dropped. Call the methods from the thread that ``execute`` runs on.

    Args:
        sink: receives the updates.
    """

    def __init__(self, sink: ProgressSink) -> None:
        self._sink = sink
        self._last = TaskProgress()

    @property
    def cancelled(self) -> bool:
        """True if the task must stop. A ``cpu_bound`` task checks this in its inner loop."""
        return self._sink.closed

    def raise_if_cancelled(self) -> None:
        """Raise an exception that ends the task if the task must stop.

        Raises:
            TaskCancelled: the task must stop.
        """
        if self.cancelled:
            raise TaskCancelled("the task is over or must stop")

    def send_progress(self, text: str, value: float) -> None:
        """Report the present work of the task and the part of the work that is done.

        Args:
            text: the present work, for people; only the first 1000 characters are kept.
            value: the part that is done, 0.0 to 1.0; other values are moved into this range.

        Raises:
            TypeError: the text is not a string, or the value is not a number.
            ValueError: the value is NaN.
            TaskCancelled: the task must stop; do not catch this.
        """
        if not isinstance(text, str):
            raise TypeError(f"a progress text must be a str, not {class_name(text)}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"a progress value must be a number, not {class_name(value)}")
        if math.isnan(value):
            raise ValueError("a progress value must be from 0.0 to 1.0, not NaN")
        progress = TaskProgress(
            text=escape_surrogates(text[:MAX_PROGRESS_TEXT]), value=min(1.0, max(0.0, value))
        )
        self._last = progress
        self._sink.put(progress)

    def send_progress_text(self, text: str) -> None:
        """Report a new text with the last value; see :meth:`send_progress`."""
        self.send_progress(text, self._last.value)

    def send_progress_value(self, value: float) -> None:
        """Report a new value with the last text; see :meth:`send_progress`."""
        self.send_progress(self._last.text, value)


class BaseTask(ABC):
    """The base class of tasks. Each run of a task has its own instance.

    Class attributes:
        name: the name that clients start the task by; by default the class name in snake_case.
        cpu_bound: True for a task that computes or blocks in C code. The task then runs on a native
            thread, so that it does not block the streams. It cannot be killed there and stops only
            at its next call of the progress handle. So it must call the handle, or check
            ``progress_handle.cancelled``, at least every second. It must not use greenlets. It may
            run programs with ``subprocess``, as every task may, and it may use ``asyncio``, which
            is refused for other tasks. ``os.fork`` and ``multiprocessing`` are refused everywhere.
        params_model: the model that validates the params; its fields become the keyword arguments
            of :meth:`execute`. If it is None, the params are validated against the signature of
            :meth:`execute`: its names and annotations.
    """

    name: ClassVar[str]
    cpu_bound: ClassVar[bool] = False
    params_model: ClassVar[type[BaseModel] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give the subclass a name unless it defines one."""
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = _WORD_START.sub("_", cls.__name__).lower()

    @abstractmethod
    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> BaseModel:
        """Do the work of the task.

        Args:
            progress_handle: the handle to report progress with.
            kwargs: the params.

        Returns:
            A pydantic model, which is broadcast as the data of ``task_completed``.

        Raises:
            Exception: any exception; the task then fails with the exception's message as its error.
        """

    def validate_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Validate the params of a start. Override this to check more than a model can.

        Args:
            params: the params as the caller sent them.

        Returns:
            The keyword arguments for :meth:`execute`.

        Raises:
            BadRequest: the params are invalid; the message names the allowed params.
        """
        if self.params_model is None:
            return self._match_signature(params)
        try:
            return dict(self.params_model.model_validate(dict(params)))
        except ValidationError as exc:
            allowed = [
                f"{field.alias or name} (required)" if field.is_required() else field.alias or name
                for name, field in self.params_model.model_fields.items()
            ]
            raise self._bad_params(allowed, validation_details(exc)) from exc

    def _match_signature(self, params: Mapping[str, Any]) -> dict[str, Any]:
        signature = inspect.signature(self.execute)
        allowed = [
            f"{name} (required)" if parameter.default is parameter.empty else name
            for name, parameter in list(signature.parameters.items())[1:]
            if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
        try:
            signature.bind(None, **params)
        except TypeError as exc:
            raise self._bad_params(allowed, [{"msg": text_of(exc)}]) from exc
        types, checked, faults = _annotations(self.execute), dict(params), []
        for name in params.keys() & types.keys():
            try:
                checked[name] = types[name].validate_python(params[name])
            except ValidationError as exc:
                faults += [
                    {**fault, "loc": [name, *fault["loc"]]} for fault in validation_details(exc)
                ]
        if faults:
            raise self._bad_params(allowed, faults)
        return checked

    def _bad_params(self, allowed: list[str], details: list[dict[str, Any]]) -> BadRequest:
        return BadRequest(
            f"Invalid params for {self.name}; allowed: {', '.join(allowed) or 'none'}", details
        )


def _annotations(function: Callable[..., Any]) -> dict[str, TypeAdapter[Any]]:
    """Return a validator for each annotated parameter that pydantic can validate."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError:  # the annotations use names that only type checkers import
        return {}
    checks = {}
    for name, hint in hints.items():
        with contextlib.suppress(PydanticUserError):
            checks[name] = TypeAdapter(hint)
    return checks


def escape_surrogates(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot encode, by ``\\udcff`` escapes.

    Lone surrogates come from file names that are not UTF-8. An event with one could not be sent.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
