"""Shared test set-up: the process is patched for gevent before anything else is imported."""

from gevent import monkey

monkey.patch_all()

import pytest  # noqa: E402 - see above


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the integration tests."""
    group = parser.getgroup("gateway", "a gateway to run the integration tests with, too")
    group.addoption(
        "--gateway-command",
        metavar="CMD",
        help="starts a gateway that is configured by PORT, CALLBACK_URL and"
        " HEARTBEAT_INTERVAL_SECONDS, such as 'node dist/index.js'",
    )
    group.addoption(
        "--gateway-dialect",
        choices=["auto", "named", "envelope"],
        default="auto",
        help="the wire dialect of that gateway; auto: as its first event shows",
    )
