"""The params of a start as the server remembers them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, SecretStr

from app.tasks.base import BaseTask, TaskProgressHandle
from app.tasks.builtin.demo_task import DemoTask
from app.tasks.params.remembered import MAX_REMEMBERED_BYTES, RememberedParams, remember_params


class PostParams(BaseModel):
    """Params with a secret."""

    address: str
    token: SecretStr
    again: SecretStr | None = None


class PostTask(BaseTask):
    """A task with a secret."""

    params_model: type[BaseModel] = PostParams

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> Any:
        """Never run."""


def remember(task: BaseTask, **params: Any) -> RememberedParams | None:
    """Return what is remembered of some params."""
    return remember_params(task, params, json.dumps(params))


def test_params_are_remembered_as_they_were_sent() -> None:
    """A default that was not sent is not added."""
    remembered = remember(DemoTask(), steps=3)
    assert remembered == ('{"steps": 3}', ())
    assert remembered.read() == {"steps": 3}


def test_secrets_are_left_out() -> None:
    """The names of the secrets that were sent are remembered, but not their values."""
    remembered = remember(PostTask(), address="a", token="s3cret")
    assert remembered == ('{"address": "a"}', ("token",))


def test_large_params_are_not_remembered() -> None:
    """The size counts without the secrets."""
    room = MAX_REMEMBERED_BYTES - len('{"address": ""}')
    assert remember(PostTask(), address="a" * room, token="t" * 10_000) is not None
    assert remember(PostTask(), address="a" * (room + 1)) is None


def test_params_of_unknown_types_are_not_remembered() -> None:
    """Each of them may be a secret."""

    class Odd(BaseModel):
        call: Callable[[], int]

    class OddTask(PostTask):
        params_model = Odd

    assert remember(OddTask(), call=1) is None
