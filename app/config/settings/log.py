"""The settings of the log."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from gateway_shim.log_lines.line_limit import LINES_PER_SECOND

__all__ = ["LogSettings"]


class LogSettings(BaseSettings):
    """The part of :class:`app.config.Settings` for the log."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The lowest level that is logged."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="The format of log lines: `text` for people, `json` for programs."
    )
    log_lines_per_second: int = Field(
        LINES_PER_SECOND,
        ge=1,
        le=1_000_000,
        description="The maximum number of log lines of one kind that are written in a second."
        " Further lines are counted instead.",
    )
