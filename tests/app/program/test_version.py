"""The version of the application."""

from __future__ import annotations

import importlib.metadata

import pytest

from app.program import version
from app.program.version import application_version


def test_installed_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version is that of the installed distribution."""
    monkeypatch.setattr(importlib.metadata, "version", {"sse-monolith": "1.2.3"}.__getitem__)
    assert application_version() == "1.2.3"


def test_fallback_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an installed distribution, the version is the fallback."""
    monkeypatch.setattr(version, "DISTRIBUTION", "no-such-distribution")
    assert application_version() == "0.0.0+unknown"
