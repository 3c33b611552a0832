"""The fields that the results of all built-in tasks have."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

__all__ = ["TaskResult"]


class TaskResult(BaseModel):
    """The result of a task that has succeeded.

    Pages that were written for the original backend read these two fields of every result, and
    take a result without them for a failure. A task that fails has no result: it raises.

    Args:
        success: always true.
        error_message: always null.
    """

    success: Literal[True] = True
    error_message: None = None
