"""The settings of tasks: which there are, how many at a time, and what is kept of them."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings

__all__ = ["TaskSettings"]


class TaskSettings(BaseSettings):
    """The part of :class:`app.config.Settings` that is about tasks."""

    app_tasks: str = Field("", description="own tasks: package.module:ClassName, comma-separated")
    app_tasks_path: str | None = Field(
        None,
        description="folder with the modules of app_tasks and sse_authorize;"
        " unset: the binary looks into tasks beside itself",
    )
    task_files_root: str | None = Field(
        None, description="the folder digest_tree may read; unset: the task is not offered"
    )
    task_max_workers: int = Field(4, ge=1, le=256, description="tasks that run at the same time")
    task_timeout_seconds: float = Field(300.0, gt=0, description="time limit of one task, seconds")
    task_cleanup_interval_seconds: float = Field(
        600.0, gt=0, description="finished tasks are forgotten after this long, seconds"
    )
    task_max_finished: int = Field(
        1000, ge=1, description="finished tasks that are kept; the oldest are forgotten first"
    )
    task_max_finished_bytes: int = Field(
        32 * 1024 * 1024,
        ge=1024,
        description="results of finished tasks that are kept, bytes of JSON; likewise",
    )
    task_max_result_bytes: int = Field(
        4 * 1024 * 1024,
        ge=1024,
        description="one task's result, bytes of JSON; larger fields of it are left out",
    )
    task_max_waiting: int = Field(1000, ge=0, description="tasks that may wait for their turn")
    task_max_waiting_bytes: int = Field(
        8 * 1024 * 1024,
        ge=1024,
        description="parameters of all waiting tasks together, bytes of JSON",
    )
    task_max_per_address: int = Field(
        100,
        ge=1,
        description="unfinished tasks of one client address; loopback is not counted",
    )
