"""Fixtures of all tests of ``watch``."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a proxy of the environment out of requests to loopback."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
