"""The binary, where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.parts import BINARY, require


@pytest.fixture(scope="session")
def binary() -> Path:
    """The binary; in CI there must be one."""
    require(["binary"])
    return BINARY


@pytest.fixture
def as_root() -> None:
    """Skips a test that needs the right to mount and to change the root folder."""
    require(["root"])
