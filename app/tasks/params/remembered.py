"""The params of a start as the server remembers them, so that a person can start the task again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from app.tasks.base import BaseTask
from app.tasks.params.schema import params_schema

__all__ = ["MAX_REMEMBERED_BYTES", "RememberedParams", "remember_params"]

MAX_REMEMBERED_BYTES = 8 * 1024
"""The size of the largest params that are remembered, bytes. A thousand tasks have 8 MiB."""


class RememberedParams(NamedTuple):
    """The params of a start, without secrets.

    Args:
        text: the params as JSON, an object; ASCII only.
        left_out: the names of the params that were sent and are not in ``text``, because they are
            or contain secrets.
    """

    text: str
    left_out: tuple[str, ...] = ()

    def read(self) -> dict[str, Any]:
        """Return the params."""
        params: dict[str, Any] = json.loads(self.text)
        return params


def remember_params(
    task: BaseTask, params: Mapping[str, Any], text: str
) -> RememberedParams | None:
    """Return what the server remembers of the params of a start.

    Args:
        task: the task.
        params: the params as the client sent them.
        text: the same params as JSON.

    Returns:
        The params; None if they are too large, or if it is not known which of them are secrets.
    """
    schema = params_schema(type(task))
    if not schema.is_known:
        return None
    left_out = tuple(sorted(schema.secret_names & params.keys()))
    if left_out:
        text = json.dumps({name: params[name] for name in params if name not in left_out})
    return RememberedParams(text, left_out) if len(text) <= MAX_REMEMBERED_BYTES else None
