"""The binary, and the tests that need root."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.parts import BINARY, require


@pytest.fixture(scope="session")
def binary() -> Path:
    """Return the binary. Without one, skip the test, or fail it in CI."""
    require(["binary"])
    return BINARY


@pytest.fixture
def as_root() -> None:
    """Skip a test that must mount and change the root folder, if it has no right to do so."""
    require(["root"])
