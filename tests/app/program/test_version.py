"""The application's own version."""

from __future__ import annotations

import importlib.metadata

import pytest

from app.program import version
from app.program.version import application_version


def test_says_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version is the installed distribution's."""
    monkeypatch.setattr(importlib.metadata, "version", {"sse-monolith": "1.2.3"}.__getitem__)
    assert application_version() == "1.2.3"


def test_says_so_when_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run from a source tree, the version is the documented fallback."""
    monkeypatch.setattr(version, "DISTRIBUTION", "no-such-distribution")
    assert application_version() == "0.0.0+unknown"
