"""BaseTask and its handle: names, params, progress that is checked before it is sent."""

from __future__ import annotations

import math
from typing import Literal

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
    """Keeps what is put."""

    closed = False

    def __init__(self):
        self.items = []

    def put(self, progress):
        """Keep it."""
        self.items.append((progress.text, progress.value))


class Plain(BaseTask):
    """Checks its params by its signature."""

    def execute(self, progress_handle, *, source, limit=10):
        """Not called here."""
        raise NotImplementedError


class Params(BaseModel):
    """Checks them by a model."""

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
def test_a_task_is_named_after_its_class(class_name, name):
    """The class's name in snake_case."""
    assert type(class_name, (Plain,), {}).name == name


def test_a_name_of_ones_own_is_kept_and_not_inherited():
    """A subclass of a named task has its own name."""
    named = type("Named", (Plain,), {"name": "other"})
    assert (named.name, type("Below", (named,), {}).name) == ("other", "below")


def test_execute_must_be_written():
    """A task without it cannot be made."""
    with pytest.raises(TypeError, match="abstract"):
        type("Nothing", (BaseTask,), {})()


def test_progress_is_sent_with_what_was_said_last():
    """Text alone keeps the value, a value alone keeps the text."""
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
def test_a_value_outside_is_moved_to_the_nearer_end(value, sent):
    """What arrives is always 0.0 to 1.0."""
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
def test_progress_that_makes_no_sense_is_refused(text, value, error, message):
    """The task learns what was wrong; nothing is sent."""
    sink = Sink()
    with pytest.raises(error, match=f"^{message}$"):
        TaskProgressHandle(sink).send_progress(text, value)
    assert sink.items == []


def test_a_progress_text_is_bounded_and_can_be_encoded():
    """It goes to every browser, so it is cut, and what UTF-8 cannot hold is escaped."""
    sink = Sink()
    handle = TaskProgressHandle(sink)
    handle.send_progress("y" * (MAX_PROGRESS_TEXT + 1), 0)
    handle.send_progress("caf\udce9 é", 0)
    assert sink.items == [("y" * MAX_PROGRESS_TEXT, 0.0), ("caf\\udce9 é", 0.0)]
    assert escape_surrogates("é\n") == "é\n"


def test_a_handle_says_when_to_stop():
    """Once its sink is closed the task is cancelled."""
    sink = Sink()
    handle = TaskProgressHandle(sink)
    handle.raise_if_cancelled()
    assert handle.cancelled is False
    sink.closed = True
    assert handle.cancelled is True
    with pytest.raises(TaskCancelled):
        handle.raise_if_cancelled()


def test_a_tasks_own_except_does_not_swallow_a_cancel():
    """TaskCancelled is no Exception."""
    assert not issubclass(TaskCancelled, Exception)


def test_a_model_turns_params_into_arguments():
    """Defaults are filled in and values converted."""
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
def test_params_that_do_not_fit_the_model_are_refused(params, details):
    """The message names what is allowed, the details what is wrong."""
    with pytest.raises(BadRequest) as caught:
        Modelled().validate_params(params)
    assert caught.value.message == (
        "Invalid params for modelled; allowed: source (required), limit, from"
    )
    assert caught.value.details == details


def test_without_a_model_the_signature_decides():
    """Names are checked, and values by their annotations, as pydantic does it."""
    assert Plain().validate_params({"source": 1}) == {"source": 1}

    class Annotated(BaseTask):
        def execute(self, progress_handle, n: int, mode: Literal["a", "b"] = "a", other=None):
            raise NotImplementedError

    assert Annotated().validate_params({"n": "2", "other": []}) == {"n": 2, "other": []}
    with pytest.raises(BadRequest) as caught:
        Annotated().validate_params({"n": "two", "mode": "c"})
    assert caught.value.message == (
        "Invalid params for annotated; allowed: n (required), mode, other"
    )
    assert {tuple(detail["loc"]) for detail in caught.value.details} == {("n",), ("mode",)}


def test_annotations_that_pydantic_cannot_check_are_not_checked():
    """Nor are those whose names only a type checker knows."""

    class Odd(BaseTask):
        def execute(self, progress_handle, thing: object.__class__, lock: type(iter([])) = None):
            raise NotImplementedError

    class Unknown(BaseTask):
        def execute(self, progress_handle, thing: NotImported):  # noqa: F821
            raise NotImplementedError

    assert Odd().validate_params({"thing": int, "lock": 1}) == {"thing": int, "lock": 1}
    assert Unknown().validate_params({"thing": 1}) == {"thing": 1}


def test_a_missing_name_is_said():
    """With what is allowed."""
    with pytest.raises(BadRequest) as caught:
        Plain().validate_params({"sauce": 1})
    assert caught.value.message == "Invalid params for plain; allowed: source (required), limit"
    assert caught.value.details == [{"msg": "missing a required argument: 'source'"}]


def test_a_task_without_params_takes_none():
    """The message then says so."""

    class Bare(BaseTask):
        def execute(self, progress_handle):
            raise NotImplementedError

    assert Bare().validate_params({}) == {}
    with pytest.raises(BadRequest, match=r"^Invalid params for bare; allowed: none$"):
        Bare().validate_params({"x": 1})


def test_a_task_may_take_anything():
    """With ** every name is allowed."""

    class Open(BaseTask):
        def execute(self, progress_handle, **kwargs):
            raise NotImplementedError

    assert Open().validate_params({"x": 1}) == {"x": 1}
    with pytest.raises(BadRequest, match="allowed: none"):
        Open().validate_params({"progress_handle": 1})


def test_progress_itself_is_checked():
    """The schema holds the same bounds."""
    with pytest.raises(ValueError, match="less than or equal to 1"):
        TaskProgress(text="x", value=1.5)
