"""The backend's log: the format and level that its settings ask for, its secrets masked."""

from __future__ import annotations

import logging
from typing import TextIO

from app.config import Settings
from app.config.sources import SettingSources
from gateway_shim.log_lines import log_format
from gateway_shim.log_lines.log_format import JsonFormatter, TextFormatter
from gateway_shim.log_lines.redaction import Redactor

__all__ = ["configure_logging", "log_warnings", "make_formatter", "make_redactor"]

logger = logging.getLogger(__name__)


def make_redactor(settings: Settings) -> Redactor:
    """A redactor that knows the settings' secrets."""
    secret = settings.sse_callback_secret
    return Redactor([secret.get_secret_value()] if secret is not None else [])


def make_formatter(settings: Settings) -> logging.Formatter:
    """The formatter that ``LOG_FORMAT`` asks for."""
    kind = JsonFormatter if settings.log_format == "json" else TextFormatter
    return kind(make_redactor(settings))


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Send the process's log lines to a stream; a second call replaces the first one's set-up.

    Args:
        settings: level, format, and lines of one kind in a second.
        stream: where to; standard error if not given.
    """
    log_format.install(
        make_formatter(settings),
        settings.log_level,
        stream,
        lines_per_second=settings.log_lines_per_second,
    )


def log_warnings(sources: SettingSources) -> None:
    """Log what looks like a misspelt setting; call :func:`configure_logging` before."""
    for warning in sources.warnings:
        logger.warning("%s", warning)
