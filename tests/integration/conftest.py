"""The fixture ``installation``, which runs a test once with each kind of gateway."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from gateway_shim.protocol.event_stream import Dialect
from tests.integration.installation import SHIM, Installation, in_process, over_http

Start = Callable[[], contextlib.AbstractContextManager[Installation]]


def kinds(config: pytest.Config) -> dict[str, Start]:
    """Return all kinds of installations, by their name in test reports."""
    named, envelope = Dialect.NAMED, Dialect.ENVELOPE
    found: dict[str, Start] = {
        "in-process": lambda: in_process(named),
        "in-process, envelope": lambda: in_process(envelope),
        "shim over HTTP": lambda: over_http(SHIM, named),
        "shim over HTTP, envelope": lambda: over_http(
            SHIM, envelope, {"SSE_DIALECT": envelope.value}
        ),
    }
    command = config.getoption("--gateway-command")
    if command:
        option = config.getoption("--gateway-dialect")
        dialect = None if option == "auto" else Dialect(option)
        found["gateway command"] = lambda: over_http(command, dialect)
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses ``installation`` once with each kind."""
    if "installation" in metafunc.fixturenames:
        metafunc.parametrize("installation", kinds(metafunc.config), indirect=True, scope="module")


@pytest.fixture(scope="module")
def installation(request: pytest.FixtureRequest) -> Iterator[Installation]:
    """Start a backend and its gateway, which the tests of a module share."""
    with kinds(request.config)[request.param]() as running:
        yield running
