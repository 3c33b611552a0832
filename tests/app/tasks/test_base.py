"""BaseTask and TaskProgressHandle: names, params, and checked progress."""

from __future__ import annotations

import math
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from app.errors import BadRequest
from app.schemas.task_schema import TaskProgress
from app.tasks.base import (
    MAX_PROGRESS_TEXT,
    BaseTask,
    TaskCancelled,
    TaskProgressHandle,
    escape_surrogates,
)


class Sink:
    """A sink that keeps all updates."""

    closed = False

    def __init__(self) -> None:
        self.items: list[tuple[str, float]] = []

    def put(self, progress: TaskProgress) -> None:
        """Keep the update."""
        self.items.append((progress.text, progress.value))


class Plain(BaseTask):
    """A task whose params are validated by its signature."""

    def execute(  # type: ignore[no-untyped-def,override]  # no annotations on purpose
        self, progress_handle, *, source, limit=10
    ):
        """Raise an error, because no test calls this."""
        raise NotImplementedError


class Params(BaseModel):
    """The model of the params of ``Modelled``."""

    model_config = ConfigDict(extra="forbid")

    source: str
    limit: int = Field(default=10, ge=1)
    where: str = Field(default="x", alias="from")


class Modelled(Plain):
    """A task with a params model."""

    params_model = Params


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("DigestTree", "digest_tree"),
        ("HTTPFetch", "http_fetch"),
        ("Md5Sum", "md5_sum"),
        ("once", "once"),
    ],
)
def test_a_task_is_named_after_its_class(class_name: str, name: str) -> None:
    """The name of a task is its class name in snake_case."""
    task: type[Plain] = type(class_name, (Plain,), {})
    assert task.name == name


def test_an_explicit_name_is_kept_and_not_inherited() -> None:
    """An explicit name is kept, and a subclass does not inherit it."""
    named: type[Plain] = type("Named", (Plain,), {"name": "other"})
    below: type[Plain] = type("Below", (named,), {})
    assert (named.name, below.name) == ("other", "below")


def test_execute_must_be_written() -> None:
    """A task without ``execute`` cannot be constructed."""
    with pytest.raises(TypeError, match="abstract"):
        type("Nothing", (BaseTask,), {})()


def test_progress_keeps_the_other_half() -> None:
    """A text alone keeps the last value, and a value alone keeps the last text."""
    sink = Sink()
    handle = TaskProgressHandle(sink)
    handle.send_progress_value(0.25)
    handle.send_progress_text("reading")
    handle.send_progress("writing", 1)
    handle.send_progress_value(0)
    assert sink.items == [("", 0.25), ("reading", 0.25), ("writing", 1.0), ("writing", 0.0)]


@pytest.mark.parametrize(
    ("value", "sent"), [(-1, 0.0), (1.0001, 1.0), (math.inf, 1.0), (-math.inf, 0.0), (0.5, 0.5)]
)
def test_a_value_outside_is_moved_to_the_nearer_end(value: float, sent: float) -> None:
    """A sent value is always from 0.0 to 1.0."""
    sink = Sink()
    TaskProgressHandle(sink).send_progress("x", value)
    assert sink.items == [("x", sent)]


@pytest.mark.parametrize(
    ("text", "value", "error", "message"),
    [
        ("x", math.nan, ValueError, "a progress value must be from 0.0 to 1.0, not NaN"),
        ("x", "0.5", TypeError, "a progress value must be a number, not str"),
        ("x", True, TypeError, "a progress value must be a number, not bool"),
        (None, 0.5, TypeError, "a progress text must be a str, not NoneType"),
    ],
)
def test_progress_that_makes_no_sense_is_refused(
    text: Any, value: Any, error: type[Exception], message: str
) -> None:
    """Invalid progress raises an error that says why, and nothing is sent."""
    sink = Sink()
    with pytest.raises(error, match=f"^{message}$"):
        TaskProgressHandle(sink).send_progress(text, value)
    assert sink.items == []


def test_a_progress_text_is_bounded_and_can_be_encoded() -> None:
    """A long text is cut, and characters that UTF-8 cannot encode are escaped."""
    sink = Sink()
    handle = TaskProgressHandle(sink)
    handle.send_progress("y" * (MAX_PROGRESS_TEXT + 1), 0)
    handle.send_progress("caf\udce9 é", 0)
    assert sink.items == [("y" * MAX_PROGRESS_TEXT, 0.0), ("caf\\udce9 é", 0.0)]
    assert escape_surrogates("é\n") == "é\n"


def test_a_handle_says_when_to_stop() -> None:
    """A task is cancelled as soon as its sink is closed."""
    sink = Sink()
    handle = TaskProgressHandle(sink)
    handle.raise_if_cancelled()
    assert handle.cancelled is False
    sink.closed = True
    assert handle.cancelled is True
    with pytest.raises(TaskCancelled):
        handle.raise_if_cancelled()


def test_a_tasks_own_except_does_not_swallow_a_cancel() -> None:
    """TaskCancelled is not a subclass of Exception."""
    assert not issubclass(TaskCancelled, Exception)


def test_a_model_turns_params_into_arguments() -> None:
    """A params model fills in defaults and converts values."""
    assert Modelled().validate_params({"source": "a", "limit": "3"}) == {
        "source": "a",
        "limit": 3,
        "where": "x",
    }


@pytest.mark.parametrize(
    ("params", "details"),
    [
        ({}, [{"loc": ["source"], "msg": "Field required", "type": "missing"}]),
        (
            {"source": "a", "limit": 0, "more": 1},
            [
                {
                    "loc": ["limit"],
                    "msg": "Input should be greater than or equal to 1",
                    "type": "greater_than_equal",
                },
                {
                    "loc": ["more"],
                    "msg": "Extra inputs are not permitted",
                    "type": "extra_forbidden",
                },
            ],
        ),
    ],
)
def test_params_that_do_not_fit_the_model_are_refused(
    params: dict[str, Any], details: list[dict[str, Any]]
) -> None:
    """The message names the allowed params, and the details name the problems."""
    with pytest.raises(BadRequest) as caught:
        Modelled().validate_params(params)
    assert caught.value.message == (
        "Invalid params for modelled; allowed: source (required), limit, from"
    )
    assert caught.value.details == details


def test_without_a_model_the_signature_decides() -> None:
    """Without a model, names and annotated values are validated."""
    assert Plain().validate_params({"source": 1}) == {"source": 1}

    class Annotated(BaseTask):
        def execute(  # type: ignore[no-untyped-def,override]  # other has no annotation
            self,
            progress_handle: TaskProgressHandle,
            n: int,
            mode: Literal["a", "b"] = "a",
            other=None,
        ) -> BaseModel:
            raise NotImplementedError

    assert Annotated().validate_params({"n": "2", "other": []}) == {"n": 2, "other": []}
    with pytest.raises(BadRequest) as caught:
        Annotated().validate_params({"n": "two", "mode": "c"})
    assert caught.value.message == (
        "Invalid params for annotated; allowed: n (required), mode, other"
    )
    assert caught.value.details is not None
    assert {tuple(detail["loc"]) for detail in caught.value.details} == {("n",), ("mode",)}


def test_annotations_that_pydantic_cannot_check_are_not_checked() -> None:
    """Annotations that pydantic cannot validate, or that cannot be resolved, are ignored."""

    class Odd(BaseTask):
        def execute(  # type: ignore[override]
            self,
            progress_handle: TaskProgressHandle,
            thing: object.__class__,  # type: ignore[valid-type]
            lock: type(iter([])) = None,  # type: ignore[valid-type]
        ) -> BaseModel:
            raise NotImplementedError

    class Unknown(BaseTask):
        def execute(  # type: ignore[override]
            self,
            progress_handle: TaskProgressHandle,
            thing: NotImported,  # type: ignore[name-defined]  # noqa: F821
        ) -> BaseModel:
            raise NotImplementedError

    assert Odd().validate_params({"thing": int, "lock": 1}) == {"thing": int, "lock": 1}
    assert Unknown().validate_params({"thing": 1}) == {"thing": 1}


def test_a_missing_param() -> None:
    """A missing param is reported with the allowed params."""
    with pytest.raises(BadRequest) as caught:
        Plain().validate_params({"sauce": 1})
    assert caught.value.message == "Invalid params for plain; allowed: source (required), limit"
    assert caught.value.details == [{"msg": "missing a required argument: 'source'"}]


def test_a_task_without_params_takes_none() -> None:
    """A task without params says that none are allowed."""

    class Bare(BaseTask):
        def execute(self, progress_handle: TaskProgressHandle) -> BaseModel:  # type: ignore[override]
            raise NotImplementedError

    assert Bare().validate_params({}) == {}
    with pytest.raises(BadRequest, match=r"^Invalid params for bare; allowed: none$"):
        Bare().validate_params({"x": 1})


def test_a_task_may_take_all_names() -> None:
    """A task with ``**kwargs`` takes every name."""

    class Open(BaseTask):
        def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> BaseModel:
            raise NotImplementedError

    assert Open().validate_params({"x": 1}) == {"x": 1}
    with pytest.raises(BadRequest, match="allowed: none"):
        Open().validate_params({"progress_handle": 1})


def test_progress_itself_is_checked() -> None:
    """The schema of progress has the same bounds."""
    with pytest.raises(ValueError, match="less than or equal to 1"):
        TaskProgress(text="x", value=1.5)
