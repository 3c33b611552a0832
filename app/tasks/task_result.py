"""The earlier import path of the fields of a built-in result, which docs/migrating.md has named.

The class is defined in :mod:`app.tasks.builtin.task_result`.
"""

from __future__ import annotations

from app.tasks.builtin.task_result import TaskResult

__all__ = ["TaskResult"]
