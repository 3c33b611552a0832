"""gunicorn's log, in the format of the program's other log lines."""

from __future__ import annotations

import logging

from gunicorn.config import Config
from gunicorn.glogging import Logger

from gateway_shim.log_lines.line_limit import LineLimit
from gateway_shim.log_lines.log_format import installed_formatter, installed_limit
from gateway_shim.log_lines.redaction import Redactor

__all__ = ["PropagatingLogger"]


class PropagatingLogger(Logger):
    """gunicorn's logger, which writes to the same place and in the same format as the program.

    - Without options for logs, gunicorn's lines go through the root logger. If the root logger has
      no handler, gunicorn's own handler on standard error stays, so that no line is lost.
    - ``--error-logfile FILE``: gunicorn's lines go to the file. If this program has set up the
      root logger (:func:`gateway_shim.log_lines.log_format.install`), all other lines go there too.
    - ``--log-config``, ``--log-config-json`` and gunicorn's ``logconfig_dict``: only that
      configuration decides. It can name :class:`gateway_shim.log_lines.line_limit.LineLimit` among
      its filters.

    In the first two cases, gunicorn's lines are limited in the same way as all other lines. Lines
    of the access log contain URLs, so secrets and request ids are always removed from them.
    """

    def setup(self, cfg: Config) -> None:
        """Set up gunicorn's loggers (called by gunicorn, also at a reload)."""
        root = logging.getLogger()
        replaced = [
            (log, handler)
            for log in (root, self.error_log, self.access_log)
            for handler in filter(_is_gunicorns, log.handlers)
        ]
        super().setup(cfg)
        if not any(isinstance(present, _RedactingFilter) for present in self.access_log.filters):
            self.access_log.addFilter(_RedactingFilter())
        for log, handler in replaced:
            log.removeHandler(handler)
            handler.close()  # gunicorn leaves the files of the previous set-up open
        if cfg.logconfig or cfg.logconfig_dict or cfg.logconfig_json:
            return
        limit = installed_limit() or LineLimit()
        for handler in filter(_is_gunicorns, self.error_log.handlers):
            handler.addFilter(limit)
        if cfg.errorlog == "-":
            self.error_log.propagate = bool(root.handlers)
            if self.error_log.propagate:
                for handler in filter(_is_gunicorns_stderr, list(self.error_log.handlers)):
                    self.error_log.removeHandler(handler)
            return
        self.error_log.propagate = False
        formatter = installed_formatter()
        if formatter is None:
            return
        for handler in filter(_is_gunicorns_file, self.error_log.handlers):
            handler.setFormatter(formatter)
            # With --capture-output standard error is already the file.
            if not cfg.capture_output:
                root.addHandler(handler)


class _RedactingFilter(logging.Filter):
    """A filter that passes every record, with its message rendered and redacted."""

    def __init__(self) -> None:
        super().__init__()
        self._redactor = Redactor()

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._redactor.text(record.getMessage()), None
        return True


def _is_gunicorns(handler: logging.Handler) -> bool:
    """Return whether gunicorn has made a handler: gunicorn marks its handlers."""
    return bool(getattr(handler, "_gunicorn", False))


def _is_gunicorns_file(handler: logging.Handler) -> bool:
    return _is_gunicorns(handler) and isinstance(handler, logging.FileHandler)


def _is_gunicorns_stderr(handler: logging.Handler) -> bool:
    """Return whether a handler is gunicorn's for standard error, not for a file or syslog."""
    is_stream = isinstance(handler, logging.StreamHandler)
    return _is_gunicorns(handler) and is_stream and not isinstance(handler, logging.FileHandler)
