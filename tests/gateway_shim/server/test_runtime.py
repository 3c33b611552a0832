"""Tests of finding an application's runtime."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.server.runtime import EXTENSION, Runtime, runtime_of
from gateway_shim.standalone.front import Front
from tests.gateway_shim.running_gateway import RunningGateway


class Application:
    """An application with extensions, like an application of Flask."""

    def __init__(self, extensions: dict[str, Any]) -> None:
        self.extensions = extensions


class Bare:
    """An application without extensions."""


def test_runtime_of_a_front() -> None:
    """The application of the standalone gateway is its own runtime."""
    front = Front(RunningGateway().gateway)
    runtime: Runtime = runtime_of(front)
    assert runtime is front


def test_runtime_of_an_extension() -> None:
    """The runtime is found among the extensions of any application."""

    runtime = object()
    assert runtime_of(Application({EXTENSION: runtime})) is runtime


@pytest.mark.parametrize("application", [Bare(), Application({"sqlalchemy": 1})])
def test_no_runtime(application: object) -> None:
    """The error names the application without a gateway, and the missing extension."""
    name = type(application).__name__
    with pytest.raises(InvalidConfiguration, match=rf"^{name} has no gateway: .*sse_gateway"):
        runtime_of(application)
