"""Tests of the place and the format of gunicorn's log lines."""

from __future__ import annotations

import contextlib
import io
import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from gateway_shim.log_lines import log_format
from gateway_shim.log_lines.log_format import TextFormatter
from gateway_shim.log_lines.redaction import Redactor
from gateway_shim.server.server_log import PropagatingLogger

LINE = re.compile(r"\d{4}-\d\d-\d\dT\S+Z (INFO|WARNING) (\S+): (.*)")


@contextlib.contextmanager
def bare_root() -> Iterator[logging.Logger]:
    """Remove the root logger's handlers; restore them and gunicorn's loggers afterwards.

    This is not a fixture, because pytest adds its own handlers to the root logger after fixtures.
    """
    loggers = [logging.getLogger(name) for name in (None, "gunicorn.error", "gunicorn.access")]
    before: list[Any] = [(item.handlers[:], item.level, item.propagate) for item in loggers]
    loggers[0].handlers[:] = []
    try:
        yield loggers[0]
    finally:
        for item, (handlers, level, propagate) in zip(loggers, before, strict=True):
            for handler in item.handlers:
                handler.close()
            item.handlers[:] = handlers
            item.setLevel(level)
            item.propagate = propagate


def configuration(**options: Any) -> Config:
    """Return gunicorn's configuration with options."""
    config = Config()
    for name, value in options.items():
        config.set(name, value)
    return config


def test_beside_the_programs_own(capsys: pytest.CaptureFixture[str]) -> None:
    """gunicorn's lines go through the root logger once, and nowhere else."""
    with bare_root():
        written = io.StringIO()
        log_format.install(TextFormatter(), "WARNING", written)
        logger = PropagatingLogger(configuration())
        logger.info("from gunicorn")
        (line,) = written.getvalue().splitlines()
        assert LINE.fullmatch(line).groups() == ("INFO", "gunicorn.error", "from gunicorn")
        assert capsys.readouterr().err == ""


def test_a_program_without_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    """gunicorn's own handler stays, so that an embedding program sees its server start."""
    with bare_root():
        PropagatingLogger(configuration()).info("Listening at: somewhere")
        (line,) = capsys.readouterr().err.splitlines()
        assert line.endswith("[INFO] Listening at: somewhere")


def test_a_file(tmp_path: Path) -> None:
    """With ``--error-logfile`` the file has all lines, each once, masked, in one format."""
    with bare_root():
        stderr, path = io.StringIO(), tmp_path / "error.log"
        log_format.install(TextFormatter(Redactor(["hunter2"])), "INFO", stderr)
        logger = PropagatingLogger(configuration(errorlog=str(path)))
        logger.warning("from gunicorn: hunter2")
        logging.getLogger("app.x").info("from the application")
        found = [LINE.fullmatch(line).groups() for line in path.read_text().splitlines()]
        assert found == [
            ("WARNING", "gunicorn.error", "from gunicorn: ***"),
            ("INFO", "app.x", "from the application"),
        ]
        assert [line.split(": ")[1] for line in stderr.getvalue().splitlines()] == [
            "from the application"
        ]


def test_the_access_log_holds_no_secret(tmp_path: Path) -> None:
    """Secrets in URLs are masked and request ids shortened, also after a reload."""
    with bare_root():
        path = tmp_path / "access.log"
        logger = PropagatingLogger(configuration(accesslog=str(path)))
        logger.setup(configuration(accesslog=str(path)))
        environ = {
            "REQUEST_METHOD": "POST",
            "RAW_URI": "/api/sse/callback?secret=hunter2&request_id=0123456789abcdef&a=100%25",
            "SERVER_PROTOCOL": "HTTP/1.1",
        }
        response = SimpleNamespace(status="200 OK", headers=[], sent=2)
        logger.access(response, SimpleNamespace(headers=[]), environ, timedelta(seconds=1))
        (line,) = path.read_text().splitlines()
        url = "/api/sse/callback?secret=***&request_id=01234567…&a=100%25"
        assert f'"POST {url} HTTP/1.1" 200 2 ' in line
        assert len(logger.access_log.filters) == 1


def test_a_file_after_a_reload(tmp_path: Path) -> None:
    """A second set-up adds no handler twice, and removes the handlers of a file not used now."""
    with bare_root():
        path = tmp_path / "error.log"
        log_format.install(TextFormatter(), "INFO", io.StringIO())
        logger = PropagatingLogger(configuration(errorlog=str(path)))
        logger.setup(configuration(errorlog=str(path)))
        logging.getLogger("app.x").info("twice?")
        logger.info("twice?")
        assert path.read_text().count("twice?") == 2
        logger.setup(configuration())
        logging.getLogger("app.x").info("later")
        logger.info("later")
        assert "later" not in path.read_text()


def test_a_file_that_is_moved(tmp_path: Path) -> None:
    """SIGUSR1 opens the file again for all lines, as logrotate needs."""
    with bare_root():
        path = tmp_path / "error.log"
        log_format.install(TextFormatter(), "INFO", io.StringIO())
        logger = PropagatingLogger(configuration(errorlog=str(path)))
        path.rename(tmp_path / "error.log.1")
        logger.reopen_files()
        logger.info("from gunicorn")
        logging.getLogger("app.x").info("from the application")
        assert len(path.read_text().splitlines()) == 2


def test_a_file_of_an_embedding_program(tmp_path: Path) -> None:
    """Only gunicorn's lines go to the file, in gunicorn's format; the root logger is unchanged."""
    with bare_root() as root:
        path, handler = tmp_path / "error.log", logging.StreamHandler(io.StringIO())
        root.addHandler(handler)
        PropagatingLogger(configuration(errorlog=str(path))).info("from gunicorn")
        assert root.handlers == [handler]
        assert path.read_text().endswith("[INFO] from gunicorn\n")


def test_a_log_configuration(tmp_path: Path) -> None:
    """A configuration for gunicorn's loggers is not changed."""
    with bare_root():
        path = tmp_path / "configured.log"
        log_format.install(TextFormatter(), "INFO", io.StringIO())
        wanted = {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"mine": {"class": "logging.FileHandler", "filename": str(path)}},
            "root": {"handlers": []},
            "loggers": {"gunicorn.error": {"handlers": ["mine"], "propagate": False}},
        }
        PropagatingLogger(configuration(logconfig_dict=wanted)).info("from gunicorn")
        assert path.read_text() == "from gunicorn\n"


def test_syslog_as_well() -> None:
    """With ``--log-syslog`` lines go to syslog and still to standard error."""
    with bare_root():
        written = io.StringIO()
        log_format.install(TextFormatter(), "INFO", written)
        logger = PropagatingLogger(configuration(syslog=True, syslog_addr="udp://127.0.0.1:9"))
        try:
            logger.info("from gunicorn")
            kinds = [type(handler).__name__ for handler in logger.error_log.handlers]
        finally:
            for handler in [*logger.error_log.handlers, *logger.access_log.handlers]:
                handler.close()
        assert (kinds, written.getvalue().count("from gunicorn")) == (["SysLogHandler"], 1)
