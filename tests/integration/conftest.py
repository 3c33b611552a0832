"""Each test of this folder that takes ``installation`` runs once with every kind of gateway."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from gateway_shim.protocol.event_stream import Dialect
from tests.integration.installation import SHIM, Installation, in_process, over_http

Start = Callable[[], contextlib.AbstractContextManager[Installation]]


def kinds(config: pytest.Config) -> dict[str, Start]:
    """Every kind of installation, by the name that test reports show."""
    named, envelope = Dialect.NAMED, Dialect.ENVELOPE
    known: dict[str, Start] = {
        "in-process": lambda: in_process(named),
        "in-process, envelope": lambda: in_process(envelope),
        "shim over HTTP": lambda: over_http(SHIM, named),
        "shim over HTTP, envelope": lambda: over_http(
            SHIM, envelope, {"SSE_DIALECT": envelope.value}
        ),
    }
    command = config.getoption("--gateway-command")
    if command:
        said = config.getoption("--gateway-dialect")
        dialect = None if said == "auto" else Dialect(said)
        known["gateway command"] = lambda: over_http(command, dialect)
    return known


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes ``installation`` with every kind of it."""
    if "installation" in metafunc.fixturenames:
        metafunc.parametrize("installation", kinds(metafunc.config), indirect=True, scope="module")


@pytest.fixture(scope="module")
def installation(request: pytest.FixtureRequest) -> Iterator[Installation]:
    """A backend and its gateway; a module's tests share it."""
    with kinds(request.config)[request.param]() as running:
        yield running
