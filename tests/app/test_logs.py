"""The configuration of the log."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from app.config import Settings
from app.config.sources import SettingSources
from app.logs import configure_logging, log_warnings, make_formatter, make_redactor
from gateway_shim.log_lines.log_format import JsonFormatter, TextFormatter
from tests.gateway_shim.log_lines.records import failure, record


def settings(**changes: Any) -> Settings:
    """Return settings with some changes, whatever the environment has."""
    return Settings(_env_file=None, **changes)


@pytest.fixture(autouse=True)
def _root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_in_any_part(log_format: str) -> None:
    """Secrets are masked in the message, the fields and the traceback."""
    secrets = {"sse_callback_secret": "hunter2", "sse_console_password": "correct horse"}
    formatter = make_formatter(settings(log_format=log_format, **secrets))
    made = record(
        "GET /x?secret=abc and hunter2, correct horse",
        url="/x?secret=abc",
        headers={"Authorization": "abc"},
        said="hunter2",
        exc_info=failure("Cookie: abc hunter2"),
    )
    line = formatter.format(made)
    assert ("abc" in line, "hunter2" in line, "***" in line) == (False, False, True)
    assert "horse" not in line


def test_make_formatter_follows_the_setting() -> None:
    """LOG_FORMAT selects the formatter."""
    assert isinstance(make_formatter(settings(log_format="json")), JsonFormatter)
    assert isinstance(make_formatter(settings(log_format="text")), TextFormatter)


def test_without_a_secret_there_is_nothing_to_mask() -> None:
    """Without a configured secret, no value is masked."""
    assert make_redactor(settings()).text("hunter2") == "hunter2"


def test_configure_writes_to_the_stream_at_the_level() -> None:
    """Lines of the level and above are written, in the configured format."""
    stream = io.StringIO()
    configure_logging(settings(log_format="json", log_level="WARNING"), stream)
    logger = logging.getLogger("app.somewhere")
    logger.info("quiet")
    logger.warning("loud", extra={"n": 1})
    (line,) = stream.getvalue().splitlines()
    assert {**json.loads(line), "time": None} == {
        "time": None,
        "level": "WARNING",
        "logger": "app.somewhere",
        "message": "loud",
        "n": 1,
    }


def test_configure_again_replaces_its_own_handler_only() -> None:
    """A second configuration neither doubles lines nor removes other handlers."""
    first, second, other = io.StringIO(), io.StringIO(), logging.NullHandler()
    logging.getLogger().addHandler(other)
    configure_logging(settings(), first)
    configure_logging(settings(), second)
    logging.getLogger("app.x").info("once")
    assert (first.getvalue(), len(second.getvalue().splitlines())) == ("", 1)
    assert other in logging.getLogger().handlers


def test_configure_writes_to_standard_error_by_default(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By default, log lines are written to standard error."""
    configure_logging(settings())
    logging.getLogger("app.x").info("hello")
    captured = capsys.readouterr()
    assert (captured.out, captured.err.endswith(" INFO app.x: hello\n")) == ("", True)


def test_warnings(caplog: pytest.LogCaptureFixture) -> None:
    """There is a warning for each name that looks like a misspelled setting."""
    log_warnings(SettingSources(frozenset(), {}, ("X is not 100 % right", "Y neither")))
    assert [record.getMessage() for record in caplog.records] == [
        "X is not 100 % right",
        "Y neither",
    ]


def test_the_passwords_of_redis() -> None:
    """The passwords are masked wherever they are, and the name of the server is not."""
    url = "redis+sentinel://me:hun%2Fter2@one:1/main?sentinel_password=sesame"
    redactor = make_redactor(settings(sse_bus_url=url))
    assert redactor.text("hun/ter2 hun%2Fter2 sesame one:1") == "*** *** *** one:1"
    assert url not in redactor.text(f"cannot use {url}")
