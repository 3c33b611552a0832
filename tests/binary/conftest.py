"""The binary, where there is one."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

from tests.support.server import ROOT

BINARY = ROOT / "dist" / "sse-monolith"


@pytest.fixture(scope="session")
def binary() -> Path:
    """The binary; in CI there must be one."""
    if not BINARY.exists():
        if os.environ.get("CI"):
            pytest.fail("dist/sse-monolith has not been built: make binary")
        pytest.skip("dist/sse-monolith has not been built: make binary")
    return BINARY


@pytest.fixture
def as_root() -> None:
    """Skips a test that needs the right to mount and to change the root folder."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip(f"needs root on Linux, this is uid {os.geteuid()} on {platform.system()}")
