"""The settings of the event log: what is replayed to browsers, and where the server keeps it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

__all__ = ["ReplaySettings"]


class ReplaySettings(BaseSettings):
    """The part of :class:`app.config.Settings` for the event log and the state directory."""

    sse_replay: Literal["on", "off"] = Field(
        "on",
        description="`on`: a browser that was away, or that reads slowly, gets every event that it"
        " has missed, or one event `resync`. `off`: events have no ids, and what is sent while a"
        " browser is away is lost. It is always off with SSE_GATEWAY_URL.",
    )
    sse_replay_bytes: int = Field(
        32 * 1024 * 1024,
        ge=1024 * 1024,
        description="The maximum size of the recent events that are kept for a replay. Beyond this"
        " limit, the oldest events are deleted.",
    )
    sse_replay_seconds: float | None = Field(
        None,
        ge=1,
        description="The time for which events are kept for a replay, if SSE_REPLAY_BYTES suffices."
        " Unset: no limit.",
    )
    sse_state_dir: str | None = Field(
        None,
        description="The directory in which events and tasks survive a restart. It is created if"
        " it is missing. Each server needs its own. Unset: a directory in memory, which survives"
        " a reload and a killed worker.",
    )
