"""The public import path of the base classes of tasks; they are defined in :mod:`app.tasks.base`.

The README and the backend's users name ``app.services.base_task.BaseTask``.
"""

from __future__ import annotations

from app.tasks.base import BaseTask, TaskProgressHandle

__all__ = ["BaseTask", "TaskProgressHandle"]
