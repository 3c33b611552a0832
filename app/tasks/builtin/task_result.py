"""The fields that the results of all built-in tasks have."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

__all__ = ["TaskResult"]


class TaskResult(BaseModel):
    """The result of a task that has succeeded.

    Pages that were written for the original backend read these two fields of every result. They
    treat a result without these fields as a failure. A task that fails raises an exception and has
    no result.

    Args:
        success: always true.
        error_message: always null.
    """

    success: Literal[True] = True
    error_message: None = None
