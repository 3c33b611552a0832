"""The params of task types as JSON schemas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, Field, RootModel, SecretStr

from app.tasks.base import BaseTask, TaskProgressHandle
from app.tasks.builtin.demo_task import DemoTask
from app.tasks.params.schema import ParamsSchema, params_schema


class Login(BaseModel):
    """A user and a password."""

    user: str
    password: SecretStr = SecretStr("hidden")


class Tree(BaseModel):
    """A model that contains itself."""

    children: list[Tree] = []
    key: SecretStr | None = None


class Everything(BaseModel):
    """Params with secrets at several depths and under several names."""

    plain: int = 1
    token: SecretStr
    login: Login | None = None
    logins: dict[str, list[Login]] = {}
    other: str = Field(default="", alias="Other")
    pin: SecretStr = Field(validation_alias=AliasChoices("PIN", AliasPath("pins", 0)))


def schema_of(model: type[BaseModel] | None, execute: Callable[..., Any]) -> ParamsSchema:
    """Return the schema of a task with a model, or with a function."""
    members = {"params_model": model, "execute": execute}
    return params_schema(type("SomeTask", (BaseTask,), members))


def anything(self: Any, progress_handle: TaskProgressHandle, **kwargs: Any) -> Any:
    """Accept all params."""


def test_the_fields_of_a_model() -> None:
    """The params are the fields of the model, and others are refused as the model says."""
    schema = params_schema(DemoTask)
    assert [(param.name, param.is_required) for param in schema.params] == [
        ("steps", False),
        ("delay", False),
    ]
    assert schema.params[0].schema["minimum"] == 1
    assert (schema.accepts_more, schema.secret_names, schema.is_known) == (False, frozenset(), True)


def test_secrets() -> None:
    """A param that is or contains a secret is known by each of its names."""
    schema = schema_of(Everything, anything)
    assert [param.name for param in schema.params] == [
        "plain",
        "token",
        "login",
        "logins",
        "Other",
        "PIN",
    ]
    assert schema.secret_names == {"token", "login", "logins", "pin", "PIN", "pins"}


def test_a_model_that_contains_itself() -> None:
    """Its params are found, and looking for secrets ends."""
    schema = schema_of(Tree, anything)
    assert [param.name for param in schema.params] == ["children", "key"]
    assert schema.secret_names == {"children", "key"}


def test_other_params() -> None:
    """Other params are accepted as the model says; a model that ignores them says nothing."""
    answers = []
    for extra in ("allow", "forbid", "ignore"):
        model = type("Params", (BaseModel,), {"model_config": {"extra": extra}})
        answers.append(schema_of(model, anything).accepts_more)
    assert answers == [True, False, False]
    assert schema_of(RootModel[dict[str, int]], anything).accepts_more


def test_the_parameters_of_a_signature() -> None:
    """Without a model, the params are those of execute."""

    def execute(
        self: Any,
        progress_handle: TaskProgressHandle,
        count: Annotated[int, Field(ge=1, description="How many.")],
        *args: Any,
        token: SecretStr = SecretStr("x"),  # noqa: B008
        place: object = ...,
        pairs: list[tuple[int, str]] | None = None,
        login: Login | None = None,
        **more: Any,
    ) -> Any:
        pass

    schema = schema_of(None, execute)
    assert [(param.name, param.is_required) for param in schema.params] == [
        ("count", True),
        ("token", False),
        ("place", False),
        ("pairs", False),
        ("login", False),
    ]
    count, _, place, pairs, _ = schema.params
    assert count.schema["description"] == "How many."
    assert "default" not in place.schema
    assert pairs.schema["default"] is None
    assert schema.accepts_more
    assert schema.secret_names == {"token", "login"}
    assert not schema_of(None, lambda self, progress_handle: None).accepts_more


def test_params_without_a_schema() -> None:
    """If JSON has no such type, or a name is unknown, it is not known what is secret."""

    class Odd(BaseModel):
        model_config = {"arbitrary_types_allowed": True}
        call: Callable[[], int]

    assert schema_of(Odd, anything) == ParamsSchema()

    def execute(self: Any, progress_handle: Any, value: Unknown) -> Any:  # type: ignore[name-defined]  # noqa: F821
        pass

    schema = schema_of(None, execute)
    assert [param.name for param in schema.params] == ["value"]
    assert not schema.is_known

    def odd(self: Any, progress_handle: Any, value: Callable[[], int] = print) -> Any:
        pass

    [param] = schema_of(None, odd).params
    assert (param.schema, param.is_required) == ({}, False)


@pytest.mark.parametrize("schema", [{"type": "string"}, {"$ref": 5}, {"$ref": "#/$defs/None"}])
def test_resolve(schema: dict[str, Any]) -> None:
    """A schema that refers to nothing is returned without an error."""
    param = params_schema(DemoTask).params[0]
    assert param.resolve(schema) == {
        key: value for key, value in schema.items() if value != "#/$defs/None"
    }
