"""The settings of tasks: the offered tasks, the running ones, and the results that are kept."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings

__all__ = ["TaskSettings"]


class TaskSettings(BaseSettings):
    """The part of :class:`app.config.Settings` for tasks."""

    app_tasks: str = Field(
        "",
        description="Your own tasks, as `package.module:ClassName`, comma-separated.",
    )
    app_tasks_path: str | None = Field(
        None,
        description="The folder with the modules that APP_TASKS and SSE_AUTHORIZE name. Unset:"
        " the one-file binary uses the folder `tasks` beside itself.",
    )
    task_files_root: str | None = Field(
        None,
        description="The folder that the task `digest_tree` may read. Unset: that task is not"
        " offered.",
    )
    task_max_workers: int = Field(
        4, ge=1, le=256, description="The maximum number of tasks that run at the same time."
    )
    task_timeout_seconds: float = Field(300.0, gt=0, description="The time limit of one task.")
    task_cleanup_interval_seconds: float = Field(
        600.0, gt=0, description="The time after which a finished task is deleted."
    )
    task_max_finished: int = Field(
        1000,
        ge=1,
        description="The maximum number of finished tasks that are kept. The oldest are deleted"
        " first.",
    )
    task_max_finished_bytes: int = Field(
        32 * 1024 * 1024,
        ge=1024,
        description="The maximum size of the results and params of all finished tasks, as JSON."
        " Beyond this limit, the oldest finished tasks are deleted.",
    )
    task_max_result_bytes: int = Field(
        4 * 1024 * 1024,
        ge=1024,
        description="The maximum size of one task's result, as JSON. The largest fields of a"
        " larger result are left out.",
    )
    task_max_waiting: int = Field(
        1000,
        ge=0,
        description="The maximum number of tasks that wait for their turn. Further tasks are"
        " refused with 503.",
    )
    task_max_waiting_bytes: int = Field(
        8 * 1024 * 1024,
        ge=1024,
        description="The maximum size of the parameters of all waiting tasks, as JSON. Beyond"
        " this limit, tasks are refused with 503.",
    )
    task_max_per_address: int = Field(
        100,
        ge=1,
        description="The maximum number of unfinished tasks of one client address. Loopback is"
        " not counted. Further tasks are refused with 503.",
    )
