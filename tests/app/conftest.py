"""Fixtures for all tests of the backend."""

from __future__ import annotations

from tests.app.api.conftest import make_app

__all__ = ["make_app"]
