"""The forms by which people start tasks."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Literal

from pydantic import BaseModel, Field, SecretStr

from app.console.task_forms import task_form
from app.tasks.base import BaseTask, TaskProgressHandle
from app.tasks.builtin.demo_task import DemoTask


class Color(Enum):
    """The color of the paint."""

    RED = "red"
    BLUE = "blue"


class Size(BaseModel):
    """A size."""

    width: int


class PaintParams(BaseModel):
    """One field of each kind."""

    count: int = Field(gt=0, lt=10)
    share: float | None = None
    wet: bool = False
    name: str = Field(default="x", min_length=1, max_length=5, pattern="^x", examples=["xy"])
    color: Color = Color.RED
    mode: Literal["slow", "fast", 3] = Field(default="slow", title="Speed", description="How fast.")
    only: Literal["this"] = "this"
    size: Size | None = None
    sizes: list[Size] = Field(default_factory=list)
    either: int | str | None = None
    anything: Any = None
    token: SecretStr = SecretStr("hidden")


class PaintHouse(BaseTask):
    """Paint a ``house`` with :class:`~some.Color`,
    and look at it.

    This is not shown.
    """

    params_model: type[BaseModel] = PaintParams

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> Any:
        """Never run."""


def test_a_form() -> None:
    """The form has the help of the task, and each field its kind, help, default and limits."""
    form = task_form(PaintHouse())
    fields = {field.pop("name"): field for field in form.pop("fields")}
    assert form == {
        "name": "paint_house",
        "help": "Paint a house with some.Color, and look at it.",
        "accepts_more": False,
    }
    assert {name: field["kind"] for name, field in fields.items()} == {
        "count": "integer",
        "share": "number",
        "wet": "boolean",
        "name": "string",
        "color": "choice",
        "mode": "choice",
        "only": "choice",
        "size": "json",
        "sizes": "json",
        "either": "any",
        "anything": "any",
        "token": "string",
    }
    assert fields["count"] == {
        "label": "Count",
        "help": "",
        "kind": "integer",
        "required": True,
        "nullable": False,
        "secret": False,
        "above": 0,
        "below": 10,
    }
    assert fields["name"] == {
        "label": "Name",
        "help": "",
        "kind": "string",
        "required": False,
        "nullable": False,
        "secret": False,
        "default": "x",
        "example": "xy",
        "min_length": 1,
        "max_length": 5,
        "pattern": "^x",
    }
    assert (fields["color"]["choices"], fields["color"]["default"]) == (["red", "blue"], "red")
    assert fields["color"]["help"] == "The color of the paint."
    assert fields["mode"]["choices"] == ["slow", "fast", 3]
    assert (fields["mode"]["label"], fields["mode"]["help"]) == ("Speed", "How fast.")
    assert fields["only"]["choices"] == ["this"]
    nullable = [name for name, field in fields.items() if field["nullable"]]
    assert nullable == ["share", "size", "either"]


def test_a_secret() -> None:
    """The form says that it is one, and does not have its default."""
    token = task_form(PaintHouse())["fields"][-1]
    assert token["secret"]
    assert "default" not in token


def test_the_built_in_help() -> None:
    """Each field of a built-in task has a help."""
    form = task_form(DemoTask())
    assert form["help"] == "A task that waits step by step and reports each step."
    assert [field["help"] for field in form["fields"]] == [
        "The number of steps.",
        "The duration of each step, in seconds.",
    ]


def test_params_without_a_schema() -> None:
    """The form accepts any params."""

    class Odd(BaseModel):
        call: Callable[[], int]

    class OddTask(PaintHouse):
        params_model = Odd

    assert task_form(OddTask()) == {
        "name": "odd_task",
        "help": "",
        "fields": [],
        "accepts_more": True,
    }
