"""gunicorn's log lines, in one format with all others."""

from __future__ import annotations

import logging

from gunicorn.config import Config
from gunicorn.glogging import Logger

from gateway_shim.log_lines.line_limit import LineLimit
from gateway_shim.log_lines.log_format import installed_formatter, installed_limit
from gateway_shim.log_lines.redaction import Redactor

__all__ = ["PropagatingLogger"]


class PropagatingLogger(Logger):
    """gunicorn's log lines beside the program's own, in the program's format.

    - gunicorn was told nothing: its lines go through the root logger. If the root logger has no
      handler, gunicorn's own handler on standard error stays, so that no line is lost.
    - ``--error-logfile FILE``: gunicorn's lines go to the file. If this program has set up the
      root logger (:func:`gateway_shim.log_lines.log_format.install`), all other lines go there too.
    - ``--log-config`` and its siblings: that configuration alone decides. It can name
      :class:`gateway_shim.log_lines.line_limit.LineLimit` among its filters.

    Except for the last case, lines of one kind are limited as all others are. Lines of the access
    log have URLs, so secrets and request ids are taken out of them always.
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
        if not any(isinstance(known, _RedactingFilter) for known in self.access_log.filters):
            self.access_log.addFilter(_RedactingFilter())
        for log, handler in replaced:
            log.removeHandler(handler)
            handler.close()  # gunicorn leaves the files of the set-up before open
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
            # With --capture-output standard error is that file already.
            if not cfg.capture_output:
                root.addHandler(handler)


class _RedactingFilter(logging.Filter):
    """Lets every record pass, its message rendered and redacted."""

    def __init__(self) -> None:
        super().__init__()
        self._redactor = Redactor()

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._redactor.text(record.getMessage()), None
        return True


def _is_gunicorns(handler: logging.Handler) -> bool:
    return bool(getattr(handler, "_gunicorn", False))  # gunicorn's own mark


def _is_gunicorns_file(handler: logging.Handler) -> bool:
    return _is_gunicorns(handler) and isinstance(handler, logging.FileHandler)


def _is_gunicorns_stderr(handler: logging.Handler) -> bool:
    """Return whether a handler is gunicorn's on standard error: not a file's, not syslog's."""
    is_stream = isinstance(handler, logging.StreamHandler)
    return _is_gunicorns(handler) and is_stream and not isinstance(handler, logging.FileHandler)
