"""Misspelled settings are found; the names of other programs are not."""

from __future__ import annotations

import pytest

from app.config import Settings
from app.config.reading.names import Misspelt, find_misspelt

KNOWN = {name.upper() for name in Settings.model_fields}

BOTH = {
    "SSE_AUTHORISE": "SSE_AUTHORIZE",
    "sse_authorise": "SSE_AUTHORIZE",
    "SSE-AUTHORIZE": "SSE_AUTHORIZE",
    "CORS_ORIGIN": "CORS_ORIGINS",
    "CORS_ALLOWED_ORIGINS": "CORS_ORIGINS",
    "TASK_TIMEOUT": "TASK_TIMEOUT_SECONDS",
    "TASK_MAX_WORKER": "TASK_MAX_WORKERS",
    "HEARTBEAT_INTERVAL": "HEARTBEAT_INTERVAL_SECONDS",
    "ADMIN_BINDS": "ADMIN_BIND",
    "CALLBACK_SECRET": "SSE_CALLBACK_SECRET",
    "KEY_FILE": "KEYFILE",
    "LOGLEVEL": "LOG_LEVEL",
}

ORDINARY = """
    PATH HOME PWD SHELL TERM LANG USER LOGNAME HOSTNAME HOSTTYPE MAIL TZ EDITOR TMPDIR LS_COLORS
    PORTAL DEBUG SECRET_KEY DATABASE_URL POSTGRES_HOST POSTGRES_PASSWORD REDIS_URL RABBITMQ_URL
    DB_HOST HTTP_PORT SERVER_PORT SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE HTTP_PROXY NO_PROXY
    FLASK_APP FLASK_DEBUG GUNICORN_CMD_ARGS WEB_CONCURRENCY FORWARDED_ALLOW_IPS PYTHONPATH
    TASK_ID TASK_NAME TASK_ARN TASK_SLOT APP_ENV APP_NAME LOG_FILE LOG_DIR LOG_PATH
    ADMIN_USER ADMIN_PASSWORD CI CI_JOB_ID CI_JOB_TIMEOUT GITHUB_ACTIONS CALLBACK_URL
    STREAM_PASS_KEY NOTIFY_SOCKET LISTEN_FDS WATCHDOG_USEC INVOCATION_ID JOURNAL_STREAM
"""

PLATFORM = """
    SSE_SERVICE_HOST SSE_SERVICE_PORT SSE_SERVICE_PORT_HTTP SSE_PORT SSE_PORT_80_TCP
    SSE_PORT_80_TCP_ADDR SSE_PORT_80_TCP_PORT SSE_PORT_80_TCP_PROTO SSE_MONOLITH_SERVICE_HOST
    SSE_NAME SSE_ENV_FOO CORS_SERVICE_HOST PORTS HOSTS GRACEFUL_TIMEOUT SESSION_TIMEOUT_SECONDS
"""
"""Ordinary in an environment only."""


@pytest.mark.parametrize("in_environment", [False, True])
@pytest.mark.parametrize("name", BOTH)
def test_misspelt(name: str, in_environment: bool) -> None:
    """A misspelled setting is found in both sources, with the setting that was meant."""
    found = find_misspelt([name], KNOWN, in_environment=in_environment)
    assert found == [Misspelt(name, BOTH[name])]


@pytest.mark.parametrize("name", ["PORTS", "HOSTS", "GRACEFUL_TIMEOUT"])
def test_misspelt_in_the_file(name: str) -> None:
    """In the file, names are found that may belong to other programs in an environment."""
    assert len(find_misspelt([name], KNOWN, in_environment=False)) == 1


@pytest.mark.parametrize("in_environment", [False, True])
def test_names_of_other_programs(in_environment: bool) -> None:
    """Names of other programs and names of settings are not reported, in either case."""
    names = [*ORDINARY.split(), *KNOWN, *map(str.lower, KNOWN)]
    assert find_misspelt(names, KNOWN, in_environment=in_environment) == []


def test_container_platforms() -> None:
    """The variables that container platforms make for a service named sse are not reported."""
    assert find_misspelt(PLATFORM.split(), KNOWN, in_environment=True) == []


def test_far_from_every_setting() -> None:
    """A name with one of the settings' prefixes is found, even if no setting is similar."""
    assert find_misspelt(["SSE_XYZZY"], KNOWN, in_environment=True) == [Misspelt("SSE_XYZZY", None)]
