"""What a task is: the class that users subclass, and the handle it reports progress with.

A task of one's own is a subclass with an ``execute`` that returns a pydantic model::

    class CountWords(BaseTask):
        params_model = CountWordsParams

        def execute(self, progress_handle, *, text):
            progress_handle.send_progress("counting", 0.5)
            return WordCount(words=len(text.split()))

Name it in ``APP_TASKS`` and it can be started as ``count_words``.
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
    "printable",
]

MAX_PROGRESS_TEXT = 1000
"""Characters of a progress text that are kept: it is broadcast to every browser."""

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class TaskCancelled(BaseException):
    """Raised inside a task that is to stop: it was cancelled, timed out, or is over.

    A ``BaseException``, so that a task's own ``except Exception`` does not swallow it. A task
    may raise it itself and then ends as ``cancelled``.
    """


class ProgressSink(Protocol):
    """Where a handle's progress goes."""

    @property
    def closed(self) -> bool:
        """Whether nothing is taken any more: the task is over, or is to stop."""
        ...

    def put(self, progress: TaskProgress) -> None:
        """Take one update; may wait for room.

        Raises:
            TaskCancelled: the sink is closed.
        """
        ...


class TaskProgressHandle:
    """A running task's way to say how far it is. Made by the task service.

    Updates arrive in the order of the calls. A task that sends faster than the streams take
    waits in the call; nothing is dropped. Call it from the thread that ``execute`` runs on.

    Args:
        sink: where the updates go.
    """

    def __init__(self, sink: ProgressSink) -> None:
        self._sink = sink
        self._last = TaskProgress()

    @property
    def cancelled(self) -> bool:
        """Whether the task is to stop. A ``cpu_bound`` task looks at it in its inner loop."""
        return self._sink.closed

    def raise_if_cancelled(self) -> None:
        """Leave the task if it is to stop.

        Raises:
            TaskCancelled: it is.
        """
        if self.cancelled:
            raise TaskCancelled("the task is over or was told to stop")

    def send_progress(self, text: str, value: float) -> None:
        """Say what the task does and how much of it is done.

        Args:
            text: for people; only the first 1000 characters are kept.
            value: 0.0 to 1.0; what lies outside is moved to the nearer end.

        Raises:
            TypeError: the text is no string or the value no number.
            ValueError: the value is NaN.
            TaskCancelled: the task is to stop; let it pass.
        """
        if not isinstance(text, str):
            raise TypeError(f"a progress text is a str, not {class_name(text)}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"a progress value is a number, not {class_name(value)}")
        if math.isnan(value):
            raise ValueError("a progress value is 0.0 to 1.0, not NaN")
        progress = TaskProgress(
            text=printable(text[:MAX_PROGRESS_TEXT]), value=min(1.0, max(0.0, value))
        )
        self._last = progress
        self._sink.put(progress)

    def send_progress_text(self, text: str) -> None:
        """Say what the task does; the value stays as it was. Raises as :meth:`send_progress`."""
        self.send_progress(text, self._last.value)

    def send_progress_value(self, value: float) -> None:
        """Say how much is done; the text stays as it was. Raises as :meth:`send_progress`."""
        self.send_progress(self._last.text, value)


class BaseTask(ABC):
    """One kind of long work. The instance is made for one run.

    Class attributes:
        name: under which it is started; the class's name in snake_case unless set.
        cpu_bound: True for a task that computes or blocks in C code: it then runs on a native
            thread, so that it does not stall the streams. It cannot be killed there: it ends
            at its next call of the progress handle, so let it call one, or look at
            ``progress_handle.cancelled``, at least every second. It must not use greenlets.
            It may run programs with ``subprocess``, as any task may, and use ``asyncio``, which
            is refused without it. ``os.fork`` and ``multiprocessing`` are refused everywhere.
        params_model: checks the params; its fields become the keyword arguments of
            :meth:`execute`. None: they are checked against its signature, names and annotations.
    """

    name: ClassVar[str]
    cpu_bound: ClassVar[bool] = False
    params_model: ClassVar[type[BaseModel] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give the subclass a name unless it has one of its own."""
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = _WORD_START.sub("_", cls.__name__).lower()

    @abstractmethod
    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> BaseModel:
        """Do the work.

        Args:
            progress_handle: to report progress with.
            kwargs: the params.

        Returns:
            A pydantic model; it is broadcast as the data of ``task_completed``.

        Raises:
            Exception: any; the task has then failed, with the exception's message as error.
        """

    def validate_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Check the params of a start; override to check more than a model can.

        Args:
            params: as the caller sent them.

        Returns:
            The keyword arguments for :meth:`execute`.

        Raises:
            BadRequest: they are not acceptable; the message names what is allowed.
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
    """What checks each annotated parameter; none for what pydantic cannot check."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError:  # names that only type checkers import
        return {}
    checks = {}
    for name, hint in hints.items():
        with contextlib.suppress(PydanticUserError):
            checks[name] = TypeAdapter(hint)
    return checks


def printable(text: str) -> str:
    """The text with what UTF-8 cannot hold (lone surrogates) as ``\\udcff`` escapes.

    They come from file names that are not UTF-8, and would make an event unsendable.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
