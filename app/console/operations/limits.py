"""The limits and settings that the operations page compares the figures with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from app.config import Settings

__all__ = ["OperationsLimits"]


@dataclass(frozen=True, slots=True)
class OperationsLimits:
    """The limits and settings.

    Args:
        has_gateway: True if this process serves the streams; False: another process does.
        max_streams: the number of streams that the gateway of this process allows; None: it has
            no limit, or another process serves the streams.
        replays: True if events are kept in a log.
        replay_bytes: the bytes that the log keeps at most.
        replay_seconds: the seconds for which it keeps events, if the bytes suffice; None: no limit.
        state_directory_is_set: True if SSE_STATE_DIR names a directory.
        survives_restart: True if the log is still there after a restart of the server.
        max_buffer_bytes: the bytes, besides the log, that may wait for all slow clients together.
        max_tasks_running: the number of slots for tasks.
        max_tasks_waiting: the number of tasks that may wait for a slot.
        workers: the number of workers. The limits above are those of all of them together.
    """

    has_gateway: bool
    max_streams: int | None
    replays: bool
    replay_bytes: int
    replay_seconds: float | None
    state_directory_is_set: bool
    survives_restart: bool
    max_buffer_bytes: int
    max_tasks_running: int
    max_tasks_waiting: int
    workers: int = 1

    @classmethod
    def of(
        cls,
        settings: Settings,
        max_streams: int | None,
        *,
        survives_restart: bool,
        workers: int = 1,
    ) -> OperationsLimits:
        """Read the limits from the settings.

        Args:
            settings: the settings.
            max_streams: the number of streams that the gateway of this process allows; None: it
                has no limit.
            survives_restart: True if the place of the log is still there after a restart.
            workers: the number of workers. SSE_MAX_CONNECTIONS is the limit of all together, the
                limit on descriptors and the others are limits of each.
        """
        has_gateway = settings.sse_gateway_url is None
        if max_streams is not None:
            configured = settings.sse_max_connections or max_streams * workers
            max_streams = min(configured, max_streams * workers)
        return cls(
            has_gateway=has_gateway,
            max_streams=max_streams if has_gateway else None,
            replays=settings.replays,
            replay_bytes=settings.sse_replay_bytes,
            replay_seconds=settings.sse_replay_seconds,
            state_directory_is_set=settings.sse_state_dir is not None,
            survives_restart=survives_restart,
            max_buffer_bytes=settings.sse_max_total_buffer_bytes * workers,
            max_tasks_running=settings.task_max_workers * workers,
            max_tasks_waiting=settings.task_max_waiting * workers,
            workers=workers,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the limits as the page gets them."""
        return asdict(self)
