"""The sources of the frontend version: the application, and a document that is fetched."""

from __future__ import annotations

import pytest

from app.config import Settings
from app.program.version import application_version
from app.services.frontend_version import fetched as fetched_module
from app.services.frontend_version.source import OwnVersion, version_source


def test_own_version() -> None:
    """Without a URL, the application's own version is the current version."""
    own = OwnVersion()
    assert own.current() == own.cached() == {"version": application_version()}


def test_the_settings_choose_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """FRONTEND_VERSION_URL selects a fetched version; without it the application's own is used."""
    monkeypatch.setattr(fetched_module, "fetch_json", lambda url: {"version": url})
    own = version_source(Settings(_env_file=None))
    fetched = version_source(Settings(_env_file=None, frontend_version_url="http://v/"))
    assert isinstance(own, OwnVersion)
    assert fetched.current() == {"version": "http://v/"}
