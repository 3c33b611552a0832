"""The configuration of the backend's log: its format, its level, and the masking of secrets."""

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
    """Return a redactor that masks the secrets of the settings."""
    secrets = (settings.sse_callback_secret, settings.sse_console_password)
    values = [secret.get_secret_value() for secret in secrets if secret is not None]
    bus = settings.bus
    if bus is not None:  # not the whole URL: log lines name the server
        values += [bus.password, bus.sentinel_password]
    return Redactor(values)


def make_formatter(settings: Settings) -> logging.Formatter:
    """Return the formatter for ``LOG_FORMAT``."""
    kind = JsonFormatter if settings.log_format == "json" else TextFormatter
    return kind(make_redactor(settings))


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Send the log lines of the process to a stream. A second call replaces the first.

    Args:
        settings: have the level, the format, and the lines of one kind in a second.
        stream: the stream; standard error if not given.
    """
    log_format.install(
        make_formatter(settings),
        settings.log_level,
        stream,
        lines_per_second=settings.log_lines_per_second,
    )


def log_warnings(sources: SettingSources) -> None:
    """Log a warning for each name that looks like a misspelled setting.

    Call :func:`configure_logging` first.
    """
    for warning in sources.warnings:
        logger.warning("%s", warning)
